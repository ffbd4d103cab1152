/**
 * RequestCore: what all parts of the data path share: the requests in work, the way to the store,
 * and the way back to whoever asked.
 */
import type { Checksum, ChunkNumber, Env, LastIoEntry, Lease, Memory, Session } from "@rmr/core"
import {
  assert,
  BLOCK_FUA,
  BLOCK_UNMAP,
  ChunkLocks,
  encodeIoReply,
  IO_FUA,
  IoReplyRecord,
  NO_LEASE,
  NO_SLOT,
  OP_DISCARD,
  OP_FLUSH,
  OP_READ,
  OP_SYNC_READ,
  OP_WRITE,
  RANK_REAL,
  REPLY_DRAINING,
  REPLY_FLUSH_WANTED,
  type RmrError,
  STATUS_OK,
  statusOf,
  type TokenEvents,
  type ViewNumber,
} from "@rmr/core"
import type { Member } from "../pool/member.js"
import type { MemberVolume } from "../pool/member-volume.js"
import type { Foreground } from "./foreground.js"
import { IoTable, STAGE_FREE, STAGE_STORE, WAIT_ROOM } from "./io-table.js"
import type { PoolAdmission } from "./pool-admission.js"
import { RequestCounts } from "./request-counts.js"

const IO_ERROR = statusOf("io-error")

export interface DataPathEvents {
  /** The store cannot keep what this member promises any more (I5). */
  onStoreFailed(error: RmrError): void
  /** Nothing that was admitted is left. */
  onIdle(): void
  /** Somebody waits for these bytes: copy the chunk before others (S1). */
  onChunkWanted(chunk: ChunkNumber): void
  /** The stable number moved on, or the intent log fills: time to cool. */
  onCoolingDue(): void
}

export interface DataPathOptions {
  readonly env: Env
  readonly memory: Memory
  readonly member: Member
  readonly volume: MemberVolume
  readonly admission: PoolAdmission
  readonly groupId: number
  /** What holders ask of this node, and how copies slow it down (S11). */
  readonly foreground: Foreground
  readonly rowsMax: number
  /** Copies at a time; their lock tokens come behind the rows. */
  readonly copiesMax: number
  readonly checksum: Checksum
  /** The transport does not vouch for payloads, so each carries a checksum. */
  readonly isChecksumRequired: boolean
  readonly events: DataPathEvents
  /** A copy waited for its chunk's lock, and has it. */
  readonly onCopyLock: (copy: number) => void
  /** A copy's chunk became clean durably, or did not. */
  readonly onCopyCleared: (copy: number, error: RmrError | undefined) => void
}

export const NO_ENTRIES: readonly LastIoEntry[] = []

export class RequestCore {
  readonly options: DataPathOptions
  readonly volume: MemberVolume
  readonly table: IoTable
  readonly counts: RequestCounts = new RequestCounts()
  readonly locks: ChunkLocks
  readonly foreground: Foreground
  readonly reply: IoReplyRecord = new IoReplyRecord()
  /** False once the store has failed: nothing is answered well then (I5). */
  isServing = true
  private readonly waitsForRoom: number[] = []
  /** By io unit: the view under which the newest mutation was sent (S10). */
  private readonly viewEpochs: Float64Array
  private readonly viewVersions: Float64Array

  constructor(options: DataPathOptions, lockEvents: TokenEvents) {
    const { volume, rowsMax, copiesMax } = options
    this.options = options
    this.volume = volume
    this.table = new IoTable(rowsMax)
    this.foreground = options.foreground
    const { queueDepth } = volume.lastIo
    this.viewEpochs = new Float64Array(queueDepth)
    this.viewVersions = new Float64Array(queueDepth)
    this.locks = new ChunkLocks({ tokensMax: rowsMax + copiesMax, events: lockEvents })
  }

  /** S10: where a mutation came with a copy, the view of the copy stands for its own. */
  noteView(unit: number, epoch: number, version: number): void {
    this.viewEpochs[unit] = epoch
    this.viewVersions[unit] = version
  }

  viewOf(unit: number): ViewNumber {
    return { epoch: this.viewEpochs[unit] ?? 0, version: this.viewVersions[unit] ?? 0 }
  }

  /** The store takes operations again. */
  onRoom(): void {
    const { member } = this.options
    while (this.waitsForRoom.length > 0 && member.jobs.hasRoom()) {
      const row = this.waitsForRoom.shift()!
      this.table.waits[row]! &= ~WAIT_ROOM
      this.submit(row)
    }
  }

