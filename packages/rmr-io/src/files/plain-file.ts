/**
 * A block file on system calls: rows of numbers in, one batch of completions out.
 *
 * What is submitted in a turn starts at its end. Through the kernel's cache it is then read or
 * written at once, and the completions leave in the same end, all together; but only so many
 * batches of them before the loop has another round, so that a user who keeps its queue full cannot
 * keep it from its sockets. Past the cache, with FUA, and for a flush it goes to the ring of the
 * thread (file-ring.ts), or to Node's threads.
 *
 * FUA goes through open files that the kernel writes through (forced-files.ts). With native code a
 * file system is asked to make a range zero, and to give its space back if that is wanted; without,
 * or where it refuses, `zero` writes zeroes. `supports.unmap` says which.
 */
import type { BlockEvents, BlockFile, BlockFileCapabilities, Env, Lease, Memory } from "@rmr/core"
import {
  assert,
  assertLeaseRange,
  BLOCK_BAD_AT,
  BLOCK_BAD_BYTES,
  BLOCK_FUA,
  BLOCK_STATUS,
  BLOCK_STRIDE,
  BLOCK_TOKEN,
  BLOCK_UNMAP,
  isBlockRange,
  longer,
  NO_LEASE,
  RmrError,
  statusOf,
} from "@rmr/core"
import { pageArenas } from "../arenas.js"
import { MOVE_READ, MOVE_WRITE, MOVES_MAX } from "../native-addon.js"
import { findBadRange } from "./bad-range.js"
import type { Ended, FileCalls, FileFailure } from "./file-calls.js"
import { codeOfFailure } from "./file-errors.js"
import {
  FileRows,
  KIND_FLUSH,
  KIND_READ,
  KIND_WRITE,
  KIND_ZERO,
  RANGE_HOLE,
  RANGE_NONE,
  RANGE_ZEROED,
} from "./file-rows.js"
import { ForcedFiles, NO_ROW } from "./forced-files.js"
import { failureOf } from "./hole-queue.js"
import { Moves } from "./moves.js"

const CLOSED = statusOf("closed")
const INVALID_RANGE = statusOf("invalid-range")
const IO_ERROR = statusOf("io-error")
const MEDIA_ERROR = statusOf("media-error")
const NO_BYTES: Uint8Array = new Uint8Array(0)
/** One table for all files of the thread: it is empty again when a `submit` returns. */
const MOVES = new Moves(MOVES_MAX)
/** Zeroes are written from memory of this size; it is page-aligned, fit for direct IO. */
const ZERO_BYTES = 1024 * 1024
/** Less is written, and flushed, faster than the file system is asked. */
const ZERO_RANGE_BYTES_MIN = 256 * 1024
/** So many batches of completions may follow each other before the loop has its sockets again. */
const DELIVERIES_MAX = 8
/** What a system call says that cannot do this to this file. */
const REFUSALS: ReadonlySet<string | undefined> = new Set(["ENOTSUP", "ENOSYS"])

export interface OpenedFile {
  readonly calls: FileCalls
  readonly fd: number
  /** Writes to these are durable when they return; one past the cache, several through it. */
  readonly forcedFds: readonly number[]
  readonly isDirect: boolean
  /** Zeroing can give space back. */
  readonly takesHoles: boolean
  readonly sizeBytes: number
  readonly blockBytes: number
  /** Makes room; answers the new size. Fails with `no-space`. */
  grow(sizeBytes: number): Promise<number>
  close(): Promise<void>
}

export interface PlainFileOptions {
  readonly env: Env
  readonly memory: Memory
  readonly events: BlockEvents
  readonly ioBytesMax: number
  readonly inFlightMax: number
}

export class PlainFile implements BlockFile {
  readonly supports: BlockFileCapabilities
  sizeBytes: number
  readonly blockBytes: number
  readonly atomicBytes = 512
  readonly ioBytesMax: number
  readonly inFlightMax: number
  private readonly file: OpenedFile
  private readonly env: Env
  private readonly memory: Memory
  private readonly events: BlockEvents
  private readonly rows: FileRows
  private readonly forced: ForcedFiles
  /** Rows that wait for the end of the turn, and rows that wait to be told. */
  private waiting: Int32Array
  private waitingCount = 0
  private ended: Int32Array
  private endedCount = 0
  /** Since the loop had a round for sure. */
  private deliveries = 0
  private words: Int32Array
  private readonly callbacks: Ended[] = []
  /** What is read and written through the cache at the end of `submit`. */
  private readonly moves = MOVES
  private zeroes: Uint8Array | undefined
  private pieceMemory: Uint8Array = NO_BYTES
  private pieceAt = 0
  private refusesHoles: boolean
  private refusesZeroRanges: boolean
  private closing: Promise<void> | undefined
  private finishClose: (() => void) | undefined
  private readonly runSubmit = (): void => this.submit()
  private readonly runDeliver = (): void => this.deliver()

