/**
 * Reading a commit log back: from the frame that the superblock names, one sequence number after
 * the other, to the end.
 *
 * A frame lies behind the one before it, or at the ring's start where it did not fit there. Of a
 * frame that was tried more than once the last whole attempt counts. The first one that is whole
 * nowhere ends the log, if nothing newer is there: it was on its way when the process died, and
 * nobody was told of it. With something newer behind it, or with fewer frames than a clean close
 * has counted, more than one place is damaged, and the store is refused.
 */
import { RmrError } from "@rmr/core"
import {
  bodyIn,
  decodeHead,
  type EntryPlace,
  FRAME_ALIGN,
  type FrameHead,
  headBytesOf,
} from "./frame.js"
import type { MetaLane } from "./meta-io.js"

export interface LogRing {
  readonly start: number
  readonly bytes: number
  readonly uuid: string
  /** One copy of a frame is at most this long. */
  readonly frameBytesMax: number
}

export interface LogTail {
  readonly sequence: number
  readonly at: number
}

export interface FoundFrame {
  readonly sequence: number
  /** Of the first copy, in the file. */
  readonly at: number
  readonly frameBytes: number
  readonly entries: readonly FoundEntry[]
  /** Copies that are not what was written: 0, 1 or, where a body is lost, 2. */
  readonly damagedCopies: number
}

export interface FoundEntry extends EntryPlace {
  /** Undefined where it is damaged in both copies. */
  readonly body: Uint8Array | undefined
}

interface Candidate {
  readonly at: number
  readonly head: FrameHead
  readonly isHeadDamaged: boolean
}

export class LogReplay {
  private readonly lane: MetaLane
  private readonly ring: LogRing
  private readonly heads = new Map<number, FrameHead | undefined>()
  private windowAt = -1
  private window: Uint8Array = new Uint8Array(0)

  constructor(lane: MetaLane, ring: LogRing) {
    this.lane = lane
    this.ring = ring
  }

  /** Frames from the tail on. `last` is the last one there must be, where that is known. */
  async frames(tail: LogTail, last: number | undefined): Promise<FoundFrame[]> {
    const frames: FoundFrame[] = []
    let next = tail.at
    for (let sequence = tail.sequence; last === undefined || sequence <= last; sequence++) {
      const isTail = sequence === tail.sequence
      const found = await this.frameAt(next, sequence, !isTail, last)
      if (found === undefined) {
        if (last !== undefined || isTail || (await this.isNewerBehind(next, sequence))) {
          throw new RmrError("corrupt", `the commit log is damaged at frame ${sequence}`)
        }
        return frames
      }
      frames.push(found)
      next = found.at + 2 * found.frameBytes
    }
    return frames
  }

  /** The frame of this number, behind the one before it or at the start of the ring. */
  private async frameAt(
    next: number,
    sequence: number,
    mayWrap: boolean,
    last: number | undefined,
  ): Promise<FoundFrame | undefined> {
    const { start } = this.ring
    const places = mayWrap && next !== start ? [next, start] : [next]
    const found: { readonly frame: FoundFrame; readonly attempt: number }[] = []
    for (const at of places) {
      const candidate = await this.candidateAt(at, sequence)
      if (candidate === undefined) continue
      found.push({ frame: await this.load(candidate), attempt: candidate.head.attempt })
    }
    const whole = found.filter(({ frame }) => frame.damagedCopies < 2)
    const best = newest(whole) ?? newest(found)
    if (best === undefined || whole.length > 0 || last !== undefined) return best?.frame
    // Not whole: it was on its way, unless it is known that more came after it.
    const behind = best.frame.at + 2 * best.frame.frameBytes
    return (await this.isNewerBehind(behind, sequence)) ? best.frame : undefined
  }

  /** A frame whose first copy begins here, by the head of either copy. */
  private async candidateAt(at: number, sequence: number): Promise<Candidate | undefined> {
    const first = await this.headAt(at)
    if (first?.copy === 0 && first.sequence === sequence && this.fits(at, first)) {
      return { at, head: first, isHeadDamaged: false }
    }
    const limit = Math.min(at + this.ring.frameBytesMax, this.end - FRAME_ALIGN)
    for (let from = at + FRAME_ALIGN; from <= limit; from += FRAME_ALIGN) {
      const head = await this.headAt(from)
      if (head === undefined || head.copy !== 1 || head.sequence !== sequence) continue
      if (from - head.frameBytes === at && this.fits(at, head)) {
        return { at, head, isHeadDamaged: true }
      }
    }
    return undefined
  }

