/**
 * Opening the sums of a store: which of those at their places are true.
 *
 * Those of extents that the log calls cold are, whatever happened. Those of hot extents are after a
 * close that has saved them, and not after a crash: a write may have been under way. Where nobody
 * knows what was hot, no slot of now is believed again, in this life or any later one.
 */
import { DataSums } from "./data-sums.js"
import type { MetaIo } from "./meta-io.js"
import type { StoreContent } from "./store-content.js"
import { SumsSlots } from "./sums-slots.js"
import { hasSums, type Superblock } from "./superblock.js"

/**
 * What a superblock says of sums while the store is open: what it was closed with is over, and a
 * hot set that cannot be read makes all slots say nothing.
 */
export function sumsWhileOpen(
  { sumsFrom }: Superblock,
  { isHotDamaged, log }: StoreContent,
): Pick<Superblock, "sumsFrom" | "areSumsSaved"> {
  // A slot is as new as the frame after the last one of its time.
  const next = isHotDamaged ? Math.max(sumsFrom, log.lastSequence + 2) : sumsFrom
  return { sumsFrom: next, areSumsSaved: false }
}

/** `block` is the superblock that was found, `now` the one of the store that is open. */
export async function openSums(
  io: MetaIo,
  block: Superblock,
  now: Superblock,
  { hot, isHotDamaged }: StoreContent,
): Promise<DataSums | undefined> {
  if (!hasSums(block)) return undefined
  const sums = new DataSums(new SumsSlots(io, now))
  if (block.isClean && block.areSumsSaved && !isHotDamaged) await sums.track(hot)
  else sums.trackUnknown(hot)
  return sums
}
