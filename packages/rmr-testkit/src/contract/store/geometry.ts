/**
 * S1, S2: what a store adds to the geometry of block io, and that nothing was there before.
 */
import { BLOCK_UNMAP, leaseBytes, VOLUME_BLOCK_BYTES } from "@rmr/core"
import type { RigClause } from "../block-io/clause.js"
import { stamped, zeroes } from "../block-io/content.js"
import { check, checkBytes, checkEqual } from "../check.js"
import type { StoreRig } from "./rig.js"

export const storeGeometryClauses: readonly RigClause<StoreRig>[] = [
  {
    promise: "S1",
    title: "extents are aligned, and as many can be hot as were asked for",
    run: async (rig) => {
      const { extentBytes, hotExtentsMax, hotExtentsSoft, mapPagesMax } = rig.io.geometry
      check((extentBytes & (extentBytes - 1)) === 0, "extentBytes to be a power of two")
      checkEqual(extentBytes % VOLUME_BLOCK_BYTES, 0, "bytes of an extent beside whole blocks")
      checkEqual(rig.io.sizeBytes % VOLUME_BLOCK_BYTES, 0, "bytes of a volume beside whole blocks")
      checkEqual(extentBytes, rig.shape.extentBytes, "extentBytes")
      checkEqual(hotExtentsMax, rig.shape.hotExtentsMax, "hotExtentsMax")
      check(
        hotExtentsSoft >= 1 && hotExtentsSoft <= hotExtentsMax,
        "a soft limit inside the hard one",
      )
      check(mapPagesMax >= 1, "a map to have a page")
    },
  },
  {
    promise: "S1",
    title: "the geometry of the store stays the same under load and after reopening",
    run: async (rig) => {
      const before = JSON.stringify(rig.io.geometry)
      await rig.write(0, stamped(0, 4 * rig.io.blockBytes, 1))
      await rig.commit([{ kind: "state", index: 0, bytes: stamped(0, 64, 1) }])
      check(Object.isFrozen(rig.io.geometry), "geometry to be frozen")
      checkEqual(JSON.stringify(rig.io.geometry), before, "geometry under load")
      await rig.reopen()
      checkEqual(JSON.stringify(rig.io.geometry), before, "geometry after reopening")
    },
  },
]

export const unwrittenClauses: readonly RigClause<StoreRig>[] = [
  {
    promise: "S2",
    title: "a fresh volume reads zero, into memory that does not",
    run: async (rig) => {
      const { memory } = rig.current
      const bytes = Math.min(rig.io.sizeBytes, rig.io.ioBytesMax)
      const lease = rig.lease(bytes)
      const into = leaseBytes(memory, lease, 0, bytes).fill(0xee)
      await rig.done(rig.start((token) => rig.io.read(token, 0, lease, 0, bytes)))
      checkBytes(into, zeroes(bytes), "a fresh volume")
      memory.release(lease)
    },
  },
  {
    promise: "S2",
    title: "what lies between written blocks reads zero, also after reopening",
    run: async (rig) => {
      const { blockBytes, sizeBytes } = rig.io
      const expected = zeroes(sizeBytes)
      for (let offset = blockBytes; offset < sizeBytes; offset += 16 * blockBytes) {
        const content = stamped(offset, blockBytes, 1)
        await rig.write(offset, content)
        expected.set(content, offset)
      }
      checkBytes(await rig.readAll(), expected, "a sparse volume")
      await rig.reopen()
      checkBytes(await rig.readAll(), expected, "a sparse volume after reopening")
    },
  },
  {
    promise: "S2",
    title: "bytes that growing added read zero",
    run: async (rig) => {
      const { sizeBytes } = rig.io
      await rig.write(0, stamped(0, rig.shape.extentBytes, 1))
      await rig.zero(0, rig.shape.extentBytes, BLOCK_UNMAP)
      await rig.settled(rig.io.grow(2 * sizeBytes), "end of growing")
      checkBytes(await rig.readAll(), zeroes(2 * sizeBytes), "a volume that has grown")
    },
  },
]
