/** Dirty maps as members answer them, page by page (READ_MAP_BUF). */
import type { MapVersion, MemberId } from "@rmr/core"
import { ACCEPTED, DirtyMap, NO_VIEW, RmrError, slotsOf } from "@rmr/core"
import type { Leg } from "./leg.js"
import type { PoolContext } from "./pool-context.js"

export interface MapReading {
  readonly context: PoolContext
  readonly legs: readonly (Leg | undefined)[]
  readonly mapVersion: MapVersion
  readonly normal: number
  readonly chunkCount: number
}

/** What a member of the view says of itself. */
export function readOwnMap(reading: MapReading, slot: number): Promise<DirtyMap> {
  const { legs, chunkCount } = reading
  const leg = legs[slot]
  if (leg === undefined) throw new RmrError("no-leg", "a leg is gone")
  return readMap(reading, leg, leg.memberId, new DirtyMap({ chunkCount }))
}

/** What any member of the view says of any of these members, which are absent (M1). */
export async function readMarks(
  reading: MapReading,
  absentIds: readonly MemberId[],
): Promise<DirtyMap> {
  const { legs, chunkCount, normal, mapVersion } = reading
  const all = new DirtyMap({ chunkCount })
  await Promise.all(
    slotsOf(normal).map(async (slot) => {
      const leg = legs[slot]
      if (leg === undefined) throw new RmrError("no-leg", "a leg is gone")
      for (const memberId of absentIds) {
        const about = new DirtyMap({ chunkCount, stamp: mapVersion })
        all.merge(await readMap(reading, leg, memberId, about), NO_VIEW)
      }
    }),
  )
  return all
}

async function readMap(
  { context, mapVersion }: MapReading,
  leg: Leg,
  memberId: MemberId,
  into: DirtyMap,
): Promise<DirtyMap> {
  for (let firstPage = 0; ; ) {
    const body = { firstPage, memberId }
    const { commandMs } = context.times
    const reply = await leg.ask("read-map-buf", mapVersion, body, undefined, commandMs, PAGES_ROOM)
    for (const { records } of reply.payload) {
      const view = new DataView(records.buffer, records.byteOffset, records.length)
      if (into.importPages(view, 0, records.length) !== ACCEPTED) {
        throw new RmrError("bad-message", `member ${leg.memberId} sends map pages that are none`)
      }
    }
    if (reply.result.isLast) return into
    firstPage = reply.result.nextPage
  }
}

const PAGES_ROOM = 64 * 1024
