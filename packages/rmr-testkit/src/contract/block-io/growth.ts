/**
 * Geometry: aligned, constant, the same after reopening; only `grow` changes the size, upwards.
 */
import { BLOCK_BYTES_MIN, VOLUME_BLOCK_BYTES } from "@rmr/core"
import { check, checkBytes, checkEqual, checkFails } from "../check.js"
import type { BlockClause, Numbered } from "./clause.js"
import { stamped } from "./content.js"
import type { BlockSubject } from "./harness.js"

export function geometryClauses({ promise }: Numbered): BlockClause[] {
  return [
    {
      promise,
      title: "geometry is aligned and large enough to work with",
      run: async (rig) => {
        const { io } = rig
        check(isPowerOfTwo(io.blockBytes), "blockBytes to be a power of two")
        check(isPowerOfTwo(io.atomicBytes), "atomicBytes to be a power of two")
        check(io.blockBytes <= VOLUME_BLOCK_BYTES, "blocks of at most 4 KiB")
        check(io.atomicBytes >= BLOCK_BYTES_MIN, "atomic units of at least 512 bytes")
        check(io.blockBytes % io.atomicBytes === 0, "a block to have whole atomic units")
        check(io.ioBytesMax % io.blockBytes === 0, "the longest operation to have whole blocks")
        check(io.ioBytesMax >= rig.shape.extentBytes, "an operation to be as long as an extent")
        check(io.inFlightMax >= 64, "64 operations to be in flight")
        check(io.sizeBytes >= rig.shape.sizeBytes, "the size that was asked for")
        checkEqual(io.sizeBytes % io.blockBytes, 0, "bytes beside whole blocks")
      },
    },
    {
      promise,
      title: "geometry and capabilities stay the same under load, and after reopening",
      run: async (rig) => {
        const before = geometryOf(rig.io)
        const { blockBytes } = rig.io
        await rig.write(0, stamped(0, 8 * blockBytes, 1))
        await rig.flush()
        checkEqual(geometryOf(rig.io), before, "geometry under load")
        check(Object.isFrozen(rig.io.supports), "supports to be frozen")
        await rig.reopen()
        checkEqual(geometryOf(rig.io), before, "geometry after reopening")
      },
    },
  ]
}

export function growClauses({ promise }: Numbered): BlockClause[] {
  return [
    {
      promise,
      title: "what has grown is larger while open and after reopening, and keeps its content",
      run: async (rig) => {
        const { blockBytes, sizeBytes } = rig.io
        const grownBytes = sizeBytes + 16 * VOLUME_BLOCK_BYTES
        await rig.write(sizeBytes - blockBytes, stamped(0, blockBytes, 1))
        await rig.settled(rig.io.grow(grownBytes), "end of growing")
        checkEqual(rig.io.sizeBytes, grownBytes, "the size after growing")
        await rig.write(grownBytes - blockBytes, stamped(0, blockBytes, 2))
        await rig.reopen()
        checkEqual(rig.io.sizeBytes, grownBytes, "the size after reopening")
        const old = await rig.read(sizeBytes - blockBytes, blockBytes)
        checkBytes(old, stamped(0, blockBytes, 1), "the last block of the old size")
        const last = await rig.read(grownBytes - blockBytes, blockBytes)
        checkBytes(last, stamped(0, blockBytes, 2), "the last block of the new size")
      },
    },
    {
      promise,
      title: "growing is durable at once",
      needs: ["powerCut"],
      run: async (rig) => {
        const grownBytes = rig.io.sizeBytes + 16 * VOLUME_BLOCK_BYTES
        await rig.settled(rig.io.grow(grownBytes), "end of growing")
        await rig.powerCut()
        await rig.open()
        checkEqual(rig.io.sizeBytes, grownBytes, "the size after a power cut")
      },
    },
    {
      promise,
      title: "a size that is there already is no change",
      run: async (rig) => {
        const { sizeBytes } = rig.io
        for (const asked of [sizeBytes, sizeBytes - VOLUME_BLOCK_BYTES, VOLUME_BLOCK_BYTES]) {
          await rig.settled(rig.io.grow(asked), "end of growing")
          checkEqual(rig.io.sizeBytes, sizeBytes, `the size after growing to ${asked}`)
        }
      },
    },
    {
      promise,
      title: "growing beyond the medium fails with no-space and changes nothing",
      run: async (rig) => {
        const { blockBytes, sizeBytes } = rig.io
        const asked = rig.shape.mediumBytes + 1024 * rig.shape.extentBytes
        const growing = rig.settled(rig.io.grow(asked), "end of growing")
        await checkFails(growing, "no-space", "growing beyond the medium")
        checkEqual(rig.io.sizeBytes, sizeBytes, "the size")
        const write = rig.startRead(sizeBytes, blockBytes)
        rig.checkStatus(await rig.outcome(write), "invalid-range", "a read past the end")
        rig.current.memory.release(write.lease)
      },
    },
  ]
}

function geometryOf(io: BlockSubject): string {
  const { sizeBytes, blockBytes, atomicBytes, ioBytesMax, inFlightMax, supports } = io
  return JSON.stringify([sizeBytes, blockBytes, atomicBytes, ioBytesMax, inFlightMax, supports])
}

function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(value) && value > 0 && (value & (value - 1)) === 0
}
