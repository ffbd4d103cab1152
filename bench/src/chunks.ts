/**
 * Chunks: dirty maps, chunk locks, last io, and the arithmetic under every IO.
 *
 * Must: 20 million marks and clears a second, a scan of 1,000 dirty chunks in 512 TiB under 1 ms,
 * an empty map of 64 TiB under 64 KiB and a fully dirty one under 2 MiB, nothing allocated per IO.
 * Random marks depend on how much of the map the caches hold, so they are measured for volumes of
 * several sizes; a page of a map is 4 KiB for 512 MiB of volume.
 */
import type { ChunkNumber, Rank } from "@rmr/core"
import {
  ChunkGeometry,
  ChunkLocks,
  DirtyMap,
  LastIo,
  LOCK_MUTATION,
  OP_WRITE,
  RANK_REAL,
  START_DONE,
  STATUS_OK,
  SyncEntries,
} from "@rmr/core"
import {
  allocatedPerOperation,
  type Bench,
  elapsedMs,
  keep,
  millionsPerSecond,
  times,
  usedBytes,
} from "./bench.js"

const KiB = 1024
const CHUNK_BYTES = 128 * KiB
const CHUNKS_64_TIB = 2 ** 29
const CHUNKS_128_GIB = 2 ** 20
const CHUNKS_512_GIB = 2 ** 22
const CHUNKS_1_TIB = 2 ** 23
const CHUNKS_8_TIB = 2 ** 26
const CHUNKS_512_TIB = 2 ** 32
const SMALLEST_CHUNKS_512_TIB = 2 ** 37

const OPERATIONS = 4_000_000

/** Numbers that look random and are the same in every run. */
function scattered(count: number, below: number): Float64Array {
  const numbers = new Float64Array(count)
  let state = 12_345
  for (let at = 0; at < count; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
    numbers[at] = Math.floor(((state >>> 0) / 2 ** 32) * below)
  }
  return numbers
}

function markAll(map: DirtyMap, chunks: Float64Array, rank: Rank): void {
  for (let at = 0; at < chunks.length; at++) map.mark(chunks[at] as ChunkNumber, rank)
}

function clearAll(map: DirtyMap, chunks: Float64Array): void {
  for (let at = 0; at < chunks.length; at++) map.clear(chunks[at] as ChunkNumber)
}

/**
 * Marks all of these chunks and clears them again, so often that `operations` marks are done; only
 * one of the two is timed. Every one of them changes a byte.
 */
function markOrClear(
  chunkCount: number,
  chunks: Float64Array,
  operations: number,
  what: "mark" | "clear",
): number {
  const map = new DirtyMap({ chunkCount })
  // A mark that stays in each page, so that it is neither made nor given back while we measure.
  for (const chunk of chunks) map.mark((chunk - (chunk % 4096) + 4095) as ChunkNumber, RANK_REAL)
  let ms = 0
  let done = 0
  for (; done < operations; done += chunks.length) {
    const marking = elapsedMs(() => markAll(map, chunks, RANK_REAL))
    const clearing = elapsedMs(() => clearAll(map, chunks))
    ms += what === "mark" ? marking : clearing
  }
  return done / ms / 1000
}

/** Half of the chunks at most, each once, in an order that no cache foresees. */
function shuffled(chunkCount: number): Float64Array {
  const count = Math.min(1_000_000, chunkCount / 4)
  // An odd factor permutes the numbers below a power of two; the last place of a page is left out.
  return Float64Array.from({ length: count }, (_, at) => {
    const chunk = (at * 2_654_435_761) % chunkCount
    return chunk % 4096 === 4095 ? chunk - 1 : chunk
  })
}

function randomBench(
  name: string,
  chunkCount: number,
  what: "mark" | "clear",
  must?: number,
): Bench {
  return {
    name: `dirty map: ${what}, random in ${name}`,
    unit: "M/s",
    better: "more",
    ...(must === undefined ? {} : { must }),
    run: (scale) => markOrClear(chunkCount, shuffled(chunkCount), times(OPERATIONS, scale), what),
  }
}

/** Every other chunk, so that no page becomes fully dirty and is shared. */
function sequentialBench(what: "mark" | "clear"): Bench {
  return {
    name: `dirty map: ${what}, sequential`,
    unit: "M/s",
    better: "more",
    must: 20,
    run(scale) {
      const chunks = Float64Array.from({ length: 500_000 }, (_, at) => at * 2)
      return markOrClear(CHUNKS_64_TIB, chunks, times(OPERATIONS, scale), what)
    },
  }
}

function scanBench(name: string, chunkCount: number): Bench {
  return {
    name: `dirty map: scan 1,000 dirty chunks in ${name}`,
    unit: "ms",
    better: "less",
    must: 1,
    run(scale) {
      const map = new DirtyMap({ chunkCount })
      markAll(map, scattered(1000, chunkCount), RANK_REAL)
      const found = new Float64Array(1001)
      const rounds = times(200, scale)
      let count = 0
      const ms = elapsedMs(() => {
        for (let round = 0; round < rounds; round++) count += map.scan(0, found)
      })
      if (count !== rounds * map.count) throw new Error("a scan found other chunks")
      return ms / rounds
    },
  }
}

