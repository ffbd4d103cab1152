/**
 * MapSender: a map update at its source, a normal member that tells another what it missed (M3).
 *
 * It sends its marks about the receiver, and about every other absent member, page by page, while
 * IO goes on and marks more; each later phase sends what has changed since. The last one is asked
 * for while IO stands still, and tells the receiver how the maps are then.
 */
import type {
  MapExport,
  MapPages,
  MapPhase,
  MapSent,
  MapState,
  MapVersion,
  MemberEntry,
  MemberId,
  PoolMetadata,
} from "@rmr/core"
import {
  MAP_BUF_BYTES_MAX,
  MAP_PAGES_HEAD,
  MAP_RECORD_BYTES_MAX,
  RmrError,
  slotsOf,
} from "@rmr/core"
import { absentOf } from "../pool/member.js"
import type { MemberVolume } from "../pool/member-volume.js"
import type { Peers } from "../sync/peers.js"
import { absentSlot, stateOf } from "./map-receiver.js"

/** Of one buffer: less than it may have, so that any transport takes it. */
const BUFFER_BYTES = Math.min(MAP_BUF_BYTES_MAX, 64 * 1024)

interface Sent {
  readonly bufferCount: number
  readonly unsent: readonly MapPages[]
}

interface AboutOne {
  readonly memberId: MemberId
  readonly slot: number
  readonly pages: MapExport
}

export interface MapSenderOptions {
  readonly update: number
  readonly record: PoolMetadata
  readonly receiver: MemberId
  readonly volume: MemberVolume
  readonly peers: Peers
}

export class MapSender {
  readonly update: number
  readonly view: MapVersion
  private readonly volume: MemberVolume
  private readonly peers: Peers
  private readonly to: MemberEntry
  /** Ascending by member. */
  private readonly about: readonly AboutOne[]
  private readonly bytes = new Uint8Array(BUFFER_BYTES)
  private isSending = false

  constructor({ update, record, receiver, volume, peers }: MapSenderOptions) {
    this.update = update
    this.view = record.mapVersion
    this.volume = volume
    this.peers = peers
    this.to = record.members[absentSlot(record, receiver)]!
    this.about = slotsOf(absentOf(record))
      .map((slot) => exportOf(record, slot, volume))
      .sort((a, b) => a.memberId - b.memberId)
  }

  /** Sends a phase; fulfilled when the receiver has all of it. */
  async send(phase: MapPhase): Promise<MapSent> {
    if (this.isSending) throw new RmrError("busy", "a phase of this update is being sent")
    this.isSending = true
    try {
      const { bufferCount, unsent } = await this.sendPages(phase)
      const isLast = phase === "last-delta"
      const maps = isLast ? this.about.map((one) => this.stateOf(one)) : []
      const { update, view, to } = this
      const body = { update, bufferCount, phase, maps }
      await this.peers.tell(to, "map-buf-done", view, body, unsent)
      return { bufferCount }
    } finally {
      this.isSending = false
    }
  }

  /** Sends full buffers. What is left of the phase, often all of it, goes with its end. */
  private async sendPages(phase: MapPhase): Promise<Sent> {
    const { bytes, peers, update, view, to } = this
    const words = new DataView(bytes.buffer)
    let bufferCount = 0
    let unsent: MapPages[] = []
    let used = 0
    for (const { memberId, pages } of this.about) {
      pages.begin()
      for (;;) {
        const room = bytes.length - used - MAP_PAGES_HEAD.bytes
        if (room < MAP_RECORD_BYTES_MAX) {
          const body = { update, bufferNumber: bufferCount++, phase }
          await peers.tell(to, "send-map-buf", view, body, unsent)
          unsent = []
          used = 0
          continue
        }
        const written = pages.write(words, 0, room)
        if (written === 0) break
        unsent.push({ memberId, records: bytes.slice(0, written) })
        used += MAP_PAGES_HEAD.bytes + written
      }
    }
    return { bufferCount, unsent }
  }

  private stateOf({ memberId, slot }: AboutOne): MapState {
    return stateOf(memberId, this.volume.maps.about(slot))
  }
}

/** M2: what is void is dropped before it is sent; nothing void is ever merged. */
function exportOf(record: PoolMetadata, slot: number, { maps }: MemberVolume): AboutOne {
  const entry = record.members[slot]
  const map = maps.about(slot)
  if (entry === undefined || map === undefined) {
    throw new RmrError("internal", `a normal member has marks about slot ${slot}, which is absent`)
  }
  map.dropVoid(entry.normalThrough)
  return { memberId: entry.memberId, slot, pages: map.startExport() }
}
