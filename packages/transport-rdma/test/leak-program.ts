/**
 * A program for a guest of the lab: makes all that the addon has, ends it in every way, and says
 * what is left of it in the kernel and in this process.
 *
 * ```
 * leak-program HOST ROUNDS
 * ```
 *
 * A round has sessions that either end closes, one whose thread ends under it, listeners, and dials
 * of which nothing comes. Whatever a first round leaves is there for good (libraries keep what they
 * know of devices); the others leave nothing beside it. What is left in the C heap is for
 * LeakSanitizer to say, where this runs over the sanitized addon.
 */
import { execFileSync } from "node:child_process"
import { readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { Worker, workerData } from "node:worker_threads"
import { DIAL, Pair } from "./pair.js"

/** Through a room, and from memory to memory. */
const SIZES = [4096, 200_000]
const PORT_OF_NOBODY = 9
const SETTLE_MS = 100
const SETTLES_MAX = 50
type Closer = "client" | "server" | "endpoints"
type Way = "exit" | "terminate"

interface Left {
  readonly descriptors: number
  /** Of all devices and processes, by kind. */
  readonly resources: Readonly<Record<string, number>>
}

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Starts a process, so it shows as well that one with sessions can. */
function left(): Left {
  const resources: Record<string, number> = {}
  // Its own leaks are not ours to know.
  const env = { ...process.env, LD_PRELOAD: "" }
  const text = execFileSync("rdma", ["resource", "show"], { encoding: "utf8", env })
  for (const [, kind, count] of text.matchAll(/ ([a-z_]+) (\d+)\b/g)) {
    resources[kind!] = (resources[kind!] ?? 0) + Number(count)
  }
  return { descriptors: readdirSync("/proc/self/fd").length, resources }
}

async function session(host: string, closer: Closer): Promise<Left> {
  const pair = new Pair(true)
  const dialed = await pair.connect(host)
  for (const bytes of SIZES) {
    await pair.write(dialed, bytes)
    await pair.read(dialed, bytes)
  }
  const meanwhile = left()
  if (closer === "client") await dialed.close()
  if (closer === "server") await pair.accepted?.close()
  await pair.close()
  return meanwhile
}

/** What a thread does, until it ends with a write and a read under way. */
async function live(host: string, way: Way): Promise<void> {
  const pair = new Pair(false)
  const dialed = await pair.connect(host)
  for (const bytes of SIZES) void pair.write(dialed, bytes)
  void pair.read(dialed, SIZES[0]!)
  await later(20)
  if (way === "exit") process.exit(0)
  setInterval(() => undefined, 1000)
}

function thread(host: string, way: Way): Promise<void> {
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { host, way } })
  if (way === "terminate") worker.on("online", () => setTimeout(() => worker.terminate(), 1500))
  return new Promise((resolve, reject) => {
    worker.on("error", reject)
    worker.on("exit", () => resolve())
  })
}

/** Refused, unheard, without a way, given up in the middle, and ended with the endpoint. */
async function vainDials(host: string): Promise<void> {
  const pair = new Pair(true)
  const listener = await pair.open().listen(`rdma://${host}:0`, { creditsMax: DIAL.credits })
  const end = pair.open()
  const given = [0, 5, 20, 60].map((ms) => {
    return end.dial(listener.address, { ...DIAL, signal: AbortSignal.timeout(ms) })
  })
  // Some are faster than who gives them up.
  const allGiven = Promise.allSettled(given)
  const vain = [
    end.dial(`rdma://${host}:${PORT_OF_NOBODY}`, DIAL),
    end.dial("rdma://10.71.1.77:4710", { ...DIAL, deadlineMs: 300 }),
    end.dial("rdma://10.99.0.1:4710", { ...DIAL, deadlineMs: 300 }),
  ]
  const failed = (await Promise.allSettled(vain)).filter(({ status }) => status === "rejected")
  if (failed.length !== vain.length) throw new Error("somebody answers where nobody is")
  await allGiven
  const late = end.dial(listener.address, DIAL).catch(() => undefined)
  await later(3)
  await pair.close()
  await late
}

async function listeners(host: string): Promise<void> {
  const pair = new Pair(true)
  const end = pair.open()
  const listener = await end.listen(`rdma://${host}:0`, { creditsMax: DIAL.credits })
  for (const vain of [listener.address, "rdma://10.99.0.1:4710"]) {
    const error = await end.listen(vain, { creditsMax: DIAL.credits }).catch((thrown) => thrown)
    if (!(error instanceof Error)) throw new Error(`somebody listens at ${vain}`)
  }
  await listener.close()
  await pair.close()
}

async function round(host: string): Promise<Left> {
  const meanwhile = await session(host, "client")
  await session(host, "server")
  await session(host, "endpoints")
  await Promise.all([thread(host, "exit"), thread(host, "terminate")])
  await vainDials(host)
  await listeners(host)
  return meanwhile
}

/** What is left when no more goes: the kernel and ends of threads take their time. */
async function settled(wanted?: Left): Promise<Left> {
  let now = left()
  for (let tries = 0; tries < SETTLES_MAX; tries++) {
    globalThis.gc?.()
    await later(SETTLE_MS)
    const before = JSON.stringify(now)
    now = left()
    const isDone = wanted === undefined ? JSON.stringify(now) === before : isWithin(now, wanted)
    if (isDone) break
  }
  return now
}

function isWithin(now: Left, limit: Left): boolean {
  const kinds = Object.keys(now.resources)
  const isEach = kinds.every((kind) => now.resources[kind]! <= (limit.resources[kind] ?? 0))
  return isEach && now.descriptors <= limit.descriptors
}

async function watch(host: string, rounds: number): Promise<boolean> {
  await round(host)
  const first = await settled()
  let meanwhile = first
  for (let nth = 0; nth < rounds; nth++) meanwhile = await round(host)
  const last = await settled(first)
  const say = (when: string, what: Left): boolean => {
    return process.stdout.write(`${when}: ${JSON.stringify(what)}\n`)
  }
  say("after one round", first)
  say("in a session", meanwhile)
  say(`after ${rounds} more`, last)
  return !isWithin(meanwhile, first) && isWithin(last, first)
}

const [host = "10.71.1.1", rounds = "5"] = process.argv.slice(2)
if (workerData !== null) {
  const { host: at, way } = workerData as { host: string; way: Way }
  await live(at, way)
} else {
  const isClean = await watch(host, Number(rounds))
  process.stdout.write(isClean ? "nothing is left\n" : "something is left\n")
  process.exitCode = isClean ? 0 : 1
}
