/**
 * Every way in which power can go during a log of writes, and what is on the disk then.
 *
 * What a flush covered is there. Of what was written after the last flush a disk may have kept
 * everything, nothing, any part of it in any order, and half of a write; no disk tears a sector.
 *
 * A log says when an operation ended, not when it was asked for. So a write that ended while a
 * flush was under way counts as covered by it; the export that writes these logs does one thing at
 * a time anyway. Writes that overtake flushes are the business of the simulated disks of
 * @rmr/testkit.
 */
import type { SeededRandom } from "../../packages/rmr-testkit/src/world/seeded-random.js"
import type { DiskImage } from "./disk-image.js"
import { FLAG_FLUSH, FLAG_FUA, type LogEntry } from "./write-log.js"

const SECTOR_BYTES = 512

export const LOSSES = ["lost", "kept", "some", "scattered", "torn"] as const
export type Loss = (typeof LOSSES)[number]

/** Power goes when so many entries are over, and this many of the last ones are not flushed. */
export interface PowerCut {
  readonly position: number
  readonly unflushed: readonly LogEntry[]
  /** What is there for certain. */
  readonly durable: DiskImage
}

/** At every flush: just before, and after a part of what came before it. */
export function* powerCuts(
  entries: readonly LogEntry[],
  start: DiskImage,
  random: SeededRandom,
): Generator<PowerCut> {
  const durable = start.copy()
  let from = 0
  for (let at = 0; at <= entries.length; at++) {
    const isEnd = at === entries.length
    if (!isEnd && (entries[at]!.flags & FLAG_FLUSH) === 0) continue
    const unflushed = entries.slice(from, at)
    if (unflushed.length > 1) {
      const count = random.between(1, unflushed.length - 1)
      const part = unflushed.slice(0, count)
      yield { position: from + count, unflushed: part, durable }
    }
    yield { position: at, unflushed, durable }
    for (const entry of unflushed) durable.apply(entry)
    if (!isEnd) durable.apply(entries[at]!)
    from = at + 1
  }
}

/** Power goes when so many entries are over. */
export function cutAt(entries: readonly LogEntry[], start: DiskImage, position: number): PowerCut {
  const flushed = entries.slice(0, position).findLastIndex(({ flags }) => flags & FLAG_FLUSH) + 1
  const durable = start.copy()
  for (const entry of entries.slice(0, flushed)) durable.apply(entry)
  return { position, unflushed: entries.slice(flushed, position), durable }
}

/** The disk behind a power cut. A FUA write is there, as if it had been flushed alone. */
export function imageAfter(cut: PowerCut, loss: Loss, random: SeededRandom): DiskImage {
  const image = cut.durable.copy()
  for (const [nth, entry] of cut.unflushed.entries()) {
    if ((entry.flags & FLAG_FUA) !== 0 || loss === "kept") image.apply(entry)
    else if (loss === "some" && random.chance(0.5)) image.apply(entry)
    else if (loss === "scattered") scatter(image, entry, random)
    else if (loss === "torn") {
      if (nth < cut.unflushed.length - 1) image.apply(entry)
      else image.apply(torn(entry, random))
    }
  }
  return image
}

/** Each sector by itself. */
function scatter(image: DiskImage, entry: LogEntry, random: SeededRandom): void {
  for (let at = 0; at < entry.bytes; at += SECTOR_BYTES) {
    if (random.chance(0.5)) image.apply(pieceOf(entry, at, SECTOR_BYTES))
  }
}

/** Its first sectors, as many as chance will have, never all. */
function torn(entry: LogEntry, random: SeededRandom): LogEntry {
  return pieceOf(entry, 0, random.below(Math.max(1, entry.bytes / SECTOR_BYTES)) * SECTOR_BYTES)
}

function pieceOf(entry: LogEntry, at: number, bytes: number): LogEntry {
  const { offset, flags, data } = entry
  return { offset: offset + at, bytes, flags, data: data.subarray(at, at + bytes) }
}
