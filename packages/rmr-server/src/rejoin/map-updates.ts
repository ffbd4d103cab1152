/**
 * MapUpdates: what a member does in map updates, as the one that returns and as a source (M3).
 *
 * There is one of each at a time. A source whose view has changed sends no more of the old one; the
 * holder begins an update anew with every view.
 */
import type { Clock, MapVersion, MemberId, PoolMetadata } from "@rmr/core"
import { assert, compareViews, RmrError } from "@rmr/core"
import type { Member } from "../pool/member.js"
import type { Peers } from "../sync/peers.js"
import { MapReceiver } from "./map-receiver.js"
import { MapSender } from "./map-sender.js"

export class MapUpdates {
  readonly receiver: MapReceiver
  /** The record that REJOIN_POOL brought last: of the view in force, without this member. */
  private told: PoolMetadata | undefined
  private sender: MapSender | undefined

  constructor(clock: Clock) {
    this.receiver = new MapReceiver(clock)
  }

  /** The holder has told this member of the view in force; what was before is given up. */
  rejoin(record: PoolMetadata): void {
    this.receiver.end("map-disable")
    this.told = record
  }

  /** The record of this view, in which this member is absent; fails where another was told. */
  recordOf(view: MapVersion): PoolMetadata {
    const { told } = this
    if (told !== undefined && compareViews(told.mapVersion, view) === 0) return told
    throw new RmrError("stale-view", "REJOIN_POOL comes first, with the view in force")
  }

  /** The update with this number, from this member; it begins when it is asked for first. */
  senderOf(update: number, receiver: MemberId, member: Member, peers: Peers): MapSender {
    const { record, volume } = member
    assert(record !== undefined && volume !== undefined, "a normal member has a record and maps")
    const known = this.sender
    const isThis = known?.update === update && compareViews(known.view, record.mapVersion) === 0
    if (known !== undefined && isThis) return known
    this.sender = new MapSender({ update, record, receiver, volume, peers })
    return this.sender
  }

  /** Another view is on this member's disk: what it sent in the one before is over. */
  onView({ mapVersion }: PoolMetadata): void {
    const { sender } = this
    if (sender !== undefined && compareViews(sender.view, mapVersion) !== 0) this.sender = undefined
  }

  /** The holder has given this update up. */
  end(update: number): void {
    if (this.sender?.update === update) this.sender = undefined
    if (this.receiver.isUpdate(update)) this.receiver.end("map-disable")
  }
}