/** Bytes in use; buffers that became garbage are given back only with the collection after next. */
function settledBytes(): number {
  usedBytes()
  usedBytes()
  return usedBytes()
}

/** Heap that a map holds, as the mean of so many that nothing else counts. */
function mapKiB(length: number, prepare: (map: DirtyMap) => void): number {
  const before = settledBytes()
  const maps = Array.from({ length }, () => new DirtyMap({ chunkCount: CHUNKS_64_TIB }))
  for (const map of maps) prepare(map)
  const used = settledBytes() - before
  keep(maps.length)
  return used / maps.length / KiB
}

/** A map with a mark in each of 4,096 pages, as after a short absence under random writes. */
function scatteredMap(): DirtyMap {
  const map = new DirtyMap({ chunkCount: CHUNKS_64_TIB })
  for (let page = 0; page < 4096; page++) map.mark((page * 4096 * 20) as ChunkNumber, RANK_REAL)
  return map
}

/** Takes and gives back locks while `inFlight` others are held, as a busy storage node does. */
function locksBench(inFlight: number): Bench {
  return {
    name: `chunk locks: take and give back with ${inFlight} in flight`,
    unit: "M/s",
    better: "more",
    run(scale) {
      const locks = new ChunkLocks({
        tokensMax: inFlight,
        events: { onReady: () => undefined },
      })
      const chunks = scattered(1 << 16, CHUNKS_1_TIB)
      for (let token = 0; token < inFlight; token++) {
        locks.acquire(token, LOCK_MUTATION, chunks[token] as ChunkNumber, 1)
      }
      const count = times(2_000_000, scale)
      return millionsPerSecond(count, () => {
        for (let at = 0; at < count; at++) {
          const token = at % inFlight
          locks.release(token)
          locks.acquire(token, LOCK_MUTATION, chunks[at & 0xffff] as ChunkNumber, 1)
        }
        keep(locks.heldCount)
      })
    },
  }
}

const geometry = new ChunkGeometry({ chunkSizeBytes: CHUNK_BYTES, mappedSizeBytes: 64 * 2 ** 40 })

const mutation = { unit: 0, epoch: 7, sequence: 0, offset: 0, length: 4096, operation: OP_WRITE }

/** What a storage node does for each mutation that it admits, before it touches any data. */
function admit(lastIo: LastIo, map: DirtyMap, count: number): void {
  let clean = 0
  for (let at = 0; at < count; at++) {
    const firstChunk = (at & 0xffff) * 31 // with the message, checked against its offset
    mutation.unit = at & 127
    mutation.sequence = at + 1
    mutation.offset = firstChunk * CHUNK_BYTES
    if (geometry.check(mutation.offset, mutation.length) !== 0) throw new Error("refused")
    lastIo.admit(mutation)
    if (map.nextDirty(firstChunk, firstChunk + 1) < 0) clean++
  }
  keep(clean)
}

/** The chunks of a byte range, for whoever begins with bytes: a client, a hot extent. */
function findChunks(count: number): void {
  let sum = 0
  for (let at = 0; at < count; at++) {
    const offset = (at & 0xffff) * 4096 * 1000
    sum += geometry.chunkOf(offset) + geometry.chunkSpan(offset, 1_000_000)
  }
  keep(sum)
}

