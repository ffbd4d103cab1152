/**
 * Memory is held as long as it is needed and not longer; after close nothing is left of a subject.
 */
import { leaseBytes } from "@rmr/core"
import { check, checkBytes, checkEqual } from "../check.js"
import type { BlockClause, Numbered } from "./clause.js"
import { stamped } from "./content.js"
import type { BlockSubject } from "./harness.js"
import type { BlockRig } from "./rig.js"
import type { Started } from "./started.js"

export function leaseClauses({ promise }: Numbered): BlockClause[] {
  return [
    {
      promise,
      title: "a lease is held until its operation completes, though its owner has let it go",
      run: async (rig) => {
        const { blockBytes } = rig.io
        await rig.prepare(0, blockBytes)
        for (let round = 0; round < 8; round++) {
          const lease = rig.lease(blockBytes)
          leaseBytes(rig.current.memory, lease, 0, blockBytes).set(stamped(0, blockBytes, round))
          const write = rig.start((token) => rig.io.write(token, 0, lease, 0, blockBytes, 0))
          rig.current.memory.release(lease)
          await checkHeld(rig, lease, write)
          checkBytes(await rig.read(0, blockBytes), stamped(0, blockBytes, round), "the write")
        }
      },
    },
    {
      promise,
      title: "a read whose owner has gone holds its memory to the end, and then frees it",
      run: async (rig) => {
        const { blockBytes } = rig.io
        for (let round = 0; round < 8; round++) {
          const lease = rig.lease(blockBytes)
          const read = rig.start((token) => rig.io.read(token, 0, lease, 0, blockBytes))
          rig.current.memory.release(lease)
          await checkHeld(rig, lease, read)
        }
      },
    },
    {
      promise,
      title: "a refused operation gives its lease back too",
      run: async (rig) => {
        const { blockBytes, sizeBytes } = rig.io
        const lease = rig.lease(blockBytes)
        const read = rig.start((token) => rig.io.read(token, sizeBytes, lease, 0, blockBytes))
        const write = rig.start((token) => rig.io.write(token, 1, lease, 0, blockBytes, 0))
        rig.current.memory.release(lease)
        await rig.outcome(read)
        await rig.outcome(write)
        check(!rig.isLive(lease), "the lease of refused operations to be free")
      },
    },
  ]
}

/** Live in every step before the completion; free after it. */
async function checkHeld(
  rig: BlockRig<BlockSubject>,
  lease: Started["lease"],
  started: Started,
): Promise<void> {
  const isSound = (): boolean => started.isDone || rig.isLive(lease)
  await rig.harness.waiting.until(() => {
    check(isSound(), "the lease to be held until its completion")
    return started.isDone
  }, "completion of an operation without owner")
  check(!rig.isLive(lease), "the lease to be free after its completion")
}

export function leakClauses({ promise }: Numbered): BlockClause[] {
  return [
    {
      promise,
      title: "after close there is no timer, no lease and no lock",
      run: async (rig) => {
        const { blockBytes } = rig.io
        for (let life = 1; life <= 3; life++) {
          const { clock, memory } = rig.current
          await rig.write(0, stamped(0, 4 * blockBytes, life))
          const read = rig.startRead(0, 4 * blockBytes)
          const flush = rig.startFlush()
          await rig.settled(rig.io.close(), "end of closing")
          memory.release(read.lease)
          checkEqual(clock.pendingCount, 0, "timers after close")
          checkEqual(memory.stats().leaseCount, 0, "leases after close")
          await rig.done(flush)
          await rig.reopen()
        }
      },
    },
    {
      promise,
      title: "an idle subject that is closed at once leaves nothing either",
      run: async (rig) => {
        const { clock, memory } = rig.current
        await rig.close()
        checkEqual(clock.pendingCount, 0, "timers after close")
        checkEqual(memory.stats().leaseCount, 0, "leases after close")
      },
    },
    {
      promise,
      title: "an operation on a closed subject leaves nothing once it is refused",
      run: async (rig) => {
        const { clock, memory } = rig.current
        const { blockBytes } = rig.io
        await rig.settled(rig.io.close(), "end of closing")
        const lease = rig.lease(blockBytes)
        const read = rig.start((token) => rig.io.read(token, 0, lease, 0, blockBytes))
        memory.release(lease)
        rig.checkStatus(await rig.outcome(read), "closed", "a read after close")
        checkEqual(memory.stats().leaseCount, 0, "leases after a refused read")
        checkEqual(clock.pendingCount, 0, "timers after a refused read")
      },
    },
  ]
}
