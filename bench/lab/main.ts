/**
 * `npx pnpm lab:bench`: what the transport over RDMA costs beside a C program that does the same
 * exchange over the same device, and beside TCP, in one guest. With `--pools`: what a pool of two
 * storage nodes over RDMA does beside RAID 1 of the guest's kernel over RNBD, and over NVMe.
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
import { type Lab, type LabRun, prepareLab, runInLab } from "../../e2e/lab/lab.js"
import { isWithMore, type PeerKind } from "../../e2e/lab/peers.js"
import { bundled } from "../../e2e/lab/program.js"
import { runOrFail } from "../../e2e/lab/runs.js"
import { parseEchoes, summary } from "./echoes.js"
import { parsePools, poolSummary } from "./pools.js"

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
/** Beside `src`, so that the native addon of the transport is found. */
const FOLDER = here("../../packages/transport-rdma/.cache")
const RMR = here("../../packages/rmr-cli/dist/main.js")
const PEERS: readonly PeerKind[] = ["md-rnbd", "md-nvme-rdma"]
const PEER_MIB = 64

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "4" },
    counted: { type: "boolean", default: false },
    pools: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
})
/** Of an emulated processor, and of one whose seconds are so many instructions. */
const WARM_SECONDS = values.counted ? 9 : 15
/** Of this machine, for one of the guest's that counts. */
const SLOWER = values.counted ? 15 : 1
const START_SECONDS = 20

const rounds = Number(values.rounds)
const seconds = Number(values.seconds)
if (!Number.isInteger(rounds) || rounds < 1 || !(seconds >= 1)) {
  throw new Error("--rounds and --seconds are numbers from 1")
}

const say = (line: string): boolean => process.stderr.write(`lab: ${line}\n`)
const print = (rows: readonly object[], table: string): boolean =>
  process.stdout.write(values.json ? `${JSON.stringify(rows, undefined, 2)}\n` : `${table}\n`)

/** What the guest said; `guestSeconds` are its own. */
async function saidBy(
  lab: Lab,
  guestSeconds: number,
  run: Pick<LabRun, "command" | "env" | "rdma" | "peer">,
): Promise<string> {
  let said = ""
  const code = await runInLab(lab, {
    ...{ ...run, cwd: "/", seconds: Math.ceil(guestSeconds * SLOWER) },
    ...(values.counted ? { isCounted: true, processors: 1 } : {}),
    onSaid: (_, bytes) => {
      said += bytes.toString()
    },
  })
  if (code !== 0) throw new Error(`the guest ended with ${code}:\n${said}`)
  return said
}

async function compareEchoes(): Promise<void> {
  mkdirSync(FOLDER, { recursive: true })
  const inC = join(FOLDER, "echo")
  const libraries = ["-libverbs", "-lrdmacm"]
  await runOrFail("gcc", ["-O2", "-o", inC, here("echo.c"), ...libraries], { seconds: 60 })
  const ours = await bundled(here("echo-ours.ts"), FOLDER)
  const lab = await prepareLab(say)
  const program = [here("echo.sh"), String(rounds), String(seconds), inC, process.execPath, ours]
  const ofRound = 2 * (4 * (seconds + START_SECONDS) + 2 * WARM_SECONDS)
  const said = await saidBy(lab, rounds * ofRound, {
    ...{ command: ["sh", ...program], rdma: { count: 1, kind: "rxe" } },
    env: { WARM_SECONDS: String(WARM_SECONDS) },
  })
  const rows = parseEchoes(said)
  print(rows, summary(rows))
}

async function comparePools(): Promise<void> {
  for (const kind of PEERS) {
    const lab = await prepareLab(say, { isWithMore: isWithMore(kind, "rxe") })
    const numbers = [rounds, seconds, WARM_SECONDS].map(String)
    const program = [here("pools.sh"), kind, ...numbers, process.execPath, RMR]
    const guestSeconds = 60 + 2 * (WARM_SECONDS + 5) + rounds * 8 * (seconds + 5)
    const said = await saidBy(lab, guestSeconds, {
      ...{ command: ["sh", ...program], peer: { kind, mib: PEER_MIB } },
      rdma: { count: 2, kind: "rxe" },
    })
    const rows = parsePools(said)
    print(rows, poolSummary(rows))
  }
}

await (values.pools ? comparePools() : compareEchoes())
