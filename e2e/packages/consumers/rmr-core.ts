/**
 * Uses @rmr/core alone: leases memory, refuses what the world does wrong, and decides a start.
 */
import { buddyMemory, decideStart, leaseBytes, type OpenAnswer, RmrError, setOf } from "@rmr/core"

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
expectEqual(decideStart([answer], 2).decide, "wait")
expectEqual(decideStart([answer, { ...answer, slot: 1 }], 2).decide, "start")

function expectEqual<T>(actual: T, expected: T): void {
  if (actual !== expected) throw new Error(`${actual}, not ${expected}`)
}
