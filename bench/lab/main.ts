/**
 * `npx pnpm lab:bench`: what the transport over RDMA costs beside a C program that does the same
 * exchange over the same device, and beside TCP, in one guest.
 *
 * Guests are emulated where KVM does not boot Debian's kernel: a turn of a message takes so long
 * there that waiting awake is of no use, and what the host does beside it shows. With `--counted`
 * the guest has one processor of which an instruction is a nanosecond: 10⁹ through messages/s are
 * instructions for a message, of both ends and their kernel, and runs differ by one in a hundred.
 */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { prepareLab, runInLab } from "../../e2e/lab/lab.js"
import { bundled } from "../../e2e/lab/program.js"
import { runOrFail } from "../../e2e/lab/runs.js"
import { type EchoRow, parseEchoes, summary } from "./echoes.js"

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
/** Beside `src`, so that the native addon of the transport is found. */
const FOLDER = here("../../packages/transport-rdma/.cache")

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "4" },
    counted: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
})
/** Of an emulated processor, and of one whose seconds are so many instructions. */
const WARM_SECONDS = values.counted ? 9 : 15
/** Of this machine, for one of the guest's that counts. */
const SLOWER = values.counted ? 15 : 1

const rounds = Number(values.rounds)
const seconds = Number(values.seconds)
if (!Number.isInteger(rounds) || rounds < 1 || !(seconds >= 1)) {
  throw new Error("--rounds and --seconds are numbers from 1")
}

const say = (line: string): boolean => process.stderr.write(`lab: ${line}\n`)
mkdirSync(FOLDER, { recursive: true })
const inC = join(FOLDER, "echo")
await runOrFail("gcc", ["-O2", "-o", inC, here("echo.c"), "-libverbs", "-lrdmacm"], { seconds: 60 })
const ours = await bundled(here("echo-ours.ts"), FOLDER)
const lab = await prepareLab(say)
let said = ""
const program = [here("echo.sh"), String(rounds), String(seconds), inC, process.execPath, ours]
const code = await runInLab(lab, {
  ...{ command: ["sh", ...program], cwd: "/", rdma: { count: 1, kind: "rxe" } },
  ...(values.counted ? { isCounted: true, processors: 1 } : {}),
  env: { WARM_SECONDS: String(WARM_SECONDS) },
  seconds: rounds * 2 * (4 * (seconds * SLOWER + 20) + 2 * WARM_SECONDS * SLOWER),
  onSaid: (_, bytes) => {
    said += bytes.toString()
  },
})
if (code !== 0) throw new Error(`the guest ended with ${code}:\n${said}`)
const rows: readonly EchoRow[] = parseEchoes(said)
process.stdout.write(values.json ? `${JSON.stringify(rows, undefined, 2)}\n` : `${summary(rows)}\n`)