  /** Hands the row's operation to the store. */
  submit(row: number): void {
    const { table } = this
    const { jobs } = this.options.member
    if (!jobs.hasRoom()) {
      table.waits[row]! |= WAIT_ROOM
      this.waitsForRoom.push(row)
      return
    }
    table.stages[row] = STAGE_STORE
    jobs.noteSubmitted()
    this.submitPart(row, row, table.offsets[row]!, table.lengths[row]!)
  }

  /** Hands this part of the row's range to the store, with a token of the caller's. */
  submitPart(row: number, token: number, offset: number, length: number): void {
    const { table } = this
    const { store } = this.options.member
    const at = offset - table.offsets[row]!
    const fua = (table.ioFlags[row]! & IO_FUA) === 0 ? 0 : BLOCK_FUA
    switch (table.operations[row]) {
      case OP_WRITE:
        store.write(token, offset, table.leaseOf(row), at, length, fua)
        break
      case OP_FLUSH:
        store.flush(token)
        break
      case OP_READ:
      case OP_SYNC_READ:
        store.read(token, offset, table.leaseOf(row), at, length)
        break
      case OP_DISCARD:
        store.zero(token, offset, length, fua | BLOCK_UNMAP)
        break
      default:
        store.zero(token, offset, length, fua)
    }
  }

  finish(row: number, status: number, flags = 0, badAt = 0, badBytes = 0): void {
    const { table } = this
    if (status === STATUS_OK && !this.isServing) {
      this.finish(row, IO_ERROR)
      return
    }
    if (status === STATUS_OK && table.isMutation(row)) this.markForAbsent(row)
    this.resetReply(status, flags)
    this.reply.badAt = badAt
    this.reply.badBytes = badBytes
    this.send(row, NO_LEASE, 0, NO_ENTRIES)
  }

  /** W2: whoever is absent in this member's view lacks the mutation. */
  private markForAbsent(row: number): void {
    const absent = this.options.member.markedFor
    if (absent === 0) return
    const first = this.table.firstChunks[row]! as ChunkNumber
    this.volume.maps.markFor(absent, first, this.table.chunkCounts[row]!, RANK_REAL)
  }

  send(row: number, lease: Lease, bytes: number, entries: readonly LastIoEntry[]): void {
    const { table, locks } = this
    const { memory, events } = this.options
    const session = table.sessions[row]
    assert(session !== undefined && table.stages[row] !== STAGE_FREE, "a request is answered once")
    const beginMs = table.beginsMs[row]!
    if (!Number.isNaN(beginMs)) this.foreground.noteEnd(beginMs)
    this.counts.noteEnd(table.operations[row]!, this.reply.status, table.lengths[row]!)
    if (locks.holds(row) || locks.isWaiting(row)) locks.release(row)
    this.answer(session, table.tickets[row]!, lease, bytes, entries)
    const held = table.leaseOf(row)
    if (held !== NO_LEASE) memory.release(held)
    table.remove(row)
    if (table.count === 0) events.onIdle()
  }

  resetReply(status: number, flags: number): void {
    const { reply } = this
    const { admission, groupId } = this.options
    reply.groupId = groupId
    reply.flags = 0
    reply.viewVersion = admission.currentView.version
    reply.viewEpoch = admission.currentView.epoch
    reply.openEpoch = admission.epoch
    reply.status = status
    reply.replyFlags = flags
    if (this.volume.hot.isFlushWanted) reply.replyFlags |= REPLY_FLUSH_WANTED
    if (admission.isDraining) reply.replyFlags |= REPLY_DRAINING
    reply.payloadBytes = 0
    reply.payloadCrc = 0
    reply.badAt = 0
    reply.badBytes = 0
    reply.digest0 = 0
    reply.digest1 = 0
    reply.digest2 = 0
    reply.digest3 = 0
    reply.lastIoCount = 0
  }

  refuse(session: Session, ticket: number, lease: Lease, status: number): void {
    if (lease !== NO_LEASE) this.options.memory.release(lease)
    this.counts.refusals++
    this.resetReply(status, 0)
    this.answer(session, ticket, NO_LEASE, 0, NO_ENTRIES)
  }

  private answer(
    session: Session,
    ticket: number,
    lease: Lease,
    bytes: number,
    entries: readonly LastIoEntry[],
  ): void {
    const slot = session.reserveReply(ticket)
    if (slot === NO_SLOT) return
    const headerBytes = encodeIoReply(session.slots, slot, this.reply, entries)
    session.reply(slot, headerBytes, ticket, lease, 0, bytes)
  }
}