  constructor(file: OpenedFile, options: PlainFileOptions) {
    const { inFlightMax } = options
    this.file = file
    this.env = options.env
    this.memory = options.memory
    this.events = options.events
    const { takesHoles, isDirect } = file
    this.supports = Object.freeze({ unmap: takesHoles, forcedUnitAccess: true, direct: isDirect })
    this.refusesHoles = !takesHoles
    this.refusesZeroRanges = !file.calls.canZeroRanges
    this.blockBytes = file.blockBytes
    this.sizeBytes = file.sizeBytes
    this.ioBytesMax = options.ioBytesMax
    this.inFlightMax = inFlightMax
    this.rows = new FileRows(inFlightMax)
    this.forced = new ForcedFiles(file.forcedFds, isDirect)
    const { count } = this.rows
    this.waiting = new Int32Array(count)
    this.ended = new Int32Array(count)
    this.words = new Int32Array(count * BLOCK_STRIDE)
  }

  read(token: number, offset: number, lease: Lease, at: number, bytes: number): void {
    this.take(token, KIND_READ, offset, bytes, 0, lease, at)
  }

  write(
    token: number,
    offset: number,
    lease: Lease,
    at: number,
    bytes: number,
    flags: number,
  ): void {
    if ((flags & ~BLOCK_FUA) !== 0) assert(false, `write has no flags ${flags}`)
    this.take(token, KIND_WRITE, offset, bytes, flags, lease, at)
  }

  zero(token: number, offset: number, bytes: number, flags: number): void {
    if ((flags & ~(BLOCK_FUA | BLOCK_UNMAP)) !== 0) assert(false, `zero has no flags ${flags}`)
    this.take(token, KIND_ZERO, offset, bytes, flags, NO_LEASE, 0)
  }

  flush(token: number): void {
    this.take(token, KIND_FLUSH, 0, 0, 0, NO_LEASE, 0)
  }

  submit(): void {
    const count = this.waitingCount
    this.waitingCount = 0
    for (let nth = 0; nth < count; nth++) this.begin(this.waiting[nth]!)
    this.runMoves()
  }

  async grow(sizeBytes: number): Promise<void> {
    this.refuseClosed()
    if (sizeBytes <= this.sizeBytes) return
    const rounded = Math.ceil(sizeBytes / this.blockBytes) * this.blockBytes
    const grownBytes = await this.file.grow(rounded)
    this.refuseClosed()
    this.sizeBytes = Math.max(this.sizeBytes, grownBytes)
  }

  close(): Promise<void> {
    this.closing ??= new Promise<void>((resolve) => {
      this.finishClose = resolve
      if (this.rows.openCount === 0) resolve()
    }).then(() => this.file.close())
    return this.closing
  }

  private refuseClosed(): void {
    if (this.closing !== undefined) throw new RmrError("closed", "the block file was closed")
  }

  private take(
    token: number,
    kind: number,
    offset: number,
    bytes: number,
    flags: number,
    lease: Lease,
    at: number,
  ): void {
    assert(!this.rows.isFull, "no more than inFlightMax operations at once")
    const isBad = kind !== KIND_FLUSH && !isBlockRange(this, offset, bytes)
    const status = this.closing !== undefined ? CLOSED : isBad ? INVALID_RANGE : 0
    if (lease !== NO_LEASE) {
      if (status === 0) assertLeaseRange(this.memory, this.blockBytes, lease, at, bytes)
      this.memory.retain(lease)
    }
    const row = this.rows.take(token, kind, offset, bytes, flags)
    if (this.rows.count > this.waiting.length) this.makeRoom(this.rows.count)
    this.rows.lease[row] = lease
    this.rows.at[row] = at
    this.rows.status[row] = status
    this.waiting[this.waitingCount++] = row
    if (this.waitingCount === 1) this.env.clock.endOfTurn(this.runSubmit)
  }

