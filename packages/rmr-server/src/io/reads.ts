/**
 * Reads: of the holder, and of peers that fetch what they lack (rules S2, S6, S9, P7).
 *
 * A source never waits for another node: it serves what it has clean, or refuses at once. What the
 * medium cannot read makes the member mark itself, durably, before it says so.
 */
import type { ChunkNumber, LastIoEntry } from "@rmr/core"
import {
  FLAG_PAYLOAD_CRC,
  IO_DIGEST,
  LOCK_SOURCE_READ,
  NO_CHUNK,
  NO_LEASE,
  OP_SYNC_READ,
  RANK_REAL,
  REPLY_DIGEST,
  REPLY_FOREGROUND,
  REPLY_LAST_IO,
  REPLY_LAST_IO_MAX,
  REPLY_LAST_IO_MORE,
  REPLY_PRESSED,
  RmrError,
  STATUS_OK,
  statusOf,
} from "@rmr/core"
import { markOwn } from "../pool/member-volume.js"
import { ChunkDigest } from "../sync/chunk-digest.js"
import type { CopyWaits } from "./copy-waits.js"
import { STAGE_MISSING, WAIT_MEMORY } from "./io-table.js"
import { NO_ENTRIES, type RequestCore } from "./request-core.js"

const IO_ERROR = statusOf("io-error")
const MEDIA_ERROR = statusOf("media-error")
const NO_CLEAN_COPY = statusOf("no-clean-copy")
const STALE_VIEW = statusOf("stale-view")

export class Reads {
  private readonly core: RequestCore
  private readonly waits: CopyWaits
  private readonly deliver: () => void
  private readonly waitsForMemory: number[] = []
  private isMemoryAsked = false
  private readonly digest = new ChunkDigest()

  constructor(core: RequestCore, waits: CopyWaits, deliver: () => void) {
    this.core = core
    this.waits = waits
    this.deliver = deliver
  }

  proceed(row: number): void {
    const own = this.core.volume.maps.own
    if (!own.isEmpty) {
      const first = this.core.table.firstChunks[row]!
      const dirty = own.nextDirty(first, first + this.core.table.chunkCounts[row]!)
      if (dirty !== NO_CHUNK) {
        this.waits.waitForCopy(row, dirty)
        return
      }
    }
    this.leaseAndRead(row)
  }

  /** S2: a source never waits for another node; it serves what it has clean, or refuses at once. */
  admitSync(row: number): void {
    const { table, locks, foreground } = this.core
    foreground.noteWork()
    const first = table.firstChunks[row]! as ChunkNumber
    if (locks.acquire(row, LOCK_SOURCE_READ, first, table.chunkCounts[row]!)) {
      this.proceedSync(row)
    } else {
      this.waits.waitForLock(row)
    }
  }

  proceedSync(row: number): void {
    const { table } = this.core
    const { admission } = this.core.options
    const own = this.core.volume.maps.own
    const first = table.firstChunks[row]!
    const isClean = own.nextDirty(first, first + table.chunkCounts[row]!) === NO_CHUNK
    if (!admission.isNormal || admission.isDraining) this.core.finish(row, STALE_VIEW)
    else if (!isClean) this.core.finish(row, NO_CLEAN_COPY)
    else this.leaseAndRead(row)
  }

  private leaseAndRead(row: number): void {
    const { memory } = this.core.options
    const lease = memory.lease(this.core.table.lengths[row]!)
    if (lease === NO_LEASE) {
      this.waitForMemory(row)
      return
    }
    this.core.table.leases[row] = lease
    this.core.submit(row)
  }

  private waitForMemory(row: number): void {
    this.core.table.waits[row]! |= WAIT_MEMORY
    this.waitsForMemory.push(row)
    if (this.isMemoryAsked) return
    this.isMemoryAsked = true
    this.core.options.memory.whenFree(() => {
      this.isMemoryAsked = false
      const rows = this.waitsForMemory.splice(0)
      for (const waiting of rows) {
        if ((this.core.table.waits[waiting]! & WAIT_MEMORY) === 0) continue
        this.core.table.waits[waiting]! &= ~WAIT_MEMORY
        this.leaseAndRead(waiting)
      }
    })
  }

