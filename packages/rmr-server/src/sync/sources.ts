/**
 * Sources: where a member has its chunks from, and what a peer says of one (rules S2, S7, S9, S10).
 *
 * A chunk comes as its bytes, or as digests of them where it is probably equal already. Either way
 * the source's last io comes with it: what it remembers of the chunk may not be resolved yet.
 */
import type { ChunkNumber, Clock, LastIoEntry, Lease, MemberEntry, PoolMetadata } from "@rmr/core"
import { CHUNK_REAL, holdsWhatWasMissed, STATUS_OK } from "@rmr/core"
import type { DataPath } from "../io/data-path.js"
import type { Member } from "../pool/member.js"
import type { MemberVolume } from "../pool/member-volume.js"
import type { Pace } from "./pace.js"
import type { Peers } from "./peers.js"

export interface SourcesOptions {
  readonly member: Member
  readonly volume: MemberVolume
  readonly data: DataPath
  readonly peers: Peers
  readonly partBytesMax: number
  readonly clock: Clock
  readonly pace: Pace
  readonly mayCopy: () => boolean
}

/** What a peer has of a chunk. Its bytes are in the lease, unless it told only digests. */
export interface Brought {
  readonly lastIo: readonly LastIoEntry[]
  /** Four words for each part of `partBytes`. */
  readonly digests: Int32Array | undefined
  readonly partBytes: number
}

/** What a peer is asked for. */
export interface Asked {
  readonly copy: number
  readonly chunk: ChunkNumber
  readonly lease: Lease
  readonly isCompared: boolean
}

/** Real chunks are compared until so many in a row were different … */
const TRUST = 16
/** … and then one of so many, to see whether it would pay again. */
const PROBE_EVERY = 32

export class Sources {
  private readonly options: SourcesOptions
  /** Chunks that were compared, and are not equal: their bytes are fetched. */
  private readonly different = new Set<number>()
  /** How many more real chunks are compared, should they all be different. */
  private trust = TRUST
  private realCount = 0

  constructor(options: SourcesOptions) {
    this.options = options
  }

  /** Another view: what was compared in the last one means nothing. */
  onView(): void {
    this.different.clear()
  }

  noteEqual(): void {
    this.trust = TRUST
  }

  noteDifferent(chunk: ChunkNumber): void {
    this.different.add(chunk)
    if (this.trust > 0) this.trust--
  }

  /**
   * S7: whether to ask for digests first. What is suspect was in flight or in a cache, and mostly
   * is the same everywhere; what was missed for certain is mostly not, unless a cache or a store
   * was given up as a whole.
   */
  isWorthComparing(chunk: ChunkNumber): boolean {
    if (this.different.delete(chunk)) return false
    if (this.options.volume.maps.own.byteOf(chunk) !== CHUNK_REAL) return true
    return this.trust > 0 || ++this.realCount % PROBE_EVERY === 0
  }

  /** The other normal members, each chunk beginning with another one. */
  of(record: PoolMetadata, chunk: number): MemberEntry[] {
    const sources: MemberEntry[] = []
    const count = record.members.length
    for (let nth = 0; nth < count; nth++) {
      const slot = (nth + chunk) % count
      const member = record.members[slot]
      const isNormal = (record.normal & (1 << slot)) !== 0
      const isOther = slot !== this.options.volume.ownSlot
      if (isOther && isNormal && member !== undefined) sources.push(member)
    }
    return sources
  }

  /** Undefined where the peer cannot serve it now. */
  async ask(
    record: PoolMetadata,
    peer: MemberEntry,
    { copy, chunk, lease, isCompared }: Asked,
  ): Promise<Brought | undefined> {
    const { peers, volume, partBytesMax, pace, clock, mayCopy } = this.options
    const { geometry } = volume
    const { mapVersion } = record
    const offset = geometry.offsetOf(chunk)
    const size = geometry.sizeOf(chunk)
    const lastIo: LastIoEntry[] = []
    const partBytes = Math.min(pace.partBytes, partBytesMax, size)
    const parts = Math.ceil(size / partBytes)
    const digests = isCompared ? new Int32Array(4 * parts) : undefined
    let isMore = false
    for (let part = 0; part < parts; part++) {
      const at = part * partBytes
      const bytes = Math.min(partBytes, size - at)
      await pace.turn(copy, bytes)
      if (!mayCopy()) return undefined
      if (part === 0 && !(await this.holdsWhatWasMissed(record, peer, chunk))) return undefined
      const askedMs = clock.nowMs()
      const answer = isCompared
        ? await peers.readDigest(peer, mapVersion, offset + at, bytes)
        : await peers.read(peer, mapVersion, offset + at, lease, at, bytes)
      if (answer.status !== STATUS_OK) return undefined
      if (!isCompared) pace.noteFetched(bytes, clock.nowMs() - askedMs)
      pace.noteSource(answer.isForeground === true, answer.isPressed === true)
      if (answer.digest !== undefined) digests?.set(answer.digest, 4 * part)
      lastIo.push(...answer.lastIo)
      isMore ||= answer.isMore
    }
    if (!isMore) return { lastIo, digests, partBytes }
    try {
      return { lastIo: await peers.readLastIo(peer, mapVersion), digests, partBytes }
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
}