  private async load({ at, head, isHeadDamaged }: Candidate): Promise<FoundFrame> {
    const { sequence, frameBytes } = head
    const copies = [
      await this.lane.readOrFill(at, frameBytes, FRAME_ALIGN, 0),
      await this.lane.readOrFill(at + frameBytes, frameBytes, FRAME_ALIGN, 0),
    ]
    const other = await this.headAt(at + frameBytes)
    const isOther = other?.copy !== 1 || other.sequence !== sequence
    const isDamaged = [isHeadDamaged, isOther || other.attempt !== head.attempt]
    let isLost = false
    const entries = head.entries.map((entry) => {
      const bodies = copies.map((copy) => bodyIn(copy, entry))
      for (const [nth, body] of bodies.entries()) if (body === undefined) isDamaged[nth] = true
      const body = bodies[0] ?? bodies[1]
      isLost ||= body === undefined
      return { ...entry, body }
    })
    const damagedCopies = isLost ? 2 : Math.min(1, isDamaged.filter((is) => is).length)
    return { sequence, at, frameBytes, entries, damagedCopies }
  }

  /** Whether a frame that is newer than this one lies where one could, behind `at`. */
  private async isNewerBehind(at: number, sequence: number): Promise<boolean> {
    const { start, frameBytesMax } = this.ring
    // The one between is not longer than the longest there can be.
    const lookBytes = 2 * frameBytesMax + FRAME_ALIGN
    return (
      (await this.isNewerIn(at, Math.min(this.end, at + lookBytes), sequence)) ||
      (await this.isNewerIn(start, Math.min(this.end, start + lookBytes), sequence))
    )
  }

  private async isNewerIn(from: number, end: number, sequence: number): Promise<boolean> {
    for (let at = from; at < end; at += FRAME_ALIGN) {
      const head = await this.headAt(at)
      if (head !== undefined && head.sequence > sequence) return true
    }
    return false
  }

  /** The head of any copy of any frame that begins here; each place is looked at once. */
  private async headAt(at: number): Promise<FrameHead | undefined> {
    if (at < this.ring.start || at + FRAME_ALIGN > this.end) return undefined
    if (!this.heads.has(at)) this.heads.set(at, await this.readHead(at))
    return this.heads.get(at)
  }

  private async readHead(at: number): Promise<FrameHead | undefined> {
    const first = await this.blockAt(at)
    const headBytes = headBytesOf(viewOf(first), 0, this.ring.uuid)
    if (headBytes === 0 || headBytes > this.ring.frameBytesMax) return undefined
    if (headBytes <= first.length) return decodeHead(viewOf(first), this.ring.uuid)
    if (at + headBytes > this.end) return undefined
    const whole = await this.lane.readOrFill(at, headBytes, FRAME_ALIGN, 0)
    return decodeHead(viewOf(whole), this.ring.uuid)
  }

  /** One block, through a window that serves its neighbours too. */
  private async blockAt(at: number): Promise<Uint8Array> {
    const isInside = at >= this.windowAt && at + FRAME_ALIGN <= this.windowAt + this.window.length
    if (this.windowAt < 0 || !isInside) {
      const length = Math.min(WINDOW_BYTES, this.end - at)
      this.window = await this.lane.readOrFill(at, length, FRAME_ALIGN, 0)
      this.windowAt = at
    }
    return this.window.subarray(at - this.windowAt, at - this.windowAt + FRAME_ALIGN)
  }

  private fits(at: number, { frameBytes }: FrameHead): boolean {
    return frameBytes <= this.ring.frameBytesMax && at + 2 * frameBytes <= this.end
  }

  private get end(): number {
    return this.ring.start + this.ring.bytes
  }
}

const WINDOW_BYTES = 64 * 1024

function newest<T extends { readonly attempt: number }>(found: readonly T[]): T | undefined {
  return found.reduce<T | undefined>(
    (best, one) => (best === undefined || one.attempt > best.attempt ? one : best),
    undefined,
  )
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
