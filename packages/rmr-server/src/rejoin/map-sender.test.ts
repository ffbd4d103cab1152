/** A map update from its source to its receiver: in how many messages, and that nothing is lost. */
import {
  ChunkGeometry,
  type ChunkNumber,
  type CommandOf,
  LastIo,
  MAP_BUF_BYTES_MAX,
  MAP_PAGE_CHUNKS,
  MAP_PAGES_PAYLOAD,
  type MapPages,
  type MapVersion,
  memberId,
  type PoolMetadata,
  RANK_IN_FLIGHT,
  RANK_REAL,
} from "@rmr/core"
import { HotExtents } from "../pool/hot-extents.js"
import type { MemberVolume } from "../pool/member-volume.js"
import { PoolMaps } from "../pool/pool-maps.js"
import type { Peers } from "../sync/peers.js"
import { MapReceiver } from "./map-receiver.js"
import { MapSender } from "./map-sender.js"

const PAGES = 60
const CHUNKS = PAGES * MAP_PAGE_CHUNKS
const VIEW: MapVersion = { lineage: "a".repeat(32), epoch: 4, version: 9 }
const EXPELLED = { epoch: 4, version: 6 }
/** Member 1 is the source, member 2 returns, members 3 and 4 stay away. */
const RECORD = {
  mapVersion: VIEW,
  normal: 0b0001,
  members: [1, 2, 3, 4].map((id) => ({
    memberId: memberId(id),
    normalThrough: { epoch: 4, version: 5 },
  })),
} as unknown as PoolMetadata

function volumeOf(slot: number): MemberVolume {
  const geometry = new ChunkGeometry({ chunkSizeBytes: 65_536, mappedSizeBytes: CHUNKS * 65_536 })
  return {
    geometry,
    ownSlot: slot,
    maps: new PoolMaps(slot, memberId(slot + 1), CHUNKS),
    lastIo: new LastIo(4),
    hot: new HotExtents({ extentsMax: 8, softLimit: 2, fenceLimit: 3, copyLimit: 4 }),
  }
}

type Told = CommandOf<"send-map-buf"> | CommandOf<"map-buf-done">

function pair() {
  const source = volumeOf(0)
  for (const slot of [1, 2, 3]) source.maps.rebirth(slot, memberId(slot + 1), EXPELLED, CHUNKS)
  const target = volumeOf(1)
  const receiver = new MapReceiver({ nowMs: () => 0 } as never)
  receiver.begin(7, RECORD, memberId(2), target)
  const told: { kind: Told["kind"]; bytes: number }[] = []
  const peers = {
    tell(_to: unknown, kind: Told["kind"], view: MapVersion, body: never, payload: MapPages[]) {
      told.push({ kind, bytes: MAP_PAGES_PAYLOAD.bytesOf(payload) })
      const { phase } = body as { phase: "pages" }
      if (kind === "send-map-buf") receiver.take(7, view, body, payload)
      else receiver.endPhase(7, view, phase, body, payload)
      return Promise.resolve()
    },
  } as unknown as Peers
  const options = { update: 7, record: RECORD, receiver: memberId(2), volume: source, peers }
  return { source, target, receiver, told, sender: new MapSender(options) }
}

describe("MapSender", () => {
  it("M3: sends all maps in full buffers, and what is left with the end of the phase", async () => {
    const { source, target, receiver, told, sender } = pair()
    for (let chunk = 0; chunk < CHUNKS; chunk++) {
      // Bytes that no record packs well, about each of them.
      const bits = (chunk * 2_654_435_761) >>> 11
      const rank = (bits & 1) === 0 ? RANK_REAL : RANK_IN_FLIGHT
      if ((bits & 6) !== 0) source.maps.markFor(0b1110, chunk as ChunkNumber, 1, rank)
    }
    const { bufferCount } = await sender.send("pages")
    expect(bufferCount).toBeGreaterThan(2)
    expect(told.map(({ kind }) => kind)).toEqual([
      ...Array.from({ length: bufferCount }, () => "send-map-buf"),
      "map-buf-done",
    ])
    const sizes = told.map(({ bytes }) => bytes)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(Math.min(MAP_BUF_BYTES_MAX, 64 * 1024))
    expect(Math.min(...sizes.slice(0, -1))).toBeGreaterThan(48 * 1024)
    await sender.send("last-delta")
    expect(receiver.isDoneFor(VIEW)).toBe(true)
    expect(target.maps.own.count).toBe(source.maps.about(1)?.count)
    expect(target.maps.about(2)?.digest()).toBe(source.maps.about(2)?.digest())
    expect(target.maps.about(3)?.digest()).toBe(source.maps.about(3)?.digest())
  })

  it("P9: a short delta is one message, about however many members", async () => {
    const { source, target, receiver, told, sender } = pair()
    await sender.send("pages")
    source.maps.markFor(0b1110, 5 as ChunkNumber, 1, RANK_REAL)
    source.maps.markFor(0b1110, (CHUNKS - 1) as ChunkNumber, 1, RANK_REAL)
    told.length = 0
    await sender.send("last-delta")
    expect(told.map(({ kind }) => kind)).toEqual(["map-buf-done"])
    expect([receiver.isDoneFor(VIEW), target.maps.own.count]).toEqual([true, 2])
  })
})
