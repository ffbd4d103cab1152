/**
 * RTRS on the wire: a small client of RNBD, on the transport over RDMA, and the kernel's own
 * server, in a guest of the lab. What the client writes is on the device, and what it reads was
 * written by the kernel.
 *
 * It takes a minute or two: RMR_LONG=1, or `pnpm lab:full`.
 */
import { fileURLToPath } from "node:url"
import { prepareLab, runInLab } from "../lab/lab.js"
import { bundled } from "../lab/program.js"
import { isLong, itWhere, missing } from "./nbd-tools.js"
import { sanitizedEnv } from "./sanitized-addon.js"

jest.setTimeout(700_000)

const SAY = (line: string): boolean => process.stderr.write(`lab: ${line}\n`)
const FOLDER = fileURLToPath(new URL("../../packages/transport-rdma", import.meta.url))
const PROGRAM = fileURLToPath(new URL("../lab/rnbd/program.ts", import.meta.url))
const SCRIPT = fileURLToPath(new URL("lab/rnbd.sh", import.meta.url))
const SECONDS = 400

function whyNot(): string {
  if (!isLong()) return "it takes a minute or two: RMR_LONG=1"
  const reasons = [
    missing("qemu-system-x86_64", "busybox", "depmod", "make", "gcc"),
    process.getuid?.() === 0 ? "" : "it needs root",
  ]
  return reasons.filter((reason) => reason !== "").join(", ")
}

async function inGuest(env: Readonly<Record<string, string>>): Promise<[number, string]> {
  const lab = await prepareLab(SAY, { isWithMore: true })
  // Beside `src`, so that it finds the native addon.
  const program = await bundled(PROGRAM, `${FOLDER}/.cache`)
  // What watches memory is for the program alone.
  const words = Object.entries(env).map(([name, value]) => `${name}=${value}`)
  const node = [process.execPath, "--enable-source-maps", program]
  let said = ""
  const code = await runInLab(lab, {
    ...{ command: ["sh", SCRIPT, "env", ...words, ...node], cwd: "/", seconds: SECONDS },
    rdma: { count: 1, kind: "rxe" },
    onSaid: (_, bytes) => {
      said += bytes.toString()
    },
  })
  return [code, said]
}

/** What is said once for each of the two kinds of servers. */
const SAID = [
  "session copy1: 512 requests of 126976 bytes",
  "device: 16384 sectors, blocks of 512 bytes",
  "read: what the kernel has",
  ...[512, 4096, 4608, 65_536, 126_976].map((bytes) => `written and read: ${bytes} bytes`),
  "at once: 256 writes, then 256 reads",
  "at once: 256 writes, then 256 reads",
  "flushed",
  "read behind a pause",
  "a device that is not there: not-found",
  "closed; a flush behind it: not-open",
  "a second session of the same name: unreachable",
  "session copy2: 512 requests of 126976 bytes",
  "the server hangs up: link-lost; up: false",
  "closed, and no memory is held",
]

const WAYS = [
  { title: "", env: async () => ({}) },
  { title: ", watched by AddressSanitizer and UBSan", env: sanitizedEnv },
]

for (const { title, env } of WAYS) {
  itWhere(
    `a device of the kernel's RNBD server is read and written${title}`,
    whyNot(),
    async () => {
      const [code, said] = await inGuest(await env())
      const kept = (keys: string): string => {
        return `the device has what was written, with new keys: ${keys}`
      }
      const lines = [...SAID, kept("Y"), ...SAID, kept("N"), ""]
      expect({ code, lines: said.split("\n") }).toEqual({ code: 0, lines })
    },
  )
}
