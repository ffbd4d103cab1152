/**
 * MapSender: a map update at its source, a normal member that tells another what it missed (M3).
 *
 * It sends its marks about the receiver, and about every other absent member, page by page, while
 * IO goes on and marks more; each later phase sends what has changed since. The last one is asked
 * for while IO stands still, and says how the maps are then.
 */
import type {
  MapExport,
  MapPhase,
  MapSent,
  MapVersion,
  MemberEntry,
  MemberId,
  PoolMetadata,
} from "@rmr/core"
import { MAP_BUF_BYTES_MAX, MAP_PAGES_HEAD, RmrError, slotsOf } from "@rmr/core"
import { absentOf } from "../pool/member.js"
import type { MemberVolume } from "../pool/member-volume.js"
import type { Peers } from "../sync/peers.js"
import { absentSlot, stateOf } from "./map-receiver.js"

/** Records of one buffer: less than it may be, so that any transport takes it. */
const RECORD_BYTES_MAX = Math.min(MAP_BUF_BYTES_MAX, 64 * 1024) - MAP_PAGES_HEAD.bytes

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
  private readonly bytes = new Uint8Array(RECORD_BYTES_MAX)
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
      const bufferCount = await this.sendPages(phase)
      const isLast = phase === "last-delta"
      const maps = isLast ? this.about.map((one) => this.stateOf(one)) : []
      const { update, view, to } = this
      await this.peers.tell(
        to,
        "map-buf-done",
        view,
        { update, bufferCount, phase, maps },
        undefined,
      )
      return { bufferCount, maps }
    } finally {
      this.isSending = false
    }
  }

  private async sendPages(phase: MapPhase): Promise<number> {
    let bufferNumber = 0
    const { bytes, peers, update, view, to } = this
    const words = new DataView(bytes.buffer)
    for (const { memberId, pages } of this.about) {
      pages.begin()
      let written = pages.write(words, 0, bytes.length)
      for (; written > 0; written = pages.write(words, 0, bytes.length)) {
        const payload = [{ memberId, records: bytes.slice(0, written) }]
        await peers.tell(to, "send-map-buf", view, { update, bufferNumber, phase }, payload)
        bufferNumber++
      }
    }
    return bufferNumber
  }

  private stateOf({ memberId, slot }: AboutOne): MapSent["maps"][number] {
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
