/**
 * Map pages in transit: the payload of SEND_MAP_BUF, MAP_BUF_DONE and of READ_MAP_BUF's answer.
 *
 * What a page looks like belongs to the dirty map (chunks/map-page-codec.ts): which page it is, the
 * stamp that decides whether it still means anything (M1, M2), and its marks are in the bytes that
 * a map exports and imports. Here they are only told whose map they are of.
 *
 * ```
 *   | head 8 | records of one map | head 8 | records of the next map | …
 * ```
 */
import { assert } from "../assert.js"
import type { MemberId } from "../brand.js"
import {
  CHUNK_BYTES_MIN,
  MAP_BUF_BYTES_MAX,
  MAP_PAGE_CHUNKS,
  MEMBERS_MAX,
  VOLUME_BYTES_MAX,
} from "../limits.js"
import { DIGEST, type Digest, integer, MEMBER_ID, reserved, U64 } from "./field-types.js"
import { type Struct, struct } from "./layout.js"
import type { PayloadCodec } from "./payload.js"
import { Refused } from "./refusal.js"
import { bytesOf } from "./tails.js"

/** Pages of the largest map: every chunk of the largest volume at the smallest chunk size. */
export const MAP_PAGES_MAX: number = VOLUME_BYTES_MAX / CHUNK_BYTES_MIN / MAP_PAGE_CHUNKS

/** Pages of one map, as the map exported them. */
export interface MapPages {
  /** Whose missing chunks they are about. */
  readonly memberId: MemberId
  readonly records: Uint8Array
}

interface MapPagesHead {
  readonly memberId: MemberId
  readonly recordBytes: number
}

export const MAP_PAGES_HEAD: Struct<MapPagesHead> = struct<MapPagesHead>("map pages head", 8, [
  ["recordBytes", 0, integer("u32", 4, 1, MAP_BUF_BYTES_MAX - 8), "length of what follows"],
  ["memberId", 4, MEMBER_ID, "whose missing chunks they are about; ascending in a buffer"],
  ["reserved", 5, reserved(3), "must be zero"],
])

/** Members ascend, so that none is there twice. What is read looks into the payload. */
export const MAP_PAGES_PAYLOAD: PayloadCodec<readonly MapPages[]> = {
  name: "map pages",
  bytesMax: MAP_BUF_BYTES_MAX,
  layouts: [MAP_PAGES_HEAD],
  bytesOf: (maps) =>
    maps.reduce((bytes, { records }) => bytes + MAP_PAGES_HEAD.bytes + records.length, 0),
  read: readMapPages,
  write(view, at, maps) {
    let position = at
    for (const { memberId, records } of maps) {
      const head = { memberId, recordBytes: records.length }
      position += MAP_PAGES_HEAD.write(view, position, head)
      bytesOf(view, position, records.length).set(records)
      position += records.length
    }
    assert(position - at <= MAP_BUF_BYTES_MAX, `a buffer has at most ${MAP_BUF_BYTES_MAX} bytes`)
  },
}

/** How a map stands at one end of an update, for the other end to compare (M3). */
export interface MapState {
  readonly digest: Digest
  readonly dirtyChunks: number
  readonly memberId: MemberId
}

export const MAP_STATE: Struct<MapState> = struct<MapState>("map state", 28, [
  ["digest", 0, DIGEST, "of the whole map: counts, stamps and pages"],
  ["dirtyChunks", 16, U64, "how many chunks it marks"],
  ["memberId", 24, MEMBER_ID, "whose missing chunks it is about"],
  ["reserved", 25, reserved(3), "must be zero"],
])

/** Undefined where members ascend. */
export function refuseMapStates(states: readonly MapState[], where: string): Refused | undefined {
  for (let index = 1; index < states.length; index++) {
    if (states[index]!.memberId <= states[index - 1]!.memberId) {
      return new Refused("members", `${where}.${index}`)
    }
  }
  return undefined
}

function readMapPages(view: DataView, at: number, bytes: number): readonly MapPages[] | Refused {
  const maps: MapPages[] = []
  let position = at
  const end = at + bytes
  while (position < end) {
    const where = `${maps.length}`
    if (maps.length === MEMBERS_MAX) return new Refused("count")
    if (position + MAP_PAGES_HEAD.bytes > end) return new Refused("short", where)
    const head = MAP_PAGES_HEAD.read(view, position, MAP_PAGES_HEAD.bytes)
    if (head instanceof Refused) return head.in(where)
    position += MAP_PAGES_HEAD.bytes
    if (position + head.recordBytes > end) return new Refused("short", where)
    const before = maps.at(-1)
    if (before !== undefined && head.memberId <= before.memberId) {
      return new Refused("members", where)
    }
    maps.push({ memberId: head.memberId, records: bytesOf(view, position, head.recordBytes) })
    position += head.recordBytes
  }
  return maps
}
