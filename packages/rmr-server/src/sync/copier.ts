/**
 * Copier: brings a member's own dirty chunks up to date from peers that have them clean (rules S1,
 * S2, S4, S8, S9, S10).
 *
 * Several chunks at a time; those that somebody waits for come first, then the rest in order. A
 * copy is written only in the view in which it was read, under the chunk's lock, into a hot extent;
 * the chunk is clean when its bytes and then its clear are durable. Nobody holds the lock while it
 * fetches, so a source never waits for another node.
 */
import type { ChunkNumber, LastIoEntry, Lease, MemberEntry, Memory, PoolMetadata } from "@rmr/core"
import {
  assert,
  compareViews,
  holdsWhatWasMissed,
  LOCK_SYNC_WRITE,
  NO_CHUNK,
  NO_LEASE,
  NO_SYNC,
  RmrError,
  START_DONE,
  START_RUNNING,
  STATUS_OK,
  statusOf,
} from "@rmr/core"
import type { DataPath } from "../io/data-path.js"
import type { Member } from "../pool/member.js"
import type { MemberVolume } from "../pool/member-volume.js"
import type { Peers } from "./peers.js"

export interface CopierOptions {
  readonly memory: Memory
  readonly member: Member
  readonly volume: MemberVolume
  readonly data: DataPath
  readonly peers: Peers
  readonly copiesMax: number
  readonly partBytesMax: number
  /** Whether the member is normal now, and drains nothing. */
  readonly mayCopy: () => boolean
  readonly onFailed: (error: RmrError) => void
  /** A copy that was being written is over: whoever drains may look again. */
  readonly onWritten: () => void
  /** The intent log has no slot for a copy: what may cool is to cool. */
  readonly onCoolingDue: () => void
  readonly schedule: (delayMs: number, run: () => void) => void
}

const NO_CLEAN_COPY = statusOf("no-clean-copy")
/** Chunks that nobody had are asked for again after this long, or in the next view (S8). */
const PARK_MS = 1000
/** A copy that finds no slot in the intent log looks again after this long. */
const ROOM_MS = 10

export class Copier {
  copiedChunks = 0
  writingCount = 0
  /** An admin has stopped what nobody waits for; requests still get the chunks that they need. */
  isStopped = false
  private readonly options: CopierOptions
  private readonly free: number[]
  private readonly wanted: ChunkNumber[] = []
  private readonly parked = new Set<number>()
  private readonly locked = new Map<number, () => void>()
  private readonly cleared = new Map<number, (error: RmrError | undefined) => void>()
  private cursor = 0
  private isParkTimed = false

  constructor(options: CopierOptions) {
    this.options = options
    this.free = Array.from({ length: options.copiesMax }, (_, nth) => nth)
  }

  /** Somebody waits for the chunk. It is being copied when this returns, if there is room. */
  want(chunk: ChunkNumber): void {
    this.parked.delete(chunk)
    if (this.free.length > 0) this.start(chunk)
    else if (!this.wanted.includes(chunk)) this.wanted.push(chunk)
  }

  /** Copies what is dirty, as much at a time as may be. */
  run(): void {
    const { own } = this.options.volume.maps
    if (!this.options.mayCopy()) return
    while (this.free.length > 0) {
      const chunk = this.wanted.shift() ?? (this.isStopped ? NO_CHUNK : this.nextDirty())
      if (chunk === NO_CHUNK) break
      if (own.isDirty(chunk) && !this.start(chunk)) break
    }
  }

  stop(): void {
    this.isStopped = true
  }

  goOn(): void {
    this.isStopped = false
    this.run()
  }

  /** Another view: whoever was asked in vain may have the chunk now. */
  onView(): void {
    this.parked.clear()
    this.cursor = 0
    this.run()
  }

  onLocked(copy: number): void {
    const go = this.locked.get(copy)
    this.locked.delete(copy)
    go?.()
  }

  onCleared(copy: number, error: RmrError | undefined): void {
    const go = this.cleared.get(copy)
    this.cleared.delete(copy)
    go?.(error)
  }

  private nextDirty(): ChunkNumber {
    const { own } = this.options.volume.maps
    for (let round = 0; round < 2; round++) {
      let chunk = this.cursor < own.chunkCount ? own.nextDirty(this.cursor) : NO_CHUNK
      while (chunk !== NO_CHUNK && this.isTaken(chunk)) {
        chunk = chunk + 1 < own.chunkCount ? own.nextDirty(chunk + 1) : NO_CHUNK
      }
      this.cursor = chunk === NO_CHUNK ? 0 : chunk + 1
      if (chunk !== NO_CHUNK) return chunk
    }
    return NO_CHUNK
  }

