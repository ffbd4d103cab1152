/**
 * Reads see completed writes; nothing else is touched, on the medium or in memory.
 */
import { leaseBytes } from "@rmr/core"
import { checkBytes } from "../check.js"
import type { BlockClause, Numbered } from "./clause.js"
import { stamped } from "./content.js"

const GUARD_BYTE = 0x5a

export function readWriteClauses({ promise }: Numbered): BlockClause[] {
  return [
    {
      promise,
      title: "a write is read back, and the blocks beside it are as they were",
      run: async (rig) => {
        const { blockBytes } = rig.io
        const before = stamped(0, 8 * blockBytes, 1)
        await rig.write(0, before)
        const inner = stamped(3 * blockBytes, 2 * blockBytes, 2)
        await rig.write(3 * blockBytes, inner)
        const expected = before.slice()
        expected.set(inner, 3 * blockBytes)
        checkBytes(await rig.read(0, 8 * blockBytes), expected, "the written range")
      },
    },
    {
      promise,
      title: "a block that was read before shows its next version, not the remembered one",
      run: async (rig) => {
        const { blockBytes } = rig.io
        for (let version = 1; version <= 5; version++) {
          const content = stamped(blockBytes, blockBytes, version)
          await rig.write(blockBytes, content)
          checkBytes(await rig.read(blockBytes, blockBytes), content, `version ${version}`)
          checkBytes(await rig.read(blockBytes, blockBytes), content, `version ${version} again`)
        }
      },
    },
    {
      promise,
      title: "the first and the last block of the volume are blocks like all others",
      run: async (rig) => {
        const { blockBytes, sizeBytes } = rig.io
        for (const offset of [0, sizeBytes - blockBytes]) {
          await rig.write(offset, stamped(offset, blockBytes, 1))
        }
        for (const offset of [0, sizeBytes - blockBytes]) {
          const content = await rig.read(offset, blockBytes)
          checkBytes(content, stamped(offset, blockBytes, 1), `the block at ${offset}`)
        }
      },
    },
    {
      promise,
      title: "the longest operation is one operation",
      run: async (rig) => {
        const bytes = Math.min(rig.io.ioBytesMax, rig.io.sizeBytes)
        await rig.write(0, stamped(0, bytes, 1))
        checkBytes(await rig.read(0, bytes), stamped(0, bytes, 1), "the longest write")
      },
    },
    {
      promise,
      title: "many writes of one turn all arrive, wherever they lie",
      run: async (rig) => {
        const { blockBytes, sizeBytes } = rig.io
        const offsets = Array.from({ length: 32 }, (_, nth) => (nth * sizeBytes) / 32)
        for (const offset of offsets) await rig.prepare(offset, blockBytes)
        const writes = offsets.map((offset) =>
          rig.startWrite(offset, stamped(offset, blockBytes, 7)),
        )
        await rig.done(...writes)
        const reads = offsets.map((offset) => rig.startRead(offset, blockBytes))
        for (const [nth, offset] of offsets.entries()) {
          const content = await rig.bytesOf(reads[nth]!, blockBytes)
          checkBytes(content, stamped(offset, blockBytes, 7), `the write at ${offset}`)
        }
      },
    },
    {
      promise,
      title: "a read fills its part of the lease and not a byte around it",
      run: async (rig) => {
        const { blockBytes } = rig.io
        const { memory } = rig.current
        await rig.write(0, stamped(0, blockBytes, 1))
        const lease = rig.lease(3 * blockBytes)
        const bytes = leaseBytes(memory, lease, 0, 3 * blockBytes).fill(GUARD_BYTE)
        await rig.done(rig.start((token) => rig.io.read(token, 0, lease, blockBytes, blockBytes)))
        const expected = new Uint8Array(3 * blockBytes).fill(GUARD_BYTE)
        expected.set(stamped(0, blockBytes, 1), blockBytes)
        checkBytes(bytes, expected, "the lease around the read")
        memory.release(lease)
      },
    },
    {
      promise,
      title: "a write takes its bytes from the middle of a lease, and leaves the lease as it is",
      run: async (rig) => {
        const { blockBytes } = rig.io
        const { memory } = rig.current
        await rig.prepare(0, blockBytes)
        const lease = rig.lease(3 * blockBytes)
        const bytes = leaseBytes(memory, lease, 0, 3 * blockBytes)
        bytes.set(stamped(0, 3 * blockBytes, 1))
        const write = rig.start((token) => rig.io.write(token, 0, lease, blockBytes, blockBytes, 0))
        await rig.done(write)
        checkBytes(bytes, stamped(0, 3 * blockBytes, 1), "the lease of the write")
        const middle = stamped(0, 3 * blockBytes, 1).subarray(blockBytes, 2 * blockBytes)
        checkBytes(await rig.read(0, blockBytes), middle, "the written block")
        memory.release(lease)
      },
    },
    {
      promise,
      title: "what is submitted by hand does not wait for the end of the turn to be done",
      run: async (rig) => {
        const { blockBytes } = rig.io
        await rig.prepare(0, blockBytes)
        const write = rig.startWrite(0, stamped(0, blockBytes, 1))
        rig.io.submit()
        rig.io.submit()
        await rig.done(write)
        checkBytes(await rig.read(0, blockBytes), stamped(0, blockBytes, 1), "the written block")
      },
    },
  ]
}
