/**
 * Copier: brings a member's own dirty chunks up to date from peers that have them clean (rules S1,
 * S2, S4, S7, S8, S9, S10).
 *
 * Several chunks at a time; those that somebody waits for come first, then the rest in order. A
 * copy is written only in the view in which it was read, under the chunk's lock, into a hot extent;
 * the chunk is clean when its bytes and then its clear are durable. Nobody holds the lock while it
 * fetches, so a source never waits for another node. What is probably equal comes as digests first,
 * and is compared under the lock. What nobody waits for keeps its pace (S11).
 */
import type { ChunkNumber, Clock, LastIoEntry, Lease, Memory, PoolMetadata } from "@rmr/core"
import {
  assert,
  compareViews,
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
import { ChunkParts } from "./chunk-parts.js"
import { CopyRoom } from "./copy-room.js"
import { Pace, type PaceShown, type SyncLimits } from "./pace.js"
import type { Peers } from "./peers.js"
import { type Brought, Sources } from "./sources.js"
import { SyncProgress } from "./sync-progress.js"

export interface CopierOptions {
  readonly clock: Clock
  readonly memory: Memory
  readonly member: Member
  readonly volume: MemberVolume
  readonly data: DataPath
  readonly peers: Peers
  readonly copiesMax: number
  readonly partBytesMax: number
  readonly limits: SyncLimits
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
/** No status: the chunk was compared, and its bytes have to come. */
const DIFFERENT = -1
/** No status: the intent log has no slot for it now. */
const NO_ROOM = -2
/** Chunks that nobody had are asked for again after this long, or in the next view (S8). */
const PARK_MS = 1000
/** Copies that only requests may begin, so that these wait for no other copy. */
const COPIES_RESERVED = 4
/** Of payload memory, for copies that nobody waits for; one chunk in any case. */
const COPY_BYTES_MAX = 16 * 1024 * 1024

export class Copier {
  copiedChunks = 0
  /** Of these, chunks that were equal at their source already (S7). */
  equalChunks = 0
  readonly progress: SyncProgress
  writingCount = 0
  /** An admin has stopped what nobody waits for; requests still get the chunks that they need. */
  isStopped = false
  private readonly options: CopierOptions
  private readonly free: number[]
  private readonly wanted: ChunkNumber[] = []
  /** Not equal to their source, though nobody waits for them: they come as bytes next. */
  private readonly again: ChunkNumber[] = []
  /** By copy: its chunk. */
  private readonly chunks: Float64Array
  /** By copy: nobody waits for it, and it is being fetched or written. */
  private readonly isAtWork: Uint8Array
  private atWorkCount = 0
  /** By copy: its bytes need no flush. */
  private readonly isDurable: Uint8Array
  private readonly pace: Pace
  private readonly parts: ChunkParts
  private readonly parked = new Set<number>()
  private readonly locked = new Map<number, () => void>()
  private readonly cleared = new Map<number, (error: RmrError | undefined) => void>()
  private readonly sources: Sources
  private readonly room: CopyRoom
  private cursor = 0
  private isParkTimed = false

  constructor(options: CopierOptions) {
    this.options = options
    const { clock, data, copiesMax, limits } = options
    this.pace = new Pace(clock, data.foreground, copiesMax, limits)
    this.sources = new Sources({ ...options, pace: this.pace })
    this.parts = new ChunkParts(options)
    this.room = new CopyRoom(options, () => this.run())
    this.progress = new SyncProgress(clock)
    this.free = Array.from({ length: copiesMax }, (_, nth) => nth)
    this.chunks = new Float64Array(copiesMax).fill(NO_CHUNK)
    this.isAtWork = new Uint8Array(copiesMax)
    this.isDurable = new Uint8Array(copiesMax)
  }

  /** How fast copies go that nobody waits for, and why. */
  get pacing(): PaceShown {
    return this.pace.shown
  }

  /** Somebody waits for the chunk. It is being copied when this returns, if there is room. */
  want(chunk: ChunkNumber): void {
    this.parked.delete(chunk)
    const copy = this.chunks.indexOf(chunk)
    if (copy >= 0) {
      this.hurry(copy)
      return
    }
    if (!this.wanted.includes(chunk)) this.wanted.push(chunk)
    this.startWanted()
  }

  /** S11: whatever this copy would take its time for, it does not any more. */
  private hurry(copy: number): void {
    this.endWork(copy)
    this.pace.hurry(copy)
    this.options.data.clears.hurry()
  }

  /** Copies what is dirty, as much at a time as may be. */
  run(): void {
    const { own } = this.options.volume.maps
    if (!this.options.mayCopy()) return
    this.startWanted()
    while (!this.isStopped && this.hasRoom()) {
      const chunk = this.again.shift() ?? this.nextDirty()
      if (chunk === NO_CHUNK) return
      if (!own.isDirty(chunk)) continue
      if (!this.room.isFor(chunk)) {
        this.again.unshift(chunk)
        return
      }
      if (!this.start(chunk, false)) return
    }
  }

  /**
   * I3: what finds no room in the intent log lets others go first. Who writes waits in an extent
   * that is hot, and must not wait for copies that wait for what it writes to cool (RT-68).
   */
  private startWanted(): void {
    const { wanted } = this
    const { own } = this.options.volume.maps
    for (let nth = 0; nth < wanted.length && this.free.length > 0; ) {
      const chunk = wanted[nth]!
      if (own.isDirty(chunk) && !this.room.isFor(chunk)) {
        nth++
        continue
      }
      wanted.splice(nth, 1)
      if (own.isDirty(chunk) && !this.start(chunk, true)) return
    }
  }

  /** Whether one more copy may begin that nobody waits for. */
  private hasRoom(): boolean {
    const { copiesMax } = this.options
    const isFree = this.free.length > Math.min(COPIES_RESERVED, copiesMax - 1)
    const { chunkSizeBytes } = this.options.volume.geometry
    const copied = copiesMax - this.free.length
    if (copied > 0 && (copied + 1) * chunkSizeBytes > COPY_BYTES_MAX) return false
    return isFree && this.atWorkCount < this.pace.copiesAtATime(copiesMax)
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
    this.sources.onView()
    this.again.length = 0
    // What was written in the last view is clean, or dropped, soon.
    this.options.data.clears.hurry()
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
    this.options.data.foreground.noteWork()
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
  private start(chunk: ChunkNumber, isHurried: boolean): boolean {
    const { data, mayCopy } = this.options
    if (!mayCopy()) return false
    const answer = data.entries.start(chunk)
    if (answer !== START_DONE) return answer === START_RUNNING
    const copy = this.free.pop()
    assert(copy !== undefined, "a copy has a slot")
    this.chunks[copy] = chunk
    this.pace.begin(copy, isHurried)
    if (!isHurried) {
      this.isAtWork[copy] = 1
      this.atWorkCount++
    }
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
    const isTriedAgain = status === DIFFERENT || status === NO_ROOM
    if (status === STATUS_OK) this.noteCopied(copy, chunk)
    else if (!isTriedAgain) this.park(chunk)
    else if (!this.pace.isInHurry(copy)) this.again.unshift(chunk)
    else if (!this.wanted.includes(chunk)) this.wanted.unshift(chunk)
    this.chunks[copy] = NO_CHUNK
    this.endWork(copy)
    // Whoever waits looks again; the chunk comes as bytes then.
    data.entries.end(chunk, isTriedAgain ? STATUS_OK : status)
    data.entries.dropReference(chunk)
    data.deliver()
    this.free.push(copy)
    this.run()
  }

  /** The copy does not stand in the way of the next one any more. */
  private endWork(copy: number): void {
    if (this.isAtWork[copy] === 0) return
    this.isAtWork[copy] = 0
    this.atWorkCount--
  }

  private noteCopied(copy: number, chunk: ChunkNumber): void {
    const { geometry } = this.options.volume
    if (!this.pace.isInHurry(copy)) this.pace.noteCopied(geometry.sizeOf(chunk))
    this.copiedChunks++
    this.progress.noteClean()
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
    const { sources } = this
    const { member, memory, volume, data } = this.options
    const { record } = member
    if (record === undefined) return NO_CLEAN_COPY
    const lease = memory.lease(volume.geometry.sizeOf(chunk))
    if (lease === NO_LEASE) return NO_CLEAN_COPY
    const takeUp = this.room.promise(chunk)
    try {
      const isCompared = sources.isWorthComparing(chunk)
      for (const peer of sources.of(record, chunk)) {
        const brought = await sources.ask(record, peer, { copy, chunk, lease, isCompared })
        if (brought === undefined) continue
        if (!volume.maps.own.isDirty(chunk)) return STATUS_OK
        takeUp()
        return await this.write(copy, chunk, lease, record, brought)
      }
      return NO_CLEAN_COPY
    } finally {
      takeUp()
      memory.release(lease)
      data.deliver()
    }
  }

  private async write(
    copy: number,
    chunk: ChunkNumber,
    lease: Lease,
    record: PoolMetadata,
    brought: Brought,
  ): Promise<number> {
    const { volume, data, member } = this.options
    const { hot } = volume
    const extents = this.room.pin(chunk)
    if (extents === undefined) return NO_ROOM
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
      this.room.unpin(extents)
      if (isLocked) data.locks.release(token)
    }
  }

  private async writeLocked(
    copy: number,
    token: number,
    chunk: ChunkNumber,
    lease: Lease,
    record: PoolMetadata,
    brought: Brought,
  ): Promise<number> {
    const { volume, data, onWritten } = this.options
    this.writingCount++
    try {
      const status = await this.putIn(copy, chunk, lease, brought)
      if (status !== STATUS_OK) return status
      // S9: the copy may hold these, and they may not be resolved yet.
      for (const entry of brought.lastIo) {
        if (!volume.lastIo.adopt(entry, this.isInside(entry, chunk))) continue
        data.noteView(entry.unit, record.mapVersion)
        this.keepHot(entry)
      }
      await new Promise<void>((resolve, reject) => {
        this.cleared.set(copy, (error) => (error === undefined ? resolve() : reject(error)))
        this.clear(copy, token, chunk)
      })
      return STATUS_OK
    } finally {
      this.writingCount--
      onWritten()
    }
  }

  /** The bytes of the source are in the store when this ends well, written or there already. */
  private async putIn(
    copy: number,
    chunk: ChunkNumber,
    lease: Lease,
    brought: Brought,
  ): Promise<number> {
    const { sources, parts } = this
    const { digests, partBytes } = brought
    this.isDurable[copy] = 0
    if (digests === undefined) {
      // S11: beside foreground IO, what it has written is not flushed along.
      const written = await parts.write(chunk, lease, partBytes, this.pace.isPaced)
      this.isDurable[copy] = written === "durably" ? 1 : 0
      return written === "not" ? NO_CLEAN_COPY : STATUS_OK
    }
    if (await parts.isEqual(chunk, lease, digests, partBytes)) {
      sources.noteEqual()
      this.equalChunks++
      return STATUS_OK
    }
    sources.noteDifferent(chunk)
    return DIFFERENT
  }

  /** S11: beside foreground IO, several copies are made durable together. */
  private clear(copy: number, token: number, chunk: ChunkNumber): void {
    const { data } = this.options
    const { pace } = this
    const isDurable = this.isDurable[copy] === 1
    if (pace.isPaced && !pace.isInHurry(copy)) data.clears.addLate(token, chunk, isDurable)
    else data.clears.add(token, chunk, 1, isDurable)
    this.endWork(copy)
    this.run()
  }

  /** Whether one copy has all that the entry speaks of; what is stable is everywhere (I2). */
  private isInside({ offset, length, epoch, sequence }: LastIoEntry, chunk: ChunkNumber): boolean {
    const { data, volume } = this.options
    const { geometry } = volume
    if ((epoch - data.stableEpoch || sequence - data.stableSequence) <= 0) return true
    return geometry.chunkOf(offset) === chunk && geometry.chunkSpan(offset, length) === 1
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