  /** Also while a mutation is about to overwrite what was copied in vain. */
  private isTaken(chunk: ChunkNumber): boolean {
    return this.parked.has(chunk) || this.options.data.entries.stateOf(chunk) !== NO_SYNC
  }

  /** False where no more chunks may be copied at a time. */
  private start(chunk: ChunkNumber): boolean {
    const { data, mayCopy } = this.options
    if (!mayCopy()) return false
    const answer = data.entries.start(chunk)
    if (answer !== START_DONE) return answer === START_RUNNING
    const copy = this.free.pop()
    assert(copy !== undefined, "a copy has a slot")
    void this.carryOut(copy, chunk)
    return true
  }

  private async carryOut(copy: number, chunk: ChunkNumber): Promise<void> {
    const { data, onFailed } = this.options
    let status = NO_CLEAN_COPY
    try {
      status = await this.fetch(copy, chunk)
    } catch (thrown) {
      const error = RmrError.from(thrown)
      // The store was closed meanwhile: the copy is not needed any more.
      if (error.code !== "closed") onFailed(error)
    }
    if (status === STATUS_OK) this.copiedChunks++
    else this.park(chunk)
    data.entries.end(chunk, status)
    data.entries.dropReference(chunk)
    data.deliver()
    this.free.push(copy)
    this.run()
  }

  /** S8: nobody has it now. */
  private park(chunk: ChunkNumber): void {
    this.parked.add(chunk)
    if (this.isParkTimed) return
    this.isParkTimed = true
    this.options.schedule(PARK_MS, () => {
      this.isParkTimed = false
      this.parked.clear()
      this.run()
    })
  }

  private async fetch(copy: number, chunk: ChunkNumber): Promise<number> {
    const { member, memory, volume, data } = this.options
    const { record } = member
    if (record === undefined) return NO_CLEAN_COPY
    const lease = memory.lease(volume.geometry.sizeOf(chunk))
    if (lease === NO_LEASE) return NO_CLEAN_COPY
    try {
      for (const peer of sourcesOf(record, volume.ownSlot, chunk)) {
        const brought = await this.read(record, peer, chunk, lease)
        if (brought === undefined) continue
        if (!volume.maps.own.isDirty(chunk)) return STATUS_OK
        return await this.write(copy, chunk, lease, record, brought)
      }
      return NO_CLEAN_COPY
    } finally {
      memory.release(lease)
      data.deliver()
    }
  }

  /** The chunk's bytes from this peer, and what it remembers of them; undefined where it cannot. */
  private async read(
    record: PoolMetadata,
    peer: MemberEntry,
    chunk: ChunkNumber,
    lease: Lease,
  ): Promise<readonly LastIoEntry[] | undefined> {
    const { peers, volume, partBytesMax } = this.options
    const { geometry } = volume
    const { mapVersion } = record
    if (!(await this.holdsWhatWasMissed(record, peer, chunk))) return undefined
    const offset = geometry.offsetOf(chunk)
    const size = geometry.sizeOf(chunk)
    const entries: LastIoEntry[] = []
    let isMore = false
    for (let at = 0; at < size; at += partBytesMax) {
      const bytes = Math.min(partBytesMax, size - at)
      const answer = await peers.read(peer, mapVersion, offset + at, lease, at, bytes)
      if (answer.status !== STATUS_OK) return undefined
      entries.push(...answer.lastIo)
      isMore ||= answer.isMore
    }
    if (!isMore) return entries
    try {
      return await peers.readLastIo(peer, mapVersion)
    } catch {
      // It was there a moment ago; without its entries the copy is worth nothing (S9).
      return undefined
    }
  }

  /** S10: the source must have what this member recorded and missed. */
  private async holdsWhatWasMissed(
    record: PoolMetadata,
    peer: MemberEntry,
    chunk: ChunkNumber,
  ): Promise<boolean> {
    const { volume, data, member, peers } = this.options
    const { geometry, lastIo } = volume
    const missed = lastIo
      .overlapping(geometry.offsetOf(chunk), geometry.sizeOf(chunk))
      .filter(({ unit, epoch, sequence }) => !data.table.isUnderWay(unit, epoch, sequence))
    if (missed.length === 0) return true
    const slot = record.members.indexOf(peer)
    const since = member.normalSince(slot)
    let theirs: readonly LastIoEntry[]
    try {
      theirs = await peers.readLastIo(peer, record.mapVersion)
    } catch {
      return false
    }
    return missed.every((entry) => {
      const source = theirs.find(({ unit }) => unit === entry.unit)
      return holdsWhatWasMissed(entry, source, data.viewOf(entry.unit), since)
    })
  }

