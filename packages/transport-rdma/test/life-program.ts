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
import type { Endpoint, EndpointEvents, Session } from "@rmr/core"
import {
  buddyMemory,
  LANE_IO,
  leaseBytes,
  NO_LEASE,
  PAYLOAD_BACK,
  PAYLOAD_OUT,
  REQUEST_LEASE,
  REQUEST_STRIDE,
  REQUEST_TICKET,
} from "@rmr/core"
import { realEnv } from "@rmr/io"
import { rdma } from "../src/index.js"

const STAGES = ["opened", "listening", "dialing", "up", "in flight"] as const
const WAYS = ["exit", "throw", "terminate", "close"] as const
const BYTES = 200_000
const EXIT_CODE = 7
const DIAL = { deadlineMs: 10_000, credits: [4, 2, 1] } as const
const LATE_MS = 20_000
type Stage = (typeof STAGES)[number]
type Way = (typeof WAYS)[number]

/** A client and a server; the server answers at once, or never. */
class Pair {
  readonly ends: Endpoint[] = []
  readonly memory = buddyMemory({ arenas: [4 * 1024 * 1024], leaseCountMax: 64 })
  private accepted: Session | undefined
  private answered: () => void = () => undefined
  private readonly isAnswering: boolean

  constructor(isAnswering: boolean) {
    this.isAnswering = isAnswering
  }

  open(): Endpoint {
    const events: EndpointEvents = {
      onSessionUp: (session) => {
        this.accepted = session
      },
      onSessionDown: () => undefined,
      onCompletions: () => this.answered(),
      onRequests: ({ count, words }) => {
        for (let row = 0; row < count; row++) {
          const lease = words[row * REQUEST_STRIDE + REQUEST_LEASE]! as typeof NO_LEASE
          if (lease !== NO_LEASE) this.memory.release(lease)
          if (this.isAnswering) this.answer(words[row * REQUEST_STRIDE + REQUEST_TICKET]!)
        }
      },
    }
    const { memory } = this
    const end = rdma().open({ env: realEnv(), memory, events, hostName: `end-${this.ends.length}` })
    this.ends.push(end)
    return end
  }

  async connect(host: string): Promise<Session> {
    const listener = await this.open().listen(`rdma://${host}:0`, { creditsMax: DIAL.credits })
    return this.open().dial(listener.address, DIAL)
  }

  /** A write of more than a room takes; fulfilled when it was answered. */
  write(session: Session): Promise<void> {
    const lease = this.memory.lease(BYTES)
    leaseBytes(this.memory, lease, 0, BYTES).fill(BYTES & 0xff)
    const slot = session.reserve(LANE_IO)
    session.submit(slot, 8, 1, PAYLOAD_OUT, lease, 0, BYTES)
    this.memory.release(lease)
    return new Promise((resolve) => {
      this.answered = resolve
    })
  }

  read(session: Session): void {
    const lease = this.memory.lease(BYTES)
    session.submit(session.reserve(LANE_IO), 8, 2, PAYLOAD_BACK, lease, 0, BYTES)
    this.memory.release(lease)
  }

  async close(): Promise<void> {
    await Promise.all(this.ends.map((end) => end.close()))
    this.memory.assertNoLeases()
  }

  private answer(ticket: number): void {
    const slot = this.accepted?.reserveReply(ticket) ?? -1
    if (slot >= 0) this.accepted?.reply(slot, 8, ticket, NO_LEASE, 0, 0)
  }
}

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
    void pair.write(session)
    pair.read(session)
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
      const [code] = await Promise.all([ended(stage, way, host), pair.write(session)])
      globalThis.gc?.()
      process.stdout.write(`${stage}, ${way}: ${code}\n`)
    }
  }
  await pair.write(session)
  await pair.close()
  process.stdout.write("nobody else was harmed\n")
}

if (workerData === null) await watch(process.argv[2] ?? "10.71.1.1")
else await live(workerData as { stage: Stage; way: Way; host: string })