  private makeRoom(count: number): void {
    this.waiting = longer(this.waiting, count)
    this.ended = longer(this.ended, count)
    this.words = new Int32Array(count * BLOCK_STRIDE)
  }

  /** Made once for a row, when that is first used. */
  private callbackOf(row: number): Ended {
    this.callbacks[row] ??= (error, count) => this.onStep(row, error, count)
    return this.callbacks[row]
  }

  private begin(row: number): void {
    const { rows } = this
    rows.fd[row] = this.file.fd
    if (rows.status[row] !== 0) this.end(row)
    else if ((rows.flags[row]! & BLOCK_FUA) !== 0) this.beginForced(row)
    else if (rows.kind[row] !== KIND_FLUSH) this.run(row)
    else this.file.calls.flush(this.file.fd, this.callbackOf(row))
  }

  private beginForced(row: number): void {
    const fd = this.forced.take(row)
    if (fd === undefined) return
    this.rows.fd[row] = fd
    this.run(row)
  }

  private run(row: number): void {
    if (this.rows.kind[row] === KIND_ZERO && this.isForFileSystem(row)) this.zeroRange(row)
    else this.move(row)
  }

  /** Reads or writes bytes. */
  private move(row: number): void {
    if (this.file.isDirect || (this.rows.flags[row]! & BLOCK_FUA) !== 0) this.step(row)
    else this.addMove(row)
  }

  private isForFileSystem(row: number): boolean {
    if ((this.rows.flags[row]! & BLOCK_UNMAP) !== 0 && !this.refusesHoles) return true
    return !this.refusesZeroRanges && this.rows.bytes[row]! >= ZERO_RANGE_BYTES_MIN
  }

  /** The whole range, without writing it. */
  private zeroRange(row: number): void {
    const { rows } = this
    const flags = rows.flags[row]!
    const keepsSpace = (flags & BLOCK_UNMAP) === 0 || this.refusesHoles
    const isDurable = (flags & BLOCK_FUA) !== 0
    rows.range[row] = keepsSpace ? RANGE_ZEROED : RANGE_HOLE
    const end = this.callbackOf(row)
    const offset = rows.offset[row]!
    this.file.calls.zero(rows.fd[row]!, keepsSpace, offset, rows.bytes[row]!, isDurable, end)
  }

  /** The file system cannot do that: it is not asked again, and bytes are written instead. */
  private writeZeroes(row: number, range: number): void {
    if (range === RANGE_HOLE) this.refusesHoles = true
    else this.refusesZeroRanges = true
    this.move(row)
    this.runMoves()
  }

  /** The next piece, through the cache. */
  private addMove(row: number): void {
    const { rows, moves } = this
    if (moves.count === MOVES_MAX) this.runMoves()
    const bytes = this.takePiece(row)
    const kind = rows.kind[row] === KIND_READ ? MOVE_READ : MOVE_WRITE
    const offset = rows.offset[row]! + rows.done[row]!
    moves.add(kind, rows.fd[row]!, this.pieceMemory, this.pieceAt, bytes, offset, row)
  }

  /** All of the table, and of what follows from it. */
  private runMoves(): void {
    const { moves } = this
    while (moves.count > 0) {
      const { count } = moves
      this.file.calls.runMoves(moves)
      // A next piece is put into a row that has been looked at.
      moves.clear()
      for (let nth = 0; nth < count; nth++) this.onMoved(moves.tagOf(nth), moves.resultOf(nth))
    }
  }

  private onMoved(row: number, result: number): void {
    const { rows } = this
    if (result < 0) this.failBy(row, failureOf(-result))
    else if (result === 0) this.fail(row, IO_ERROR)
    else {
      rows.done[row]! += result
      if (rows.done[row]! < rows.bytes[row]!) this.addMove(row)
      else this.end(row)
    }
  }

  /** The next piece, by a ring or a thread of Node's. */
  private step(row: number): void {
    const { rows } = this
    const { calls } = this.file
    const fd = rows.fd[row]!
    const bytes = this.takePiece(row)
    const { pieceMemory, pieceAt } = this
    const offset = rows.offset[row]! + rows.done[row]!
    const end = this.callbackOf(row)
    if (rows.kind[row] === KIND_READ) calls.read(fd, pieceMemory, pieceAt, bytes, offset, end)
    else if (fd === this.file.fd) calls.write(fd, pieceMemory, pieceAt, bytes, offset, end)
    else calls.writeForced(fd, pieceMemory, pieceAt, bytes, offset, end)
  }

