/**
 * MapReceiver: a map update at the member that returns (rule M3).
 *
 * Marks about itself are merged into its own map as they arrive, and never taken back: what it
 * knows of itself only grows, so an update that is given up costs time and no knowledge. Beside
 * that it keeps them as they were sent, to compare with the source at the end. Marks about other
 * absent members replace its own ones, which count for nothing since it has heard of a view that it
 * is not in.
 *
 * An update belongs to one view and has a number. What comes of another view or with another number
 * is of an update that was given up, and is refused.
 */
import type {
  Clock,
  MapPages,
  MapPhase,
  MapState,
  MapUpdateEvent,
  MapUpdateState,
  MapVersion,
  MemberId,
  PoolMetadata,
  StateView,
  ViewNumber,
} from "@rmr/core"
import {
  ACCEPTED,
  compareViews,
  DirtyMap,
  MAP_UPDATE_MACHINE,
  RmrError,
  refusalError,
  StateCell,
  slotsOf,
} from "@rmr/core"
import { absentOf, slotOfMember } from "../pool/member.js"
import type { MemberVolume } from "../pool/member-volume.js"

interface Update {
  readonly number: number
  readonly view: MapVersion
  readonly volume: MemberVolume
  /** Marks about this member, as the source has them. */
  readonly aboutOwn: DirtyMap
  readonly ownId: MemberId
  /** Members outside the view, this one too, by id. */
  readonly slots: ReadonlyMap<MemberId, number>
  phase: MapPhase
  readonly taken: Set<number>
  /** What it has written is on stable storage (I4); nothing is written while it returns. */
  isFlushed: boolean
}

export class MapReceiver {
  private readonly clock: Clock
  private readonly cell: StateCell<MapUpdateState, MapUpdateEvent>
  private update: Update | undefined

  constructor(clock: Clock) {
    this.clock = clock
    this.cell = new StateCell(MAP_UPDATE_MACHINE, clock.nowMs())
  }

  get state(): StateView<MapUpdateState, MapUpdateEvent> {
    return this.cell
  }

  /** The update is complete, and belongs to the view that this grow comes after. */
  isDoneFor(base: ViewNumber): boolean {
    const { update } = this
    return this.cell.state === "done" && update !== undefined && isSame(update.view, base)
  }

  /** This member has flushed since the update began (I4). */
  get isFlushed(): boolean {
    return this.update?.isFlushed === true
  }

  isUpdate(number: number): boolean {
    return this.update?.number === number
  }

  /** An update of this view is under way: the holder may look at this member's map meanwhile. */
  isOf(view: ViewNumber): boolean {
    return this.update !== undefined && isSame(this.update.view, view)
  }

  /** Begins an update in the view of this record, which names this member absent. */
  begin(number: number, record: PoolMetadata, ownId: MemberId, volume: MemberVolume): void {
    this.end("map-disable")
    const { chunkCount } = volume.geometry
    const view = record.mapVersion
    const slots = new Map<MemberId, number>()
    for (const slot of slotsOf(absentOf(record))) {
      const entry = record.members[slot]
      if (entry === undefined) continue
      slots.set(entry.memberId, slot)
      if (slot !== volume.ownSlot) volume.maps.rebirth(slot, entry.memberId, view, chunkCount)
    }
    const aboutOwn = new DirtyMap({ chunkCount, stamp: view })
    const taken = new Set<number>()
    const phase = "pages"
    const isFlushed = false
    this.update = { number, view, volume, aboutOwn, ownId, slots, phase, taken, isFlushed }
    this.move("ready", "map-ready")
  }

  /** One buffer of pages; each is taken once. Fails with `bad-message`, and nothing is changed. */
  take(number: number, view: MapVersion, buffer: BufferOf, maps: readonly MapPages[]): void {
    const update = this.require(number, view)
    this.enterPhase(update, buffer.phase)
    if (update.taken.has(buffer.bufferNumber)) return
    this.accept(update, maps)
    update.taken.add(buffer.bufferNumber)
  }

  private accept(update: Update, maps: readonly MapPages[]): void {
    // Looked at as a whole before anything is changed: records may be of no page that exists.
    const all = maps.map(({ memberId, records }) => {
      if (!update.slots.has(memberId)) {
        throw new RmrError("bad-message", `member ${memberId} is not absent in this view`)
      }
      const { chunkCount } = update.volume.geometry
      const marks = new DirtyMap({ chunkCount, stamp: update.view })
      importInto(marks, records)
      return { memberId, records, marks }
    })
    for (const { memberId, records, marks } of all) this.keep(update, memberId, records, marks)
  }

