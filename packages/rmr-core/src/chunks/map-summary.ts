/**
 * The dirty maps of a pool as text, member by member (upstream's `map_summary`).
 *
 * ```
 *   member 1: clean
 *   member 2: 5 of 4096 chunks dirty, 4 real, 1 suspect in flight: 0-2 9 40
 *   member 3: 700 of 4096 chunks dirty, 700 real, absent since view 4.7: 0 2 4 and 697 more
 * ```
 */
import type { MemberId } from "../brand.js"
import { RANK_CACHE_LOST, RANK_IN_FLIGHT, RANK_REAL } from "../rules/rank.js"
import { NO_CHUNK } from "./chunk-geometry.js"
import type { DirtyMap } from "./dirty-map.js"

export interface MemberMap {
  readonly memberId: MemberId
  readonly map: DirtyMap
}

/** How many ranges of chunks a summary names for each member. */
export const SUMMARY_RANGES_DEFAULT = 50

export function mapSummary(
  members: readonly MemberMap[],
  rangesMax: number = SUMMARY_RANGES_DEFAULT,
): string {
  return members
    .map(({ memberId, map }) => `member ${memberId}: ${describe(map, rangesMax)}`)
    .join("\n")
}

function describe(map: DirtyMap, rangesMax: number): string {
  const facts = [map.isEmpty ? "clean" : `${map.count} of ${map.chunkCount} chunks dirty`]
  const counts = [
    [map.countOf(RANK_REAL), "real"],
    [map.countOf(RANK_IN_FLIGHT), "suspect in flight"],
    [map.countOf(RANK_CACHE_LOST), "suspect cache lost"],
  ] as const
  for (const [count, words] of counts) if (count > 0) facts.push(`${count} ${words}`)
  if (!map.isOwn) facts.push(`absent since view ${map.stamp.epoch}.${map.stamp.version}`)
  const list = listOf(map, rangesMax)
  return list === "" ? facts.join(", ") : `${facts.join(", ")}: ${list}`
}

function listOf(map: DirtyMap, rangesMax: number): string {
  const ranges: string[] = []
  let named = 0
  let first = map.nextDirty(0)
  while (first !== NO_CHUNK && ranges.length < rangesMax) {
    const end = map.nextClean(first)
    const next = end === NO_CHUNK ? map.chunkCount : end
    named += next - first
    ranges.push(next - first === 1 ? `${first}` : `${first}-${next - 1}`)
    first = map.nextDirty(next)
  }
  const rest = map.count - named
  if (rest > 0) ranges.push(ranges.length === 0 ? `${rest} in all` : `and ${rest} more`)
  return ranges.join(" ")
}
