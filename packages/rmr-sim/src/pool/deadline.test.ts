/**
 * P6: a leg that is slow, hung or dead delays IO by at most the IO deadline, once, and by half a
 * second for the view change; nobody sees an error. Whatever else the pool is doing at that moment.
 */
import { STATUS_OK, type StoreSource } from "@rmr/core"
import { filterStore } from "@rmr/testkit"
import type { SimClient, SimPool, SimPoolOptions } from "./sim-pool.js"
import { pattern, pause, tell, userOf } from "./story.js"

jest.setTimeout(120_000)

const DEADLINES = [200, 3000]
/** For the tick that sees it, and the view change. */
const MORE_MS = 500
const HUNG_MS = 20_000
const REGION = 64 * 1024

/** What users of a default configuration have, but for the deadline. */
function timesOf(ioDeadlineMs: number): NonNullable<SimPoolOptions["times"]> {
  return { ioDeadlineMs, blinkMs: 1000, noLegMs: 30_000, flushMs: 5000, slowHoldMs: 10_000 }
}

/** Writes, reads and flushes without a pause between them, and the longest of each. */
class Hands {
  readonly longestMs: Record<string, number> = { write: 0, read: 0, flush: 0 }
  doneCount = 0
  private readonly work: Promise<unknown>
  private isOver = false

  constructor(sim: SimPool, client: SimClient) {
    const user = userOf(client)
    const { clock } = sim.world.env
    const timed = async (kind: string, run: () => Promise<unknown>): Promise<void> => {
      while (!this.isOver) {
        const startMs = clock.nowMs()
        const outcome = await run()
        expect(outcome instanceof Uint8Array ? STATUS_OK : outcome).toBe(STATUS_OK)
        this.longestMs[kind] = Math.max(this.longestMs[kind]!, clock.nowMs() - startMs)
        this.doneCount++
        await pause(sim, 20)
      }
    }
    let nth = 0
    const place = (): number => (nth++ % (sim.sizeBytes / REGION)) * REGION
    this.work = Promise.all([
      timed("write", () => user.write(place(), pattern(nth, 8192))),
      timed("write", () => user.write(place(), pattern(nth, 8192))),
      timed("read", () => user.read(place(), 4096)),
      timed("flush", () => user.flush()),
    ])
  }

  /** Fails where some operation took longer than a deadline and half a second. */
  async stop(ioDeadlineMs: number): Promise<void> {
    this.isOver = true
    await this.work
    const tooLong = Object.entries(this.longestMs).filter(([, ms]) => ms > ioDeadlineMs + MORE_MS)
    expect(tooLong).toEqual([])
  }
}

interface Fault {
  readonly name: string
  begin(sim: SimPool, client: SimClient, hang: (slot: number, ms: number) => void): void
}

const SLOT = 1
const FAULTS: readonly Fault[] = [
  { name: "its node stands still", begin: ({ nodes }) => nodes[SLOT]!.host.pause() },
  {
    name: "the way to it is cut",
    begin: ({ network, nodes }, { host }) => network.cut(host.name, nodes[SLOT]!.host.name),
  },
  {
    name: "only signs of life pass",
    begin: ({ network, nodes }, { host }) => network.clog(host.name, nodes[SLOT]!.host.name),
  },
  { name: "its process dies", begin: ({ nodes }) => nodes[SLOT]!.kill() },
  { name: "its store hangs", begin: (_sim, _client, hang) => hang(SLOT, HUNG_MS) },
]

async function tellOf(
  seed: number,
  ioDeadlineMs: number,
  options: Partial<SimPoolOptions>,
  story: (sim: SimPool, hang: (slot: number, ms: number) => void) => Promise<void>,
): Promise<void> {
  const lateMs: number[] = []
  const hang = (slot: number, ms: number): void => {
    lateMs[slot] = ms
  }
  const wrapStore = (store: StoreSource, slot: number): StoreSource =>
    filterStore(store, "hung", () => ({ holdMs: () => lateMs[slot] ?? 0 }))
  const times = timesOf(ioDeadlineMs)
  const sizeBytes = 2 * 1024 * 1024
  await tell(seed, { sizeBytes, ...options, times, wrapStore }, async (sim) => {
    await sim.startAll()
    await story(sim, hang)
  })
}

const CASES = DEADLINES.flatMap((ms) => FAULTS.map((fault) => [ms, fault.name, fault] as const))

describe("P6: IO stalls for one deadline and half a second at most", () => {
  it.each(CASES)("%i ms: when %s", async (ioDeadlineMs, _, fault) => {
    for (const phaseMs of [0, 60]) {
      await tellOf(640 + phaseMs, ioDeadlineMs, {}, async (sim, hang) => {
        const client = await sim.create()
        const hands = new Hands(sim, client)
        await pause(sim, 1000 + phaseMs)
        fault.begin(sim, client, hang)
        await pause(sim, ioDeadlineMs + 2500)
        expect(client.pool.record.normal).toBe(0b101)
        expect(hands.doneCount).toBeGreaterThan(100)
        await hands.stop(ioDeadlineMs)
      })
    }
  })

  it.each(CASES)("%i ms: when %s while another member returns", async (ioDeadlineMs, _, fault) => {
    for (const phaseMs of ioDeadlineMs < 1000 ? [250, 500, 750] : [500]) {
      await tellOf(650 + phaseMs, ioDeadlineMs, { minNormal: 1 }, async (sim, hang) => {
        const client = await sim.create()
        const hands = new Hands(sim, client)
        await pause(sim, 300)
        sim.nodes[2]!.kill()
        await pause(sim, 2000)
        expect(client.pool.record.normal).toBe(0b011)
        await sim.nodes[2]!.start()
        await pause(sim, phaseMs)
        fault.begin(sim, client, hang)
        await pause(sim, ioDeadlineMs + 2500)
        expect(client.pool.record.normal & (1 << SLOT)).toBe(0)
        await hands.stop(ioDeadlineMs)
      })
    }
  })
})
