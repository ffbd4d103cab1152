/**
 * `zero`: afterwards the range reads zero, whatever the flags; with unmap it also gives space back.
 */
import { BLOCK_FUA, BLOCK_UNMAP } from "@rmr/core"
import { check, checkBytes, checkEqual } from "../check.js"
import type { BlockClause, Numbered } from "./clause.js"
import { stamped, zeroes } from "./content.js"

export function zeroClauses({ promise }: Numbered): BlockClause[] {
  return [
    {
      promise,
      title: "a zeroed range reads zero, and the blocks beside it are as they were",
      run: async (rig) => {
        const { blockBytes } = rig.io
        const flagSets = [0, BLOCK_UNMAP, ...(rig.hasForcedUnitAccess ? [BLOCK_FUA] : [])]
        for (const flags of flagSets) {
          const expected = stamped(0, 8 * blockBytes, flags)
          await rig.write(0, expected)
          await rig.zero(2 * blockBytes, 3 * blockBytes, flags)
          expected.fill(0, 2 * blockBytes, 5 * blockBytes)
          checkBytes(await rig.read(0, 8 * blockBytes), expected, `a zero with flags ${flags}`)
        }
      },
    },
    {
      promise,
      title: "zeroes that were made durable stay zero after a power cut",
      needs: ["powerCut"],
      run: async (rig) => {
        const span = 16 * rig.io.blockBytes
        await rig.write(0, stamped(0, 2 * span, 1))
        await rig.flush()
        await rig.zero(0, span, BLOCK_UNMAP)
        await rig.zero(span, span)
        await rig.flush()
        await rig.powerCut()
        await rig.open()
        checkBytes(await rig.read(0, 2 * span), zeroes(2 * span), "flushed zeroes")
      },
    },
    {
      promise,
      title: "an unmapped range gives its space back where supports.unmap says so",
      needs: ["allocatedBytes"],
      run: async (rig) => {
        const bytes = rig.shape.extentBytes
        await rig.write(0, stamped(0, 2 * bytes, 1))
        const full = await rig.power("allocatedBytes")()
        await rig.zero(0, bytes, BLOCK_UNMAP)
        const left = await rig.power("allocatedBytes")()
        if (rig.io.supports.unmap)
          check(left <= full - bytes / 2, "most of the space to be given back")
        else checkEqual(left, full, "space that cannot be given back")
        checkBytes(await rig.read(bytes, bytes), stamped(bytes, bytes, 1), "the range beside it")
      },
    },
    {
      promise,
      title: "an unmapped range can be written again",
      run: async (rig) => {
        const { blockBytes } = rig.io
        await rig.write(0, stamped(0, 4 * blockBytes, 1))
        await rig.zero(0, 4 * blockBytes, BLOCK_UNMAP)
        await rig.write(blockBytes, stamped(blockBytes, blockBytes, 2))
        const expected = zeroes(4 * blockBytes)
        expected.set(stamped(blockBytes, blockBytes, 2), blockBytes)
        checkBytes(await rig.read(0, 4 * blockBytes), expected, "a block written after unmap")
      },
    },
  ]
}