  private keep(update: Update, memberId: MemberId, records: Uint8Array, marks: DirtyMap): void {
    if (memberId === update.ownId) {
      update.volume.maps.mergeOwn(marks)
      importInto(update.aboutOwn, records)
      // A little with each buffer, so that the last comparison costs what the last delta changed.
      update.aboutOwn.digest()
      return
    }
    const slot = update.slots.get(memberId)!
    const refusal = update.volume.maps.replacePages(slot, records)
    if (refusal !== ACCEPTED) throw refusalError(refusal)
    update.volume.maps.about(slot)?.digest()
  }

  /**
   * The source has sent a phase; these are its last pages. Fails with `mismatch` where something of
   * it is not here. After the last delta everything is, and the growing view makes it durable.
   */
  endPhase(
    number: number,
    view: MapVersion,
    phase: MapPhase,
    sent: SentOf,
    lastPages: readonly MapPages[],
  ): void {
    const update = this.require(number, view)
    this.enterPhase(update, phase)
    if (update.taken.size !== sent.bufferCount) {
      const came = `${update.taken.size} of ${sent.bufferCount} buffers came`
      throw new RmrError("mismatch", `${came}; the phase is sent again`)
    }
    this.accept(update, lastPages)
    update.taken.clear()
    if (phase !== "last-delta") return
    requireSameMaps(this.statesOf(update), sent.maps)
    this.move("done", "same-maps")
  }

  /** Fails with `stale-view` where this update is not under way. */
  requireUnderWay(number: number, view: MapVersion): void {
    this.require(number, view)
  }

  /** What was written before this update began is on stable storage. */
  noteFlushed(number: number): void {
    if (this.update?.number === number) this.update.isFlushed = true
  }

  /** The update is over: the view has grown, or it was given up. What was learned is kept. */
  end(event: "view-grown" | "map-disable"): void {
    this.update = undefined
    if (this.cell.state !== "disabled") this.move("disabled", event)
  }

  private require(number: number, view: MapVersion): Update {
    const { update } = this
    if (update === undefined || update.number !== number || !isSame(update.view, view)) {
      throw new RmrError("stale-view", `map update ${number} is not under way here`)
    }
    return update
  }

  /** A phase begins with what comes of it first. After a freeze that was given up, deltas go on. */
  private enterPhase(update: Update, phase: MapPhase): void {
    if (this.cell.state === "done") this.move("ready", "thawed")
    if (update.phase === phase) return
    update.phase = phase
    update.taken.clear()
  }

  private statesOf({ slots, ownId, aboutOwn, volume }: Update): MapState[] {
    return [...slots]
      .sort(([a], [b]) => a - b)
      .map(([memberId, slot]) => {
        const map = memberId === ownId ? aboutOwn : volume.maps.about(slot)
        return stateOf(memberId, map)
      })
  }

  private move(to: MapUpdateState, event: MapUpdateEvent): void {
    this.cell.transition(to, event, this.clock.nowMs())
  }
}

export interface BufferOf {
  readonly bufferNumber: number
  readonly phase: MapPhase
}

export interface SentOf {
  readonly bufferCount: number
  readonly maps: readonly MapState[]
}

/** How a map stands, for the other end to compare. */
export function stateOf(memberId: MemberId, map: DirtyMap | undefined): MapState {
  if (map === undefined) throw new RmrError("mismatch", `there are no marks about ${memberId} here`)
  return { memberId, dirtyChunks: map.count, digest: map.digest() }
}

/** The slot of a member that is not in the normal set of a record. */
export function absentSlot(record: PoolMetadata, memberId: MemberId): number {
  const slot = slotOfMember(record, memberId)
  if (slot < 0 || (record.normal & (1 << slot)) !== 0) {
    throw new RmrError("invalid-argument", `member ${memberId} is not absent in this view`)
  }
  return slot
}

function requireSameMaps(ours: readonly MapState[], theirs: readonly MapState[]): void {
  const isSameCount = ours.length === theirs.length
  const other = theirs.find(({ memberId, digest, dirtyChunks }) => {
    const mine = ours.find((one) => one.memberId === memberId)
    return mine?.digest !== digest || mine.dirtyChunks !== dirtyChunks
  })
  if (isSameCount && other === undefined) return
  const which = other === undefined ? "a map" : `the map about member ${other.memberId}`
  throw new RmrError("mismatch", `${which} is not the same as at the source`)
}

function importInto(map: DirtyMap, records: Uint8Array): void {
  const view = new DataView(records.buffer, records.byteOffset, records.length)
  const refusal = map.importPages(view, 0, records.length)
  if (refusal !== ACCEPTED) throw refusalError(refusal)
}

function isSame(a: ViewNumber, b: ViewNumber): boolean {
  return compareViews(a, b) === 0
}
