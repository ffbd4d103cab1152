/** Guests of the lab: what is said, how it ends, what stays, and a wire that is cut. */
import { existsSync } from "node:fs"
import { type Lab, prepareLab, runInLab } from "../lab/lab.js"
import type { Wire } from "../lab/wire.js"
import { itWhere, missing } from "./nbd-tools.js"

jest.setTimeout(300_000)
const SAY = (line: string): boolean => process.stderr.write(`lab: ${line}\n`)
const OFF = [
  missing("qemu-system-x86_64", "busybox", "depmod"),
  process.getuid?.() === 0 ? "" : "it needs root",
]
const WHY = OFF.filter((reason) => reason !== "").join(", ")

interface Ended {
  readonly code: number
  readonly said: string
}

async function inGuest(lab: Lab, command: readonly string[], seconds = 60): Promise<Ended> {
  let said = ""
  const onSaid = (_: number, bytes: Buffer): void => {
    said += bytes.toString()
  }
  const env = { GREETING: "it's a word" }
  const code = await runInLab(lab, { command, cwd: process.cwd(), env, seconds, onSaid })
  return { code, said }
}

itWhere(
  "a command runs in this folder as root, ends as it ends, and leaves nothing here",
  WHY,
  async () => {
    const lab = await prepareLab(SAY)
    const mark = `${process.cwd()}/lab-was-here`
    const line = `uname -r; id -u; pwd; echo "$GREETING"; touch ${mark}; echo wrong >&2; exit 7`
    const { code, said } = await inGuest(lab, [line])
    const lines = [lab.kernel.version, "0", process.cwd(), "it's a word", "wrong", ""]
    expect(said.split("\n")).toEqual(lines)
    expect(code).toBe(7)
    expect(existsSync(mark)).toBe(false)
  },
)

itWhere("words of a program reach the guest as they are, with soft-RoCE devices", WHY, async () => {
  const lab = await prepareLab(SAY)
  let said = ""
  const line = 'ls /sys/class/infiniband; printf "%s|" "$@"'
  const code = await runInLab(lab, {
    ...{ command: ["sh", "-c", line, "sh", "a b", "$HOME", "it's"], cwd: "/", seconds: 60 },
    rdma: { count: 2, kind: "rxe" },
    onSaid: (_, bytes) => {
      said += bytes.toString()
    },
  })
  expect([said, code]).toEqual(["rxe1\nrxe2\na b|$HOME|it's|", 0])
})

itWhere("a wire between two guests is cut and mended", WHY, async () => {
  const lab = await prepareLab(SAY)
  let wire: Wire | undefined
  const said = { yes: 0, no: 0 }
  // Guest 1 says how its pings go, and ends well with the first that comes through again.
  const one = [
    "failed=0; seen=0",
    "for n in $(seq 60); do",
    "if busybox ping -c 1 -W 1 10.70.0.2 > /dev/null",
    "then echo yes; seen=1; [ $failed -ge 3 ] && exit 0",
    "else echo no; [ $seen = 1 ] && failed=$((failed + 1)); fi; sleep 0.3; done; exit 1",
  ].join("\n")
  const code = await runInLab(lab, {
    ...{ command: [`if [ $GUEST = 2 ]; then sleep 30; exit; fi\n${one}`], cwd: "/", seconds: 60 },
    guests: 2,
    onWire: (made) => {
      wire = made
    },
    onSaid: (_, bytes) => {
      for (const word of bytes.toString().split(/\s+/)) {
        if (word === "yes") said.yes++
        if (word === "no" && said.yes > 0) said.no++
      }
      if (said.yes >= 2 && said.no === 0) wire?.cut(2)
      if (said.no >= 3) wire?.mend(2)
    },
  })
  expect(code).toBe(0)
  expect(said.no).toBeGreaterThanOrEqual(3)
})

itWhere("a command that takes too long is ended with its guest", WHY, async () => {
  const lab = await prepareLab(SAY)
  expect(await inGuest(lab, ["sleep 600"], 1)).toEqual({ code: 124, said: "" })
})
