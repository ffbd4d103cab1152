/**
 * One operation on a simulated disk, from the faults that strike it to what it leaves behind.
 *
 * Faults are drawn once, when the disk starts on it. Then it is carried out, in one step or in two:
 * other operations may run in between, as they may on a real disk, where only a block is whole. A
 * crash carries an operation out as far as chance will have it.
 */
import type { ErrorCode } from "@rmr/core"
import { BLOCK_FUA, BLOCK_UNMAP, STATUS_OK, statusOf } from "@rmr/core"
import type { CachedWrite } from "./disk-cache.js"
import type { DiskFaultKind, DiskOperation, FaultDice, RuleBook } from "./disk-faults.js"
import type { DiskMedium } from "./disk-medium.js"

/** What an operation needs of its disk. */
export interface DiskParts {
  readonly medium: DiskMedium
  readonly dice: FaultDice
  readonly rules: RuleBook
  readonly blockBytes: number
  readonly spaceBytesMax: number
  readonly isUnmapHonoured: boolean
}

export interface DiskRequest {
  readonly on: DiskOperation
  readonly offset: number
  readonly length: number
  readonly flags: number
  /** A read fills it, a write takes from it while it is carried out; empty for others. */
  readonly bytes: Uint8Array
  /** Flush: which writes had completed when it was submitted. */
  readonly coverage: number
}

export interface DiskVerdict {
  readonly status: number
  /** With `media-error`, relative to the operation's offset. */
  readonly badAt: number
  readonly badBytes: number
}

/** What a failed read leaves in the memory that it was to fill. */
export const SCRIBBLE_BYTE = 0xee

const DONE: DiskVerdict = { status: STATUS_OK, badAt: 0, badBytes: 0 }

export class OperationInProgress {
  /** A write or zero that has been carried out at least in part. */
  write: CachedWrite | undefined
  private readonly parts: DiskParts
  private readonly request: DiskRequest
  private verdict: DiskVerdict = DONE
  /** Where it really goes. */
  private offset: number
  /** How far it gets before it fails. */
  private end: number
  private doneBytes = 0
  private isLost = false
  private isStale = false

  constructor(parts: DiskParts, request: DiskRequest) {
    this.parts = parts
    this.request = request
    this.offset = request.offset
    this.end = request.length
    this.plan()
  }

  get isMutation(): boolean {
    return this.request.on === "write" || this.request.on === "zero"
  }

  /** Blocks that it covers: it can be split between any two. */
  get blockCount(): number {
    return this.request.length / this.parts.blockBytes
  }

  /** Carries out the first so many blocks of it, as far as it gets. */
  advanceTo(blockNumber: number): void {
    const to = Math.min(blockNumber * this.parts.blockBytes, this.end)
    if (to <= this.doneBytes) return
    this.carryOut(this.doneBytes, to)
    this.doneBytes = to
  }

  finish(): DiskVerdict {
    const { medium } = this.parts
    const { on, coverage, flags, bytes } = this.request
    this.advanceTo(this.blockCount)
    const isDone = this.verdict.status === STATUS_OK
    if (on === "read" && !isDone) bytes.fill(SCRIBBLE_BYTE)
    if (on === "flush") {
      if (isDone) medium.flush(coverage)
      else medium.cache.failFlush(coverage)
    }
    const isForced = (flags & BLOCK_FUA) !== 0 && isDone
    if (isForced && this.write !== undefined) medium.harden(this.write)
    return this.verdict
  }

  private carryOut(from: number, to: number): void {
    const { medium } = this.parts
    const { on, bytes, flags } = this.request
    const offset = this.offset + from
    if (on === "read") {
      const into = bytes.subarray(from, to)
      if (this.isStale) medium.readDurable(offset, into)
      else medium.read(offset, into)
      return
    }
    if (this.isLost || !this.isMutation) return
    this.write ??= medium.cache.beginWrite()
    if (on === "write") medium.write(offset, bytes.subarray(from, to), this.write)
    else {
      const isUnmapped = (flags & BLOCK_UNMAP) !== 0 && this.parts.isUnmapHonoured
      medium.zero(offset, to - from, !isUnmapped, this.write)
    }
  }

  private plan(): void {
    const { medium, rules } = this.parts
    const { on, offset, length } = this.request
    const isBeyond = on !== "flush" && offset + length > medium.sizeBytes
    const byRule = isBeyond ? "io-error" : rules.strike(on, offset, length)
    if (byRule !== undefined) this.fail(byRule, 0)
    else if (on === "read") this.planRead()
    else if (on === "flush") this.planFlush()
    else this.planMutation()
  }

  private planRead(): void {
    const { medium, dice } = this.parts
    const { offset, length } = this.request
    if (dice.strikes("readError")) {
      this.fail("io-error", 0)
      return
    }
    if (dice.strikes("badSector")) {
      medium.damage(this.placeInside("badSector"), 1, "reads")
    }
    if (dice.strikes("bitRot")) {
      const at = this.placeInside("bitRot")
      const byte = new Uint8Array(1)
      medium.read(at, byte)
      byte[0] = byte[0]! ^ (1 << dice.streamOf("bitRot").below(8))
      medium.poke(at, byte)
    }
    this.failOnBad(offset, length, "reads")
    this.isStale = dice.strikes("staleRead")
    if (dice.strikes("misdirectedRead")) this.offset = this.otherPlace("misdirectedRead")
  }

  private planMutation(): void {
    const { medium, dice, spaceBytesMax } = this.parts
    const { on, offset, length } = this.request
    if (dice.strikes("writeError")) {
      const blocks = dice.streamOf("writeError").below(this.blockCount + 1)
      this.fail("io-error", blocks * this.parts.blockBytes)
      return
    }
    const missing = on === "write" ? medium.missingBytes(offset, length) : 0
    if (medium.allocatedBytes + missing > spaceBytesMax && missing > 0) {
      this.fail("no-space", 0)
      return
    }
    this.isLost = dice.strikes("lostWrite")
    if (dice.strikes("misdirectedWrite")) this.offset = this.otherPlace("misdirectedWrite")
    this.failOnBad(offset, length, "writes")
  }

  private planFlush(): void {
    if (this.parts.dice.strikes("flushError")) this.fail("io-error", 0)
  }

  private failOnBad(offset: number, length: number, fails: "reads" | "writes"): void {
    const bad = this.parts.medium.firstBad(offset, length, fails)
    if (bad === undefined) return
    this.fail("media-error", bad.offset - offset, bad.length)
  }

  private fail(code: ErrorCode, end: number, badBytes = 0): void {
    this.verdict = { status: statusOf(code), badAt: badBytes > 0 ? end : 0, badBytes }
    this.end = this.request.on === "read" ? 0 : end
  }

  private placeInside(kind: DiskFaultKind): number {
    return this.request.offset + this.parts.dice.streamOf(kind).below(this.request.length)
  }

  /** Another aligned place of the same length; the same one where the disk has no other. */
  private otherPlace(kind: DiskFaultKind): number {
    const { medium, blockBytes, dice } = this.parts
    const { offset, length } = this.request
    const places = Math.floor((medium.sizeBytes - length) / blockBytes)
    if (places < 1) return offset
    // One draw over all places but the right one.
    const drawn = Math.floor(dice.streamOf(kind).unit() * places) * blockBytes
    return drawn < offset ? drawn : drawn + blockBytes
  }
}
