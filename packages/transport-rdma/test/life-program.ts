/**
 * A program for a guest of the lab: threads that end at every stage of a session's life, in every
 * way, beside sessions of another thread, while memory is collected.
 *
 * ```
 * life-program HOST
 * ```
 *
 * It says how each thread has ended, and at last that nobody else was harmed.
 */
import { fileURLToPath } from "node:url"
import { parentPort, Worker, workerData } from "node:worker_threads"
import { DIAL, Pair } from "./pair.js"

const STAGES = ["opened", "listening", "dialing", "up", "in flight"] as const
const WAYS = ["exit", "throw", "terminate", "close"] as const
/** More than what goes through a room. */
const BYTES = 200_000
const EXIT_CODE = 7
const LATE_MS = 20_000
type Stage = (typeof STAGES)[number]
type Way = (typeof WAYS)[number]

async function reach(pair: Pair, stage: Stage, host: string): Promise<void> {
  if (stage === "opened") pair.open()
  else if (stage === "listening") {
    await pair.open().listen(`rdma://${host}:0`, { creditsMax: DIAL.credits })
  } else if (stage === "dialing") {
    // Nobody has this address.
    void pair
      .open()
      .dial("rdma://10.71.1.77:4710", DIAL)
      .catch(() => undefined)
    await new Promise((resolve) => setTimeout(resolve, 50))
  } else {
    const session = await pair.connect(host)
    if (stage !== "in flight") return
    void pair.write(session, BYTES)
    void pair.read(session, BYTES)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** What a thread does. */
async function live({ stage, way, host }: { stage: Stage; way: Way; host: string }): Promise<void> {
  const pair = new Pair(false)
  await reach(pair, stage, host)
  if (way === "exit") process.exit(EXIT_CODE)
  if (way === "throw") throw new Error("on purpose")
  if (way === "close") await pair.close()
  if (way !== "terminate") return
  // The main thread ends it, wherever it is then.
  setInterval(() => undefined, 1000)
  parentPort?.postMessage("there")
}

/** The exit code of a thread, or that it does not end. */
function ended(stage: Stage, way: Way, host: string): Promise<string> {
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { stage, way, host } })
  worker.on("error", () => undefined)
  return new Promise((resolve) => {
    const late = setTimeout(() => resolve("does not end"), LATE_MS)
    worker.on("exit", (code) => {
      clearTimeout(late)
      resolve(String(code))
    })
    // One that has not begun ends as if nothing were wrong.
    worker.on("message", () => void worker.terminate())
  })
}

async function watch(host: string): Promise<void> {
  const pair = new Pair(true)
  const session = await pair.connect(host)
  for (const stage of STAGES) {
    for (const way of WAYS) {
      const [code] = await Promise.all([ended(stage, way, host), pair.write(session, BYTES)])
      globalThis.gc?.()
      process.stdout.write(`${stage}, ${way}: ${code}\n`)
    }
  }
  await pair.write(session, BYTES)
  await pair.close()
  process.stdout.write("nobody else was harmed\n")
}

if (workerData === null) await watch(process.argv[2] ?? "10.71.1.1")
else await live(workerData as { stage: Stage; way: Way; host: string })