  private onStep(row: number, error: FileFailure | null, count: number): void {
    const { rows } = this
    const range = rows.range[row]!
    rows.range[row] = RANGE_NONE
    const isRefusal = error !== null && range !== RANGE_NONE && REFUSALS.has(error.code)
    if (isRefusal) this.writeZeroes(row, range)
    else if (error !== null) this.failBy(row, error)
    else if (rows.kind[row] === KIND_FLUSH) this.end(row)
    else if (count === 0) this.fail(row, IO_ERROR)
    else {
      rows.done[row]! += count
      if (rows.done[row]! < rows.bytes[row]!) this.step(row)
      else this.end(row)
    }
  }

  /** The next piece of an operation: answers its length, and leaves its memory in the fields. */
  private takePiece(row: number): number {
    const { rows } = this
    const left = rows.bytes[row]! - rows.done[row]!
    if (rows.kind[row] === KIND_ZERO) {
      this.zeroes ??= pageArenas([ZERO_BYTES])[0]!
      this.pieceMemory = this.zeroes
      this.pieceAt = 0
      return Math.min(left, ZERO_BYTES)
    }
    const lease = rows.leaseOf(row)
    this.pieceMemory = this.memory.arenaOf(lease).bytes
    this.pieceAt = this.memory.offsetOf(lease) + rows.at[row]! + rows.done[row]!
    return left
  }

  private failBy(row: number, error: FileFailure): void {
    const { rows } = this
    const isFlush = rows.kind[row] === KIND_FLUSH
    const code = isFlush ? "io-error" : codeOfFailure(error)
    this.env.log.write("warn", "a file operation failed", {
      errno: error.code ?? error.message,
      code,
    })
    if (code === "media-error") this.findBad(row)
    else this.fail(row, statusOf(code))
  }

  private findBad(row: number): void {
    const { rows } = this
    const { calls } = this.file
    const bytes = this.takePiece(row)
    const isRead = rows.kind[row] === KIND_READ
    const search = {
      call: isRead ? calls.read : calls.write,
      fd: rows.fd[row]!,
      blockBytes: this.blockBytes,
      memory: this.pieceMemory,
      at: this.pieceAt,
      offset: rows.offset[row]! + rows.done[row]!,
      bytes,
    }
    findBadRange(search, (badAt, badBytes) => {
      rows.badAt[row] = rows.done[row]! + badAt
      // Where each block is good alone, the whole is what failed.
      rows.badBytes[row] = badBytes === 0 ? bytes : badBytes
      this.fail(row, MEDIA_ERROR)
    })
  }

  private fail(row: number, status: number): void {
    this.rows.status[row] = status
    this.end(row)
  }

  private end(row: number): void {
    const fd = this.rows.fd[row]!
    const next = fd === this.file.fd ? NO_ROW : this.forced.give(fd)
    if (next !== NO_ROW) this.beginForced(next)
    this.ended[this.endedCount++] = row
    if (this.endedCount > 1) return
    if (this.deliveries++ < DELIVERIES_MAX) this.env.clock.endOfTurn(this.runDeliver)
    else {
      this.deliveries = 0
      setImmediate(this.runDeliver)
    }
  }

  /** Everything that has ended, in one batch. */
  private deliver(): void {
    const { rows, words } = this
    const count = this.endedCount
    this.endedCount = 0
    for (let nth = 0; nth < count; nth++) {
      const row = this.ended[nth]!
      const at = nth * BLOCK_STRIDE
      words[at + BLOCK_TOKEN] = rows.token[row]!
      words[at + BLOCK_STATUS] = rows.status[row]!
      words[at + BLOCK_BAD_AT] = rows.badAt[row]!
      words[at + BLOCK_BAD_BYTES] = rows.badBytes[row]!
      const lease = rows.leaseOf(row)
      if (lease !== NO_LEASE) this.memory.release(lease)
      rows.give(row)
    }
    this.events.onCompletions({ count, words })
    if (rows.openCount === 0) this.finishClose?.()
  }
}