  private async write(
    copy: number,
    chunk: ChunkNumber,
    lease: Lease,
    record: PoolMetadata,
    brought: readonly LastIoEntry[],
  ): Promise<number> {
    const { volume, data, member } = this.options
    const { geometry, hot } = volume
    const offset = geometry.offsetOf(chunk)
    const size = geometry.sizeOf(chunk)
    const first = geometry.extentOf(offset)
    const extents = Array.from({ length: geometry.extentSpan(offset, size) }, (_, n) => first + n)
    if (!(await this.pin(extents))) return NO_CLEAN_COPY
    const token = data.table.rowsMax + copy
    let isLocked = false
    try {
      await member.jobs.heat(extents)
      for (const extent of extents) hot.noteDurable(extent)
      await this.lock(copy, token, chunk)
      isLocked = true
      const isSameView = compareViews(member.view, record.mapVersion) === 0
      const isDirty = volume.maps.own.isDirty(chunk)
      if (!isSameView || !data.entries.beginWrite(chunk, isDirty)) {
        return isDirty ? NO_CLEAN_COPY : STATUS_OK
      }
      return await this.writeLocked(copy, token, chunk, lease, record, brought)
    } finally {
      for (const extent of extents) hot.unpin(extent)
      if (isLocked) data.locks.release(token)
    }
  }

  /** I3: a copy waits for the log, since nothing that cools waits for a copy of another extent. */
  private async pin(extents: readonly number[]): Promise<boolean> {
    const { volume, mayCopy, onCoolingDue, schedule } = this.options
    const { hot } = volume
    while (mayCopy()) {
      const pinned = extents.findIndex((extent) => !hot.pin(extent))
      if (pinned < 0) return true
      for (const extent of extents.slice(0, pinned)) hot.unpin(extent)
      onCoolingDue()
      await new Promise<void>((resolve) => schedule(ROOM_MS, resolve))
    }
    return false
  }

  private async writeLocked(
    copy: number,
    token: number,
    chunk: ChunkNumber,
    lease: Lease,
    record: PoolMetadata,
    brought: readonly LastIoEntry[],
  ): Promise<number> {
    const { volume, data, member, onWritten } = this.options
    const { geometry } = volume
    const offset = geometry.offsetOf(chunk)
    const size = geometry.sizeOf(chunk)
    this.writingCount++
    try {
      const { store } = member
      for (let at = 0; at < size; at += store.ioBytesMax) {
        const bytes = Math.min(store.ioBytesMax, size - at)
        const status = await member.jobs.ask((job) =>
          store.write(job, offset + at, lease, at, bytes, 0),
        )
        if (status !== STATUS_OK) return NO_CLEAN_COPY
      }
      // S9: the copy may hold these, and they may not be resolved yet.
      for (const entry of brought) {
        if (!volume.lastIo.adopt(entry)) continue
        data.noteView(entry.unit, record.mapVersion)
        this.keepHot(entry)
      }
      await new Promise<void>((resolve, reject) => {
        this.cleared.set(copy, (error) => (error === undefined ? resolve() : reject(error)))
        data.clears.add(token, chunk, 1)
      })
      return STATUS_OK
    } finally {
      this.writingCount--
      onWritten()
    }
  }

  /** I2: what an entry speaks of stays hot until it is stable. */
  private keepHot({ offset, length, epoch, sequence }: LastIoEntry): void {
    const { geometry, hot } = this.options.volume
    const first = geometry.extentOf(offset)
    const end = first + geometry.extentSpan(offset, length)
    // Extents of other chunks are heated by whoever writes there.
    for (let extent = first; extent < end; extent++) {
      if (hot.isHot(extent)) hot.note(extent, epoch, sequence)
    }
  }

  private lock(copy: number, token: number, chunk: ChunkNumber): Promise<void> {
    return new Promise((resolve) => {
      if (this.options.data.locks.acquire(token, LOCK_SYNC_WRITE, chunk, 1)) resolve()
      else this.locked.set(copy, resolve)
    })
  }
}

/** The other normal members, each chunk beginning with another one. */
function sourcesOf(record: PoolMetadata, ownSlot: number, chunk: number): MemberEntry[] {
  const sources: MemberEntry[] = []
  const count = record.members.length
  for (let nth = 0; nth < count; nth++) {
    const slot = (nth + chunk) % count
    const member = record.members[slot]
    const isNormal = (record.normal & (1 << slot)) !== 0
    if (slot !== ownSlot && isNormal && member !== undefined) sources.push(member)
  }
  return sources
}
