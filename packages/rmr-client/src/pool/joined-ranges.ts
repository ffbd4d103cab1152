/** Byte ranges of an opening view, where there are more than a record may list (R4). */
import type { MutationRange } from "@rmr/core"

/** What a range says that is of no single mutation. */
export const NO_MUTATION = { unit: 0, epoch: 0, sequence: 0 } as const

/** The same bytes and more in at most so many ranges: the smallest gaps are closed first. */
export function joined(ranges: readonly MutationRange[], countMax: number): MutationRange[] {
  const sorted = [...ranges].sort((a, b) => a.offset - b.offset)
  const merged: { offset: number; length: number }[] = []
  for (const { offset, length } of sorted) {
    const before = merged.at(-1)
    if (before !== undefined && offset <= before.offset + before.length) {
      before.length = Math.max(before.length, offset + length - before.offset)
    } else {
      merged.push({ offset, length })
    }
  }
  while (merged.length > countMax) closeSmallestGap(merged)
  return merged.map((range) => ({ kind: "unresolved", ...range, ...NO_MUTATION }))
}

function closeSmallestGap(merged: { offset: number; length: number }[]): void {
  let best = 1
  let bestGap = Number.POSITIVE_INFINITY
  for (let nth = 1; nth < merged.length; nth++) {
    const before = merged[nth - 1]!
    const gap = merged[nth]!.offset - before.offset - before.length
    if (gap < bestGap) {
      best = nth
      bestGap = gap
    }
  }
  const before = merged[best - 1]!
  const after = merged[best]!
  before.length = after.offset + after.length - before.offset
  merged.splice(best, 1)
}
