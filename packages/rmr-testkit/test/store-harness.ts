/**
 * Memory stores in a world, as the store suite wants them: hosts that die with their processes, and
 * a source that may be wrapped before it is handed out.
 */
import type { Clock, Random, StoreSource } from "@rmr/core"
import { buddyMemory, silentLog } from "@rmr/core"
import type {
  AbsentPowers,
  PowerName,
  StoreHarness,
  StorePlace,
} from "../src/contract/store/index.js"
import { clockWaiting, worldWaiting } from "../src/contract/waiting.js"
import { nodeWorld } from "../src/node/index.js"
import type { MemoryStoreOptions, MemoryStoreSource } from "../src/store/memory-store.js"
import { memoryStore } from "../src/store/memory-store.js"
import { seededRandom } from "../src/world/seeded-random.js"

export interface MemoryHarnessOptions {
  readonly seed?: number
  /** What is put between the suite and the store. */
  readonly wrap?: (source: StoreSource, random: Random) => StoreSource
  /** A broken store, in tests of the suite. */
  readonly make?: (options: MemoryStoreOptions) => MemoryStoreSource
  readonly store?: Partial<MemoryStoreOptions>
  /** Other ways to use a power than the store's own. */
  readonly powers?: (source: StoreSource) => StorePlace["powers"]
  readonly absent?: AbsentPowers
}

const MEMORY_BYTES = 4 * 1024 * 1024
const LEASES_MAX = 1024

export function memoryHarness(options: MemoryHarnessOptions = {}): StoreHarness {
  const { seed = 1, make = memoryStore, wrap = (source: StoreSource) => source } = options
  const world = nodeWorld({ seed })
  let processCount = 0
  let placeCount = 0
  const host = () => world.host(`process-${processCount}`)
  return {
    waiting: worldWaiting(world),
    random: world.random.fork("suite"),
    newProcess: () => {
      processCount++
      const memory = buddyMemory({ arenas: [MEMORY_BYTES], leaseCountMax: LEASES_MAX })
      return { env: host().env, memory }
    },
    fresh: async (shape) => {
      const random = world.random.fork(`place-${++placeCount}`)
      const source = make({ random, ioBytesMax: 256 * 1024, ...shape, ...options.store })
      const outer = wrap(source, random.fork("wrapper"))
      const own = powersOf(source, () => host().kill())
      const powers = { ...own, ...options.powers?.(outer) }
      for (const absent of Object.keys(options.absent ?? {})) delete powers[absent as PowerName]
      return { source: outer, powers }
    },
  }
}

/** The same in real time: clauses must not lean on a world. */
export function realMemoryHarness(): StoreHarness {
  const random = seededRandom("real")
  let placeCount = 0
  return {
    waiting: clockWaiting(realClock),
    random: random.fork("suite"),
    newProcess: () => {
      const memory = buddyMemory({ arenas: [MEMORY_BYTES], leaseCountMax: LEASES_MAX })
      return { env: { clock: realClock, random, log: silentLog }, memory }
    },
    fresh: async (shape) => {
      const chance = random.fork(`place-${++placeCount}`)
      const source = memoryStore({ random: chance, ioBytesMax: 256 * 1024, ...shape })
      return { source, powers: powersOf(source, () => undefined) }
    },
  }
}

const realClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  schedule: (delayMs, run) => {
    const timeout = setTimeout(run, delayMs)
    return { cancel: () => clearTimeout(timeout) }
  },
  endOfTurn: (run) => void setImmediate(run),
}

function powersOf(source: MemoryStoreSource, killHost: () => void): StorePlace["powers"] {
  return {
    kill: () => {
      source.kill()
      killHost()
    },
    powerCut: () => {
      source.powerCut()
      killHost()
    },
    failReads: (offset, bytes) => source.failReads(offset, bytes),
    failWrites: (offset, bytes) => source.failWrites(offset, bytes),
    failNextFlush: () => source.failNextFlush(),
    failNextCommit: () => source.failNextCommit(),
    allocatedBytes: () => source.allocatedBytes,
    damageCell: (kind, index) => source.damageCell(kind, index),
    damageHotSet: () => source.damageHotSet(),
  }
}
