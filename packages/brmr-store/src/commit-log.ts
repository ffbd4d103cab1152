/**
 * CommitLog: a ring of frames, each appended and durable before anything of it counts.
 *
 * It begins with the frame that the superblock names, its tail, and ends with the last that was
 * appended. Space is free again when the superblock names a later tail, and not before. So a frame
 * on its way never overwrites one that a reader could still need. Some space is kept back for a
 * frame with the hot set as a whole, the one that a new tail needs.
 */
import { assert, STATUS_OK, statusOf } from "@rmr/core"
import { encodeFrame, type FrameEntry, frameBytesOf } from "./frame.js"
import type { FoundFrame, LogRing, LogTail } from "./log-replay.js"
import type { MetaLane } from "./meta-io.js"

export interface Appended {
  readonly status: number
  readonly sequence: number
  readonly at: number
}

/** A tail of the log as a position in all that was ever appended. */
interface Position extends LogTail {
  readonly distance: number
}

const ATTEMPTS_MAX = 0xffff
const IO_ERROR = statusOf("io-error")

export class CommitLog {
  readonly ring: LogRing
  private readonly lane: MetaLane
  private readonly reserveBytes: number
  private last: Position
  private tailNow: Position
  /** Distance of the end from where this log was opened. */
  private end: number
  private attempt = 0

  /** `frames`: what was found, from the tail to the last one. */
  constructor(lane: MetaLane, ring: LogRing, reserveBytes: number, frames: readonly FoundFrame[]) {
    this.lane = lane
    this.ring = ring
    this.reserveBytes = reserveBytes
    const [first] = frames
    assert(first !== undefined, "a log has a frame to begin with")
    let distance = 0
    let at = first.at
    this.tailNow = { sequence: first.sequence, at, distance }
    this.last = this.tailNow
    this.end = 0
    for (const frame of frames) {
      // What lies between two frames is the rest of the ring, where the later one did not fit.
      distance += frame.at >= at ? frame.at - at : ring.start + ring.bytes - at
      this.last = { sequence: frame.sequence, at: frame.at, distance }
      distance += 2 * frame.frameBytes
      at = frame.at + 2 * frame.frameBytes
      this.end = distance
    }
    this.nextAt = at
  }

  private nextAt: number

  get lastSequence(): number {
    return this.last.sequence
  }

  get tail(): LogTail {
    return this.tailNow
  }

  /** A tail would free a good part of the ring. */
  get isWorthCutting(): boolean {
    return this.usedBytes > this.ring.bytes / 2
  }

  /** Whether a frame with as much in it fits; `isSnapshot`: also into what is kept back. */
  hasRoomFor(entryBytes: number, isSnapshot: boolean): boolean {
    const { skip, bytes } = this.placeFor(2 * frameBytesOf(entryBytes))
    const keep = isSnapshot ? 0 : this.reserveBytes
    return this.usedBytes + skip + bytes <= this.ring.bytes - keep
  }

  /** One frame, durable at the end. A status that is not STATUS_OK has changed nothing yet. */
  async append(entries: readonly FrameEntry[]): Promise<Appended> {
    const sequence = this.last.sequence + 1
    const { attempt } = this
    const frame = encodeFrame({ uuid: this.ring.uuid, sequence, attempt }, entries)
    const { skip, at, bytes } = this.placeFor(frame.length)
    assert(this.usedBytes + skip + bytes <= this.ring.bytes, "the frame overwrites no other")
    assert(bytes === frame.length, "the frame has the length that was counted")
    // What is written under this number again must be told from what is written now.
    if (attempt === ATTEMPTS_MAX) return { status: IO_ERROR, sequence, at }
    this.attempt = attempt + 1
    const status = await this.lane.writeDurably(at, frame)
    if (status === STATUS_OK) {
      this.last = { sequence, at, distance: this.end + skip }
      this.end += skip + bytes
      this.nextAt = at + bytes
      this.attempt = 0
    }
    return { status, sequence, at }
  }

  /** The last frame that was appended, for `cutTo`. */
  get lastFrame(): LogTail {
    return this.last
  }

  /** The superblock, both copies of it, names this frame as the tail: what is before it is free. */
  cutTo(tail: LogTail): void {
    const position = tail as Position
    assert(position.distance >= this.tailNow.distance, "a tail moves forward")
    this.tailNow = position
  }

  get usedBytes(): number {
    return this.end - this.tailNow.distance
  }

  /** Where a frame of this length goes, and how much of the ring's end it leaves out. */
  private placeFor(bytes: number): { at: number; skip: number; bytes: number } {
    const { start, bytes: ringBytes } = this.ring
    const left = start + ringBytes - this.nextAt
    return left >= bytes ? { at: this.nextAt, skip: 0, bytes } : { at: start, skip: left, bytes }
  }
}
