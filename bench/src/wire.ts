/**
 * The IO message and the group id: what every IO, and every pool, costs on the wire side.
 *
 * Must: 5 million IO headers a second each way without allocating, 2 million names a second.
 * Records differ from one operation to the next, so that nothing can be computed once for all.
 */
import {
  decodeIo,
  encodeIo,
  groupIdOfName,
  IO_BYTES,
  IoRecord,
  isMutation,
  OP_READ,
  OP_WRITE,
  setAbsentMembers,
  setLineage,
} from "@rmr/core"
import { allocatedPerOperation, type Bench, keep, millionsPerSecond, times } from "./bench.js"

const HEADERS = 3_000_000
const NAMES = 2_000_000
const RECORDS = 16
const CHUNK_BYTES = 128 * 1024

const records: readonly IoRecord[] = Array.from({ length: RECORDS }, (_, at) => recordOf(at))
const slots = new DataView(new ArrayBuffer(RECORDS * IO_BYTES))
for (let at = 0; at < RECORDS; at++) encodeIo(slots, at * IO_BYTES, records[at] as IoRecord)
const scratch = new DataView(new ArrayBuffer(IO_BYTES))
const into = new IoRecord()

/** Reads and writes of 4 KiB, spread over a large volume, the writes with one member absent. */
function recordOf(at: number): IoRecord {
  const record = new IoRecord()
  record.groupId = groupIdOfName("bench")
  setLineage(record, "00112233445566778899aabbccddeeff")
  record.epoch = 7
  record.viewVersion = 12
  record.sessionGeneration = 1
  record.operation = at % 2 === 0 ? OP_READ : OP_WRITE
  record.length = 4096
  record.firstChunk = at * 200_000_001
  record.offset = record.firstChunk * CHUNK_BYTES + 4096 * at
  record.chunkCount = 1
  record.unit = at
  if (isMutation(record.operation)) {
    record.sequence = 2 ** 33 + at
    setAbsentMembers(record, [3])
  }
  record.stableEpoch = 7
  record.stableSequence = 2 ** 33 - 100
  return record
}

function encode(count: number): void {
  for (let at = 0; at < count; at++) encodeIo(scratch, 0, records[at % RECORDS] as IoRecord)
  keep(scratch.getUint32(IO_BYTES - 4, true))
}

function decode(count: number): void {
  let refused = 0
  for (let at = 0; at < count; at++) {
    refused += decodeIo(slots, (at % RECORDS) * IO_BYTES, IO_BYTES, into)
  }
  if (refused !== 0) throw new Error("a header was refused: the bench measures the wrong path")
  keep(into.offset)
}

const names: readonly string[] = Array.from({ length: 64 }, (_, at) => `vm-disks-${at * 7919}`)

function hash(count: number): void {
  let sum = 0
  for (let at = 0; at < count; at++) sum ^= groupIdOfName(names[at & 63] as string)
  keep(sum)
}

function speed(name: string, must: number, full: number, work: (count: number) => void): Bench {
  return {
    name,
    unit: "M/s",
    better: "more",
    must,
    run: (scale) => {
      const count = times(full, scale)
      return millionsPerSecond(count, () => work(count))
    },
  }
}

function garbage(name: string, work: (count: number) => void): Bench {
  return {
    name: `${name}, allocated`,
    unit: "B/op",
    better: "less",
    must: 1,
    run: (scale) => allocatedPerOperation(times(HEADERS / 10, scale), work),
  }
}

export const benches: readonly Bench[] = [
  speed("io header: encode", 5, HEADERS, encode),
  garbage("io header: encode", encode),
  speed("io header: decode", 5, HEADERS, decode),
  garbage("io header: decode", decode),
  speed("group id of a name", 2, NAMES, hash),
]
