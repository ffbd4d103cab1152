/**
 * DataPath: every read, mutation and flush that one member carries out (rules W2, S3, S4, S6, I1).
 *
 * ```
 *   arrival ─ judge ─► last io, extent hot, lock ─► dirty? ─► store ─► clears ─► marks, answer
 *                                                     │                  ▲
 *                                                     └ wait for a copy ─┘
 * ```
 *
 * A request is a row of numbers (io-table.ts) and everything that it waits for knows it by that
 * row, so a steady state allocates nothing. What is rare (a bad sector, a clear) awaits promises.
 *
 * Nobody holds a chunk lock while he waits for another node (S1): a mutation that finds a chunk
 * dirty gives its locks back, has the chunk copied, and queues again.
 */
import type {
  ChunkLocks,
  ChunkNumber,
  Lease,
  Session,
  SyncEntries,
  TokenBatch,
  ViewNumber,
} from "@rmr/core"
import {
  ACCEPTED,
  IO_DIGEST,
  type IoRecord,
  isMutation,
  LOCK_MUTATION,
  NO_LEASE,
  OP_FLUSH,
  OP_READ,
  OP_SYNC_READ,
  OP_WRITE,
  refuseIoForPool,
  refuseIoPayload,
  STATUS_OK,
  statusOf,
} from "@rmr/core"
import type { Clears } from "./clears.js"
import { CopyWaits } from "./copy-waits.js"
import type { Foreground } from "./foreground.js"
import {
  type IoTable,
  NO_ROW,
  STAGE_WAITING,
  WAIT_COPY,
  WAIT_LOCK,
  WAIT_MEMORY,
} from "./io-table.js"
import { Mutations } from "./mutations.js"
import { Reads } from "./reads.js"
import { type DataPathOptions, RequestCore } from "./request-core.js"
import type { MemberCounts } from "./request-counts.js"
import { VolumeBounds } from "./volume-bounds.js"

const BAD_MESSAGE = statusOf("bad-message")
const BUSY = statusOf("busy")
const INVALID_RANGE = statusOf("invalid-range")
const IO_ERROR = statusOf("io-error")
const MEDIA_ERROR = statusOf("media-error")
const STALE_VIEW = statusOf("stale-view")
const UNSUPPORTED = statusOf("unsupported")

export class DataPath {
  stableEpoch = 0
  stableSequence = 0
  private readonly options: DataPathOptions
  private readonly core: RequestCore
  private readonly waits: CopyWaits
  private readonly mutations: Mutations
  private readonly reads: Reads
  private readonly bounds: VolumeBounds

  constructor(options: DataPathOptions) {
    const { volume } = options
    const deliver = (): void => this.deliver()
    this.options = options
    this.core = new RequestCore(options, { onReady: (batch) => this.onLocked(batch) })
    this.waits = new CopyWaits(this.core, {
      askAgain: (row) => this.askAgain(row),
      goWithout: (row) => {
        this.table.goesWithout[row] = 1
        this.askAgain(row)
      },
      deliver,
    })
    this.mutations = new Mutations(this.core, this.waits, deliver, options.onCopyCleared)
    this.reads = new Reads(this.core, this.waits, deliver)
    this.bounds = new VolumeBounds(volume)
  }

  /** What was done since the member was opened. */
  get counts(): MemberCounts {
    return this.core.counts
  }

  get foreground(): Foreground {
    return this.core.foreground
  }

  get table(): IoTable {
    return this.core.table
  }

  get locks(): ChunkLocks {
    return this.core.locks
  }

  get entries(): SyncEntries {
    return this.waits.entries
  }

  get clears(): Clears {
    return this.mutations.clears
  }

  /**
   * A request that was decoded. `lease` is its payload, whose reference is now ours; `room` is what
   * the requester has room for.
   */
  onRequest(
    session: Session,
    nonce: string,
    isPeer: boolean,
    ticket: number,
    io: IoRecord,
    lease: Lease,
    payloadBytes: number,
    room: number,
  ): void {
    const status = this.judge(io, nonce, isPeer, lease, payloadBytes, room)
    if (status !== STATUS_OK) {
      this.core.refuse(session, ticket, lease, status)
      return
    }
    if (!isPeer) this.noteStableNumber(io.stableEpoch, io.stableSequence)
    const row = this.table.add(session, ticket, lease, io)
    if (row === NO_ROW) {
      this.core.refuse(session, ticket, lease, BUSY)
      return
    }
    const isFlush = io.operation === OP_FLUSH
    if (!isPeer && !isFlush) this.table.beginsMs[row] = this.foreground.noteBegin()
    if (isMutation(io.operation)) this.mutations.admit(row, io)
    else if (io.operation === OP_READ) this.reads.proceed(row)
    else if (isFlush) this.core.submit(row)
    else this.reads.admitSync(row)
  }

  /** I2: mutations up to this one are on stable storage everywhere. */
  noteStableNumber(epoch: number, sequence: number): void {
    const order = epoch - this.stableEpoch || sequence - this.stableSequence
    if (order <= 0) return
    this.stableEpoch = epoch
    this.stableSequence = sequence
    this.core.volume.lastIo.noteStable(epoch, sequence)
    if (this.core.volume.hot.isFlushWanted) this.options.events.onCoolingDue()
  }

