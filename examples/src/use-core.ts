/**
 * @rmr/core by itself: names a pool, marks what a member missed, asks whether a pool may start.
 */
import { ChunkGeometry, DirtyMap, decideStart, groupIdOfName, RANK_REAL, setOf } from "@rmr/core"

// The number of a pool in every message: the Linux kernel's jhash of its name.
console.log(groupIdOfName("vm-disks").toString(16)) // => b6f0bda7

// What a member missed since view 1.2 expelled it, in a volume of 64 TiB.
const geometry = new ChunkGeometry({ chunkSizeBytes: 128 * 1024, mappedSizeBytes: 64 * 2 ** 40 })
const missed = new DirtyMap({ chunkCount: geometry.chunkCount, stamp: { epoch: 1, version: 2 } })
missed.mark(geometry.chunkOf(512 * 2 ** 30), RANK_REAL)
console.log(missed.count, missed.nextDirty(0)) // => 1 4194304

// Two members were normal. One of them alone may not start: the other may know more.
const view = { epoch: 1, version: 4, normal: setOf(0, 1) }
const first = { slot: 0, view, seen: view, normalThrough: [view, view] }
console.log(decideStart([first], 1).decide) // => wait
console.log(decideStart([first, { ...first, slot: 1 }], 1).decide) // => start
