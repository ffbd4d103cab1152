/**
 * Writes and zeroes that are no whole blocks, for clients that do not care for block sizes.
 *
 * What lies around them in their blocks must stay: it is read first, and nobody else may change it
 * meanwhile. So an export carries out one such request at a time, piece by piece through memory
 * that there is for sure (SpareLease), and its blocks are locked: it starts when no mutation of
 * them is under way, and mutations of them that come later wait until it is over. It costs clients
 * that do keep to whole blocks nothing.
 *
 * | next piece | how |
 * |---|---|
 * | part of a block | read the block, put the part in, write it |
 * | whole blocks of a write | copied to where memory is aligned, and written |
 * | whole blocks of zeroes | zeroed |
 */
import type { Lease, Memory, SpareLease, Volume } from "@rmr/core"
import { BLOCK_FUA, BLOCK_UNMAP, leaseBytes, NO_LEASE } from "@rmr/core"
import { errnoOf } from "./errno.js"
import * as nbd from "./protocol.js"
import * as rows from "./request-table.js"
import { NO_ROW, type RequestTable, RowQueue } from "./request-table.js"

export interface UnalignedParts {
  readonly memory: Memory
  readonly volume: Volume
  readonly requests: RequestTable
  /** So that it never waits for what other requests hold. */
  readonly spare: SpareLease
  /** Of a piece; whole blocks. */
  readonly leaseBytes: number
  /** Whether a mutation of this range is under way. */
  readonly isChanging: (from: number, to: number) => boolean
  readonly onDone: (row: number) => void
  /** It had to wait for the lock. */
  readonly onUnlocked: (row: number) => void
}

export class UnalignedWrites {
  /** The request that is carried out, or waits for others to leave its blocks. */
  active: number = NO_ROW
  private readonly parts: UnalignedParts
  private readonly waiting: RowQueue
  private readonly lockedOut: RowQueue
  private from = 0
  private to = 0
  private isRunning = false
  private isReading = false
  private isRefusing = false
  private pieceEnd = 0
  private lease: Lease = NO_LEASE

  constructor(parts: UnalignedParts) {
    this.parts = parts
    this.waiting = new RowQueue(parts.requests)
    this.lockedOut = new RowQueue(parts.requests)
  }

  add(row: number): void {
    this.waiting.push(row)
    this.next()
  }

  /** Takes a mutation that must wait; answers whether it must. */
  holdsUp(row: number, from: number, to: number): boolean {
    if (this.active === NO_ROW || from >= this.to || to <= this.from) return false
    this.lockedOut.push(row)
    return true
  }

  /** A mutation is over, perhaps the last one in the way; or there is memory. */
  readonly run = (): void => {
    if (this.active === NO_ROW || this.isRunning) return
    if (this.isRefusing) {
      this.fail(nbd.ESHUTDOWN)
      return
    }
    const { isChanging, spare, leaseBytes: bytes } = this.parts
    if (isChanging(this.from, this.to)) return
    this.lease = spare.take(bytes, this.run)
    if (this.lease === NO_LEASE) return
    this.isRunning = true
    this.runPiece()
  }

  /** What was not submitted by now never is. */
  refuse(): void {
    this.isRefusing = true
    this.run()
  }

  /** The operation of the active request is over. */
  onCompletion(status: number): void {
    if (status !== 0) this.fail(errnoOf(status))
    else if (this.isRefusing) this.fail(nbd.ESHUTDOWN)
    else if (this.isReading) {
      this.isReading = false
      this.writePart()
    } else {
      this.parts.requests.setPlace(this.active, rows.ROW_AT, this.pieceEnd)
      this.runPiece()
    }
  }

  private next(): void {
    if (this.active !== NO_ROW) return
    const row = this.waiting.shift()
    if (row === NO_ROW) return
    const { requests } = this.parts
    this.active = row
    this.from = requests.place(row, rows.ROW_FROM)
    this.to = requests.place(row, rows.ROW_TO)
    requests.setPlace(row, rows.ROW_AT, requests.place(row, rows.ROW_OFFSET))
    this.isRunning = false
    this.run()
  }

  private runPiece(): void {
    const { lease } = this
    const { requests, volume } = this.parts
    const row = this.active
    const at = requests.place(row, rows.ROW_AT)
    const end = requests.place(row, rows.ROW_OFFSET) + requests.place(row, rows.ROW_BYTES)
    if (at === end) {
      this.finish()
      return
    }
    const inBlock = at % volume.blockBytes
    const wholeBytes = end - at - ((end - at) % volume.blockBytes)
    if (inBlock !== 0 || wholeBytes === 0) {
      this.isReading = true
      this.pieceEnd = Math.min(end, at - inBlock + volume.blockBytes)
      volume.read(row, at - inBlock, lease, 0, volume.blockBytes)
      return
    }
    if (requests.word(row, rows.ROW_KIND) === nbd.CMD_WRITE_ZEROES) {
      const bytes = Math.min(wholeBytes, volume.ioBytesMax)
      const flags = requests.word(row, rows.ROW_FLAGS)
      const unmap = volume.canUnmap && (flags & nbd.FLAG_NO_HOLE) === 0 ? BLOCK_UNMAP : 0
      this.pieceEnd = at + bytes
      volume.zero(row, at, bytes, this.fua(row) | unmap)
      return
    }
    const bytes = Math.min(wholeBytes, this.parts.leaseBytes)
    this.pieceEnd = at + bytes
    this.put(row, at, 0, bytes)
    volume.write(row, at, lease, 0, bytes, this.fua(row))
  }

  /** The block was read: the part goes in. */
  private writePart(): void {
    const { lease } = this
    const { requests, volume } = this.parts
    const row = this.active
    const at = requests.place(row, rows.ROW_AT)
    const inBlock = at % volume.blockBytes
    this.put(row, at, inBlock, this.pieceEnd - at)
    volume.write(row, at - inBlock, lease, 0, volume.blockBytes, this.fua(row))
  }

  /** Puts what the client wrote at `at` into our lease. */
  private put(row: number, at: number, to: number, bytes: number): void {
    const { requests, memory } = this.parts
    const target = leaseBytes(memory, this.lease, to, bytes)
    if (requests.word(row, rows.ROW_KIND) === nbd.CMD_WRITE_ZEROES) {
      target.fill(0)
      return
    }
    const written = requests.word(row, rows.ROW_LEASE) as Lease
    target.set(leaseBytes(memory, written, at - requests.place(row, rows.ROW_OFFSET), bytes))
  }

  private fua(row: number): number {
    return (this.parts.requests.word(row, rows.ROW_FLAGS) & nbd.FLAG_FUA) !== 0 ? BLOCK_FUA : 0
  }

  private fail(errno: number): void {
    this.parts.requests.set(this.active, rows.ROW_ERRNO, errno)
    this.finish()
  }

  /** Those that were locked out go first, so that none waits for ever. */
  private finish(): void {
    const row = this.active
    const { lease } = this
    this.active = NO_ROW
    this.lease = NO_LEASE
    this.parts.spare.give(lease)
    this.parts.onDone(row)
    for (;;) {
      const freed = this.lockedOut.shift()
      if (freed === NO_ROW) break
      this.parts.onUnlocked(freed)
    }
    this.next()
  }
}
