/**
 * Uses @rmr/core alone: names a group, marks and scans a dirty map, leases memory, refuses what the
 * world does wrong, and decides a start.
 */
import {
  buddyMemory,
  ChunkGeometry,
  chunkNumber,
  DirtyMap,
  decideStart,
  groupIdOfName,
  leaseBytes,
  type OpenAnswer,
  RANK_REAL,
  RmrError,
  setOf,
} from "@rmr/core"

// What the kernel's own jhash answers for this name.
expectEqual(groupIdOfName("hovCJQX"), 2_595_246_036)

const TIB = 2 ** 40
const geometry = new ChunkGeometry({ chunkSizeBytes: 128 * 1024, mappedSizeBytes: 64 * TIB })
const map = new DirtyMap({ chunkCount: geometry.chunkCount })
map.mark(chunkNumber(geometry.chunkCount - 1), RANK_REAL)
expectEqual(map.count, 1)
map.clear(chunkNumber(geometry.chunkCount - 1))
expectEqual(map.isEmpty, true)

const memory = buddyMemory({ arenas: [64 * 1024], leaseCountMax: 16 })
const lease = memory.lease(5000)
leaseBytes(memory, lease, 0, 5000).fill(7)
expectEqual(memory.stats().leaseCount, 1)
memory.release(lease)
memory.assertNoLeases()

const refused = RmrError.ofStatus(12, "epoch 3 is over")
expectEqual(`${refused.code} ${refused instanceof Error}`, "fenced true")

// Two of three members had the last view; one of them alone may not start without the other.
const view = { epoch: 1, version: 4, normal: setOf(0, 1) }
const answer: OpenAnswer = { slot: 0, view, seen: view, normalThrough: [view, view, view] }
expectEqual(decideStart([answer], 1).decide, "wait")
expectEqual(decideStart([answer, { ...answer, slot: 1 }], 1).decide, "start")

function expectEqual<T>(actual: T, expected: T): void {
  if (actual !== expected) throw new Error(`${actual}, not ${expected}`)
}
