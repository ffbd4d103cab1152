/**
 * CRC-32C by the fastest means there are here: an instruction of the processor, or plain
 * JavaScript.
 *
 * Calling out of JavaScript costs as much as summing a hundred bytes in it, so short ranges stay
 * here. Longer ones of an arena are named to the addon by numbers (arena-slots.ts, native/sums.c);
 * those of any other memory by their view, which costs more and pays off later. The README of this
 * package has the table behind both limits. Which means was used does not show in any result.
 */
import {
  assertSumsFit,
  type BlockChecksums,
  blockChecksumsBy,
  type Checksum,
  crc32c,
} from "@rmr/core"
import { NO_SLOT, slotOfView } from "./arena-slots.js"
import { type NativeAddon, nativeAddon } from "./native-addon.js"

const ARENA_BYTES_MIN = 128
const VIEW_BYTES_MIN = 256

let native: Checksum | undefined
let nativeBlocks: BlockChecksums | undefined

/** For payloads: the same results as `crc32c` of @rmr/core. */
export function fastChecksum(): Checksum {
  const addon = nativeAddon()
  if (addon === undefined) return crc32c
  native ??= nativeChecksum(addon)
  return native
}

/** For payloads that are summed block by block: the same results as `fastChecksum` for each. */
export function fastBlockChecksums(): BlockChecksums {
  const addon = nativeAddon()
  if (addon === undefined) return blockChecksumsBy(crc32c)
  nativeBlocks ??= nativeBlockChecksums(addon)
  return nativeBlocks
}

/** For headers and the like, whose length is known to be short, `crc32c` itself is the best. */
export function nativeChecksum(addon: NativeAddon): Checksum {
  const job = new Float64Array(addon.job, 0, 3)
  const sum = new Uint32Array(addon.job, 3 * Float64Array.BYTES_PER_ELEMENT, 1)
  return (view, at, bytes) => {
    // What is outside of the view is refused by JavaScript, in the same words as ever.
    const isInside = at >= 0 && at + bytes <= view.byteLength
    if (bytes < ARENA_BYTES_MIN || !isInside) return crc32c(view, at, bytes)
    const slot = slotOfView(view)
    if (slot === NO_SLOT) {
      return bytes < VIEW_BYTES_MIN ? crc32c(view, at, bytes) : addon.sumOfView(view, at, bytes)
    }
    job[0] = slot
    job[1] = view.byteOffset + at
    job[2] = bytes
    addon.sumOfSlot()
    return sum[0]!
  }
}

/** One call out of JavaScript for all blocks; a single one has an easier way. */
export function nativeBlockChecksums(addon: NativeAddon): BlockChecksums {
  const job = new Float64Array(addon.job, 0, 3)
  const one = nativeChecksum(addon)
  const oneByOne = blockChecksumsBy(one)
  return (view, at, blockBytes, count, sums, from) => {
    assertSumsFit(sums, from, count)
    if (count === 1) {
      sums[from] = one(view, at, blockBytes)
      return
    }
    const isInside = at >= 0 && blockBytes >= 0 && at + count * blockBytes <= view.byteLength
    if (count === 0 || !isInside) {
      oneByOne(view, at, blockBytes, count, sums, from)
      return
    }
    const slot = slotOfView(view)
    if (slot === NO_SLOT) {
      addon.sumBlocksOfView(view, at, blockBytes, sums, from, count)
      return
    }
    job[0] = slot
    job[1] = view.byteOffset + at
    job[2] = blockBytes
    addon.sumBlocksOfSlot(sums, from, count)
  }
}