export const benches: readonly Bench[] = [
  sequentialBench("mark"),
  sequentialBench("clear"),
  randomBench("128 GiB", CHUNKS_128_GIB, "mark", 20),
  randomBench("128 GiB", CHUNKS_128_GIB, "clear", 20),
  randomBench("512 GiB", CHUNKS_512_GIB, "mark"),
  randomBench("512 GiB", CHUNKS_512_GIB, "clear"),
  randomBench("1 TiB", CHUNKS_1_TIB, "mark"),
  randomBench("1 TiB", CHUNKS_1_TIB, "clear"),
  randomBench("8 TiB", CHUNKS_8_TIB, "mark"),
  scanBench("512 TiB", CHUNKS_512_TIB),
  scanBench("512 TiB of 4 KiB chunks", SMALLEST_CHUNKS_512_TIB),
  {
    name: "dirty map: bytes allocated per mark and clear",
    unit: "B",
    better: "less",
    must: 1,
    run(scale) {
      const map = new DirtyMap({ chunkCount: CHUNKS_1_TIB })
      const chunks = scattered(10_000, CHUNKS_1_TIB)
      markAll(map, chunks, RANK_REAL)
      return allocatedPerOperation(times(400_000, scale), (count) => {
        for (let at = 0; at < count; at++) {
          const chunk = ((chunks[at % 10_000] as number) ^ 1) as ChunkNumber
          if (!map.mark(chunk, RANK_REAL)) map.clear(chunk)
        }
      })
    },
  },
  {
    name: "dirty map: memory of an empty one, 64 TiB",
    unit: "KiB",
    better: "less",
    must: 64,
    run: () => mapKiB(2000, () => undefined),
  },
  {
    name: "dirty map: memory of a fully dirty one, 64 TiB",
    unit: "KiB",
    better: "less",
    must: 2 * KiB,
    run: () => mapKiB(500, (map) => map.fill(RANK_REAL)),
  },
  {
    name: "dirty map: memory of one that was fully marked page by page, 64 TiB",
    unit: "KiB",
    better: "less",
    must: 2 * KiB,
    run: () =>
      mapKiB(32, (map) => {
        for (let page = 0; page < map.pageCount; page++) {
          map.markRange((page * 4096) as ChunkNumber, 4096, RANK_REAL)
        }
        map.forgetChanges()
      }),
  },
  {
    name: "dirty map: memory per page that is own, 64 TiB",
    unit: "KiB",
    better: "less",
    must: 8,
    run: () => {
      const before = settledBytes()
      const map = scatteredMap()
      return (settledBytes() - before) / map.count / KiB
    },
  },
  {
    name: "dirty map: first digest of 4,096 pages",
    unit: "ms",
    better: "less",
    run() {
      const map = scatteredMap()
      return elapsedMs(() => keep(map.digest().length))
    },
  },
  {
    name: "dirty map: digest after one change among 4,096 pages",
    unit: "ms",
    better: "less",
    must: 1,
    run(scale) {
      const map = scatteredMap()
      map.digest()
      const rounds = times(200, scale)
      const ms = elapsedMs(() => {
        for (let round = 0; round < rounds; round++) {
          map.mark((round * 4096 * 20 + 1) as ChunkNumber, RANK_REAL)
          keep(map.digest().length)
        }
      })
      return ms / rounds
    },
  },
  {
    name: "dirty map: pages exported and imported",
    unit: "M/s",
    better: "more",
    run(scale) {
      const map = scatteredMap()
      const buffer = new DataView(new ArrayBuffer(256 * KiB))
      const rounds = times(20, scale)
      return millionsPerSecond(rounds * 4096, () => {
        for (let round = 0; round < rounds; round++) {
          const copy = new DirtyMap({ chunkCount: CHUNKS_64_TIB })
          for (const cursor = { page: 0 }; cursor.page >= 0; ) {
            const bytes = map.exportPages(cursor, buffer, 0, buffer.byteLength)
            if (copy.importPages(buffer, 0, bytes) !== 0) throw new Error("a record is refused")
          }
        }
      })
    },
  },
  locksBench(128),
  locksBench(1024),
  {
    name: "chunk locks: bytes allocated per take and give back",
    unit: "B",
    better: "less",
    must: 1,
    run(scale) {
      const locks = new ChunkLocks({ tokensMax: 128, events: { onReady: () => undefined } })
      return allocatedPerOperation(times(400_000, scale), (count) => {
        for (let at = 0; at < count; at++) {
          const token = at & 127
          // Tokens of one chunk, so that locks are waited for, granted and delivered as well.
          if (locks.holds(token) || locks.isWaiting(token)) locks.release(token)
          locks.acquire(token, at % 3 === 0 ? 2 : LOCK_MUTATION, (at & 7) as ChunkNumber, 2)
          locks.deliver()
        }
      })
    },
  },
  {
    name: "sync entries: start, wait, end and resume",
    unit: "M/s",
    better: "more",
    run(scale) {
      const resumed = new Int32Array(1)
      const entries = new SyncEntries({
        entriesMax: 64,
        tokensMax: 64,
        events: {
          onReady: ({ count }) => {
            resumed[0] = (resumed[0] as number) + count
          },
        },
      })
      const count = times(1_000_000, scale)
      const speed = millionsPerSecond(count, () => {
        for (let at = 0; at < count; at++) {
          const chunk = (at * 4099) as ChunkNumber
          if (entries.start(chunk) !== START_DONE) throw new Error("a sync is running already")
          entries.wait(chunk, at & 63)
          entries.beginWrite(chunk, true)
          entries.end(chunk, STATUS_OK)
          entries.dropReference(chunk)
          entries.deliver()
        }
      })
      if (resumed[0] !== count) throw new Error("somebody was not resumed")
      return speed
    },
  },
  {
    name: "geometry: chunks of a byte range",
    unit: "M/s",
    better: "more",
    run(scale) {
      const count = times(5_000_000, scale)
      return millionsPerSecond(count, () => findChunks(count))
    },
  },
  {
    name: "mutation: check, record in last io, find its chunks clean",
    unit: "M/s",
    better: "more",
    run(scale) {
      const count = times(3_000_000, scale)
      const lastIo = new LastIo(128)
      const map = scatteredMap()
      return millionsPerSecond(count, () => admit(lastIo, map, count))
    },
  },
  {
    name: "mutation: bytes allocated for that",
    unit: "B",
    better: "less",
    must: 1,
    run(scale) {
      const lastIo = new LastIo(128)
      const map = scatteredMap()
      return allocatedPerOperation(times(400_000, scale), (count) => {
        lastIo.clear() // the sequence starts again
        admit(lastIo, map, count)
      })
    },
  },
]