  /** The end of a batch: tells those whose waits are over. */
  deliver(): void {
    this.entries.deliver()
    this.locks.deliver()
  }

  /**
   * OPEN, REJOIN: whoever waits for another node or for memory is refused, now or when he would
   * begin to (S2); the rest ends by itself, and `onIdle` says when.
   * Returns how many are left.
   */
  drain(): number {
    const { table } = this.core
    this.clears.hurry()
    for (let row = 0; row < table.rows; row++) if (this.isHeld(row)) this.waits.refuse(row)
    return table.count
  }

  /** Nobody hears of its requests any more: those that are held give their memory back (RT-60). */
  onSessionDown(session: Session): void {
    const { table } = this.core
    for (let row = 0; row < table.rows; row++) {
      if (table.sessions[row] === session && this.isHeld(row)) this.waits.refuse(row)
    }
    this.deliver()
  }

  private isHeld(row: number): boolean {
    const { stages, waits } = this.table
    return stages[row] === STAGE_WAITING && (waits[row]! & (WAIT_COPY | WAIT_MEMORY)) !== 0
  }

  /** The store has failed: nothing that it says now is to be believed (I5). */
  stopServing(): void {
    this.core.isServing = false
  }

  /** A store operation of this row has ended. */
  onStoreDone(row: number, status: number, badAt: number, badBytes: number): void {
    const operation = this.table.operations[row]!
    if (isMutation(operation)) {
      if (status === STATUS_OK) this.mutations.onApplied(row)
      else void this.mutations.applyByChunk(row, MEDIA_ERROR)
    } else if (operation === OP_FLUSH) {
      this.options.member.jobs.noteFlushed(status)
      this.core.finish(row, status === STATUS_OK ? STATUS_OK : IO_ERROR)
    } else if (status === STATUS_OK) {
      this.reads.finish(row)
    } else if (status === MEDIA_ERROR) {
      void this.reads.onBad(row, badAt, badBytes)
    } else {
      this.core.finish(row, IO_ERROR)
    }
  }

  /** Somebody has looked, and these bytes are not what was written (S6). */
  noteDamage(offset: number, bytes: number): Promise<boolean> {
    return this.reads.noteDamage(offset, bytes)
  }

  noteView(unit: number, { epoch, version }: ViewNumber): void {
    this.core.noteView(unit, epoch, version)
  }

  /** The view under which the newest mutation of the unit was sent, or came with a copy. */
  viewOf(unit: number): ViewNumber {
    return this.core.viewOf(unit)
  }

  /** The store takes operations again. */
  onRoom(): void {
    this.core.onRoom()
  }

  private judge(
    io: IoRecord,
    nonce: string,
    isPeer: boolean,
    lease: Lease,
    payloadBytes: number,
    room: number,
  ): number {
    const { admission, memory, checksum, isChecksumRequired, member } = this.options
    if (isPeer !== (io.operation === OP_SYNC_READ)) return UNSUPPORTED
    if (isPeer) {
      if (!admission.isOfThisView(io)) return STALE_VIEW
    } else {
      const verdict = admission.judgeIo(io, nonce)
      if (verdict !== STATUS_OK) return verdict
    }
    if (refuseIoForPool(io, this.bounds) !== ACCEPTED) return INVALID_RANGE
    if (io.length > member.store.ioBytesMax) return INVALID_RANGE
    const isRead = io.operation === OP_READ || io.operation === OP_SYNC_READ
    const isDigest = (io.ioFlags & IO_DIGEST) !== 0
    if (isRead && !isDigest && room < io.length) return BAD_MESSAGE
    if (lease === NO_LEASE) return io.operation === OP_WRITE ? BAD_MESSAGE : STATUS_OK
    const { view } = memory.arenaOf(lease)
    const at = memory.offsetOf(lease)
    const refusal = refuseIoPayload(io, view, at, payloadBytes, isChecksumRequired, checksum)
    return refusal === ACCEPTED ? STATUS_OK : BAD_MESSAGE
  }

  /** A wait for a copy is over: a mutation queues at its chunks anew. */
  private askAgain(row: number): void {
    const { table, locks } = this.core
    if (table.operations[row] === OP_READ) {
      this.reads.proceed(row)
      return
    }
    const first = table.firstChunks[row]! as ChunkNumber
    if (locks.acquire(row, LOCK_MUTATION, first, table.chunkCounts[row]!)) {
      this.mutations.proceed(row)
    } else {
      this.waits.waitForLock(row)
    }
  }

  private onLocked(batch: TokenBatch): void {
    const { table } = this.core
    for (let at = 0; at < batch.count; at++) {
      const token = batch.tokens[at]!
      if (token >= table.rowsMax) {
        this.options.onCopyLock(token - table.rowsMax)
        continue
      }
      table.waits[token]! &= ~WAIT_LOCK
      if (table.waits[token] !== 0) continue
      if (table.operations[token] === OP_SYNC_READ) this.reads.proceedSync(token)
      else this.mutations.proceed(token)
    }
  }
}
