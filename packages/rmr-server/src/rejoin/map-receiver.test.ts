/** A map update at the member that returns: what it takes, and what it refuses (M3, P8). */
import {
  ChunkGeometry,
  type ChunkNumber,
  DirtyMap,
  LastIo,
  type MapPages,
  type MapVersion,
  memberId,
  type PoolMetadata,
  RANK_REAL,
} from "@rmr/core"
import { HotExtents } from "../pool/hot-extents.js"
import type { MemberVolume } from "../pool/member-volume.js"
import { PoolMaps } from "../pool/pool-maps.js"
import { MapReceiver, stateOf } from "./map-receiver.js"

const CHUNKS = 10_000
const VIEW: MapVersion = { lineage: "a".repeat(32), epoch: 4, version: 9 }
const OLDER = { ...VIEW, version: 8 }
/** Member 2 returns; member 1 is normal, member 3 is away too. */
const OWN = memberId(2)
const OTHER = memberId(3)

const RECORD = {
  mapVersion: VIEW,
  normal: 0b001,
  members: [1, 2, 3].map((id) => ({ memberId: memberId(id) })),
} as unknown as PoolMetadata

function newVolume(): MemberVolume {
  const geometry = new ChunkGeometry({ chunkSizeBytes: 65_536, mappedSizeBytes: CHUNKS * 65_536 })
  return {
    geometry,
    ownSlot: 1,
    maps: new PoolMaps(1, OWN, CHUNKS),
    lastIo: new LastIo(4),
    hot: new HotExtents({ extentsMax: 8, softLimit: 2, fenceLimit: 3, copyLimit: 4 }),
  }
}

function begun(): { receiver: MapReceiver; volume: MemberVolume } {
  const receiver = new MapReceiver({ nowMs: () => 0 } as never)
  const volume = newVolume()
  receiver.begin(7, RECORD, OWN, volume)
  return { receiver, volume }
}

/** The source's marks about a member. */
function marks(...chunks: readonly number[]): DirtyMap {
  const map = new DirtyMap({ chunkCount: CHUNKS, stamp: { epoch: 4, version: 6 } })
  for (const chunk of chunks) map.mark(chunk as ChunkNumber, RANK_REAL)
  return map
}

function pagesOf(id: typeof OWN, map: DirtyMap): MapPages {
  const records = new Uint8Array(64 * 1024)
  const bytes = map.startExport().write(new DataView(records.buffer), 0, records.length)
  return { memberId: id, records: records.subarray(0, bytes) }
}

const FIRST = { bufferNumber: 0, phase: "pages" } as const

describe("MapReceiver", () => {
  it("M1: its own map only grows, marks about others become what the source has", () => {
    const { receiver, volume } = begun()
    volume.maps.markOwn(1 as ChunkNumber, 1, RANK_REAL)
    const own = marks(5, 9000)
    const other = marks(77)
    receiver.take(7, VIEW, FIRST, [pagesOf(OWN, own), pagesOf(OTHER, other)])
    receiver.endPhase(7, VIEW, "pages", { bufferCount: 1, maps: [] }, [])
    expect([1, 5, 9000].map((chunk) => volume.maps.own.isDirty(chunk as ChunkNumber))).toEqual([
      true,
      true,
      true,
    ])
    const maps = [stateOf(OWN, own), stateOf(OTHER, other)]
    receiver.endPhase(7, VIEW, "last-delta", { bufferCount: 0, maps }, [])
    expect([receiver.isDoneFor(VIEW), receiver.isDoneFor(OLDER)]).toEqual([true, false])
  })

  it("M3: refuses to be done before everything is there, and as the source has it", () => {
    const { receiver } = begun()
    const own = marks(5)
    const maps = [stateOf(OWN, own), stateOf(OTHER, marks())]
    expect(receiver.isDoneFor(VIEW)).toBe(false)
    expect(() => receiver.endPhase(7, VIEW, "pages", { bufferCount: 1, maps: [] }, [])).toThrow(
      "mismatch: 0 of 1 buffers came",
    )
    expect(() => receiver.endPhase(7, VIEW, "last-delta", { bufferCount: 0, maps }, [])).toThrow(
      "mismatch: the map about member 2",
    )
    receiver.take(7, VIEW, { bufferNumber: 0, phase: "last-delta" }, [pagesOf(OWN, own)])
    // The same buffer again is taken for the one that is there.
    receiver.take(7, VIEW, { bufferNumber: 0, phase: "last-delta" }, [pagesOf(OWN, own)])
    receiver.endPhase(7, VIEW, "last-delta", { bufferCount: 1, maps }, [])
    expect(receiver.isDoneFor(VIEW)).toBe(true)
    // The freeze was given up: deltas go on, and what was complete is not any more.
    receiver.take(7, VIEW, { bufferNumber: 0, phase: "delta" }, [pagesOf(OWN, marks(5, 6))])
    expect([receiver.state.state, receiver.isDoneFor(VIEW)]).toEqual(["ready", false])
  })

  it("M3: takes the last pages with the end of their phase, if they are good as a whole", () => {
    const { receiver, volume } = begun()
    const own = marks(5)
    const other = marks(77)
    const maps = [stateOf(OWN, own), stateOf(OTHER, other)]
    const pages = [pagesOf(OWN, own), pagesOf(OTHER, other)]
    const torn = [pages[0]!, { memberId: OTHER, records: new Uint8Array(30).fill(255) }]
    const end = { bufferCount: 0, maps }
    expect(() => receiver.endPhase(7, VIEW, "last-delta", end, torn)).toThrow("bad-message")
    const early = { bufferCount: 1, maps }
    expect(() => receiver.endPhase(7, VIEW, "last-delta", early, pages)).toThrow("mismatch")
    expect([volume.maps.own.isEmpty, receiver.isDoneFor(VIEW)]).toEqual([true, false])
    receiver.endPhase(7, VIEW, "last-delta", end, pages)
    expect([volume.maps.own.count, receiver.isDoneFor(VIEW)]).toEqual([1, true])
  })

  it("I4: knows whether it was flushed in this update, and not in one before", () => {
    const { receiver, volume } = begun()
    receiver.noteFlushed(6)
    expect(receiver.isFlushed).toBe(false)
    receiver.noteFlushed(7)
    expect(receiver.isFlushed).toBe(true)
    receiver.begin(8, RECORD, OWN, volume)
    expect(receiver.isFlushed).toBe(false)
    expect(() => receiver.requireUnderWay(7, VIEW)).toThrow("stale-view")
  })

  it("P8: refuses what is of another update, of another view, or about a normal member", () => {
    const { receiver, volume } = begun()
    const pages = [pagesOf(OWN, marks(5))]
    expect(() => receiver.take(8, VIEW, FIRST, pages)).toThrow("stale-view")
    expect(() => receiver.take(7, OLDER, FIRST, pages)).toThrow("stale-view")
    const normal = [pagesOf(memberId(1), marks(5))]
    expect(() => receiver.take(7, VIEW, FIRST, normal)).toThrow("bad-message")
    const torn = [...pages, { memberId: OTHER, records: new Uint8Array(30).fill(255) }]
    expect(() => receiver.take(7, VIEW, FIRST, torn)).toThrow("bad-message")
    expect(volume.maps.own.isEmpty).toBe(true)
    receiver.end("map-disable")
    expect(() => receiver.take(7, VIEW, FIRST, pages)).toThrow("stale-view")
  })
})