  /** S6: the medium cannot read; the member marks itself and repairs by sync. */
  async onBad(row: number, badAt: number, badBytes: number): Promise<void> {
    const { table } = this.core
    const offset = table.offsets[row]!
    const length = table.lengths[row]!
    table.stages[row] = STAGE_MISSING
    const isKnown = badBytes > 0 && badAt + badBytes <= length
    const at = isKnown ? badAt : 0
    const bytes = isKnown ? badBytes : length
    if (!(await this.noteDamage(offset + at, bytes))) {
      this.core.finish(row, IO_ERROR)
      return
    }
    this.core.finish(row, MEDIA_ERROR, 0, at, bytes)
    this.deliver()
  }

  /**
   * S6: these bytes are not what was written. Marked durably, and then fetched from a peer; false
   * where the store does not keep the mark, which ends the member.
   */
  async noteDamage(offset: number, bytes: number): Promise<boolean> {
    const { volume } = this.core
    const { member, events } = this.core.options
    const count = markOwn(volume, offset, bytes, RANK_REAL)
    try {
      await member.saveMaps()
    } catch (thrown) {
      events.onStoreFailed(RmrError.from(thrown))
      return false
    }
    const first = volume.geometry.chunkOf(offset)
    for (let nth = 0; nth < count; nth++) events.onChunkWanted((first + nth) as ChunkNumber)
    return true
  }

  finish(row: number): void {
    const { table } = this.core
    if (!this.core.isServing) {
      this.core.finish(row, IO_ERROR)
      return
    }
    this.core.resetReply(STATUS_OK, 0)
    const isSync = table.operations[row] === OP_SYNC_READ
    const entries = isSync ? this.lastIoOf(row) : NO_ENTRIES
    if (isSync) this.noteForeground()
    if ((table.ioFlags[row]! & IO_DIGEST) !== 0) this.sendDigest(row, entries)
    else this.sendBytes(row, entries)
  }

  private sendBytes(row: number, entries: readonly LastIoEntry[]): void {
    const { table, reply } = this.core
    const { memory, checksum, isChecksumRequired } = this.core.options
    const lease = table.leaseOf(row)
    const bytes = table.lengths[row]!
    reply.payloadBytes = bytes
    if (isChecksumRequired) {
      reply.flags = FLAG_PAYLOAD_CRC
      const { view } = memory.arenaOf(lease)
      reply.payloadCrc = checksum(view, memory.offsetOf(lease), bytes)
    }
    this.core.send(row, lease, bytes, entries)
  }

  /** S7: whoever has the same bytes needs no others. */
  private sendDigest(row: number, entries: readonly LastIoEntry[]): void {
    const { table, reply } = this.core
    const { memory } = this.core.options
    const words = this.digest.of(memory, table.leaseOf(row), 0, table.lengths[row]!)
    reply.replyFlags |= REPLY_DIGEST
    // As the codec has them: unsigned.
    reply.digest0 = words[0]! >>> 0
    reply.digest1 = words[1]! >>> 0
    reply.digest2 = words[2]! >>> 0
    reply.digest3 = words[3]! >>> 0
    this.core.send(row, NO_LEASE, 0, entries)
  }

  /** S11: whoever copies from here goes easy on what the holder asks. */
  private noteForeground(): void {
    const { foreground, reply } = this.core
    foreground.noteWork()
    if (!foreground.isActive) return
    reply.replyFlags |= REPLY_FOREGROUND
    if (foreground.isPressed) reply.replyFlags |= REPLY_PRESSED
  }

  /** S9: what this member remembers of these bytes, except what is not applied yet. */
  private lastIoOf(row: number): readonly LastIoEntry[] {
    const { table, reply } = this.core
    const all = this.core.volume.lastIo
      .overlapping(table.offsets[row]!, table.lengths[row]!)
      .filter(({ unit, epoch, sequence }) => !table.isUnderWay(unit, epoch, sequence))
    const entries = all.slice(0, REPLY_LAST_IO_MAX)
    reply.lastIoCount = entries.length
    if (entries.length > 0) reply.replyFlags |= REPLY_LAST_IO
    if (all.length > entries.length) reply.replyFlags |= REPLY_LAST_IO_MORE
    return entries
  }
}
