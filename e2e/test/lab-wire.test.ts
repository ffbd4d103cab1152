/**
 * A pool over RDMA whose nodes are in two guests of the lab, and the wire between them is cut for
 * some seconds, under a load and without one: devices try in vain, silence ends the session, and
 * writes go on without the node.
 */
import { fileURLToPath } from "node:url"
import { prepareLab, runInLab } from "../lab/lab.js"
import type { Wire } from "../lab/wire.js"
import { isLong, itWhere, missing } from "./nbd-tools.js"
import { isBuilt, rmrWords } from "./rmr-program.js"

jest.setTimeout(700_000)

const SAY = (line: string): boolean => process.stderr.write(`lab: ${line}\n`)
const POOL = fileURLToPath(new URL("lab/rdma-wire.sh", import.meta.url))
/** A minute and a half on a quiet machine, emulated. */
const SECONDS = 400

function whyNot(): string {
  if (!isLong()) return "it takes a minute or two: RMR_LONG=1"
  const reasons = [
    missing("qemu-system-x86_64", "busybox", "depmod", "fio", "nbdinfo"),
    process.getuid?.() === 0 ? "" : "it needs root",
    isBuilt() ? "" : "the program is older than its sources: pnpm build",
  ]
  return reasons.filter((reason) => reason !== "").join(", ")
}

interface Ended {
  readonly code: number
  /** What each guest said. */
  readonly said: readonly string[]
  readonly cuts: number
  readonly mends: number
}

/** Cuts and mends the wire of guest 2 as often as guest 1 says so. */
async function onWire(command: readonly string[]): Promise<Ended> {
  const lab = await prepareLab(SAY)
  const said = ["", ""]
  let wire: Wire | undefined
  const done = { cut: 0, mend: 0 }
  const obey = (words: "cut" | "mend"): void => {
    if (done[words] === said[0]!.split(`wire: ${words}\n`).length - 1) return
    done[words]++
    wire?.[words](2)
  }
  const code = await runInLab(lab, {
    ...{ command, cwd: "/", seconds: SECONDS, guests: 2, rdmaOnWire: "rxe" },
    onWire: (made) => {
      wire = made
    },
    onSaid: (guest, bytes) => {
      said[guest - 1] += bytes.toString()
      obey("cut")
      obey("mend")
    },
  })
  return { code, said, cuts: done.cut, mends: done.mend }
}

itWhere(
  "a pool over RDMA loses nothing when the wire to a node is cut, and the node comes back",
  whyNot(),
  async () => {
    const command = ["sh", POOL, process.execPath, ...rmrWords()]
    const { code, said, cuts, mends } = await onWire(command)
    expect({ code, cuts, mends, said }).toEqual({ code: 0, cuts: 2, mends: 2, said })
    const sums = said.join("").match(/^volume [0-9a-f]{64}$/gm) ?? []
    expect({ sums: new Set(sums).size, of: sums.length }).toEqual({ sums: 1, of: 3 })
  },
)
