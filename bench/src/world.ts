/**
 * How fast a world turns: the simulator runs as many seeds as this allows.
 *
 * An event with a promise chain of eight links is what library edges cost at worst. Protocol code
 * is mostly synchronous and runs without waiting for promises.
 */

import { nodeWorld } from "@rmr/testkit/node"
import { createWorld, openDiskUser, simDisk, type World } from "@rmr/testkit/world"
import { type Bench, keep, times } from "./bench.js"

const EVENTS = 600_000
const ACTORS = 64
const CHAIN_LINKS = 8
const DISK_WRITES = 20_000
const DISK_WRITES_AT_ONCE = 32
const BLOCK_BYTES = 4096

/** Actors that schedule themselves again and again; each event calls `work`. */
function populate(world: World, events: number, work: () => void): void {
  const { clock, random } = world.env
  let left = events
  const act = (): void => {
    if (left-- <= 0) return
    work()
    clock.schedule(random.unit(), act)
  }
  for (let actor = 0; actor < ACTORS; actor++) clock.schedule(random.unit(), act)
}

async function chain(links: number): Promise<void> {
  for (let link = 0; link < links; link++) await undefined
}

async function perSecond(count: number, run: () => unknown): Promise<number> {
  const start = performance.now()
  await run()
  return (count / (performance.now() - start)) * 1000
}

const withPromises: Bench = {
  name: "events with an eight-deep promise chain",
  unit: "events/s",
  better: "more",
  must: 300_000,
  run: (scale) => {
    const events = times(EVENTS, scale)
    const world = nodeWorld({ seed: 1 })
    populate(world, events, () => void chain(CHAIN_LINKS))
    return perSecond(events, () => world.settle())
  },
}

const withoutPromises: Bench = {
  name: "events without promises",
  unit: "events/s",
  better: "more",
  run: (scale) => {
    const events = times(EVENTS, scale)
    const world = createWorld({ seed: 1 })
    let count = 0
    populate(world, events, () => count++)
    const rate = perSecond(events, () => world.runSync())
    keep(count)
    return rate
  },
}

/** Deadlines that are set and taken back: a pool does this for every IO. */
const cancelled: Bench = {
  name: "timers set and cancelled",
  unit: "timers/s",
  better: "more",
  run: (scale) => {
    const count = times(EVENTS, scale)
    const { clock } = createWorld({ seed: 1 }).env
    const others = Array.from({ length: 1000 }, (_, at) => clock.schedule(at, () => undefined))
    keep(others.length)
    return perSecond(count, () => {
      for (let at = 0; at < count; at++) clock.schedule(at % 1000, () => undefined).cancel()
    })
  },
}

const diskWrites: Bench = {
  name: "simulated disk: 4 KiB writes, 32 at once, with flushes",
  unit: "writes/s",
  better: "more",
  run: async (scale) => {
    const world = nodeWorld({ seed: 1 })
    const disk = simDisk(world, { name: "d", sizeBytes: 2 ** 30 })
    const user = await world.settled(openDiskUser(disk.source(), world.env), "open disk")
    const bytes = new Uint8Array(BLOCK_BYTES).fill(7)
    const rounds = times(DISK_WRITES / DISK_WRITES_AT_ONCE, scale)
    const write = async (): Promise<void> => {
      for (let round = 0; round < rounds; round++) {
        const all = Array.from({ length: DISK_WRITES_AT_ONCE }, (_, at) =>
          user.write((round * DISK_WRITES_AT_ONCE + at) * BLOCK_BYTES, bytes),
        )
        await Promise.all(all)
        await user.flush()
      }
    }
    return perSecond(rounds * DISK_WRITES_AT_ONCE, () => world.settled(write(), "writes"))
  },
}

export const benches: readonly Bench[] = [withPromises, withoutPromises, cancelled, diskWrites]
