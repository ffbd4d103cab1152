/**
 * Credits as numbered slots: each credit of each lane has an index, and with it a place for its
 * header. The numbers of a lane lie together, io first, so that both ends know the lane of a number
 * without being told.
 */
import type { Lane, LaneCredits } from "../ports/transport.js"
import { LANE_CONTROL, LANE_IO, LANE_SYNC } from "../ports/transport.js"

export const NO_INDEX = -1
const LANES: readonly Lane[] = [LANE_IO, LANE_SYNC, LANE_CONTROL]

export class Credits {
  readonly count: number
  private readonly firsts: Int32Array
  /** A stack of free indices per lane, each in the range of its lane. */
  private readonly free: Int32Array
  private readonly freeCounts: Int32Array

  constructor(credits: LaneCredits) {
    const [io, sync, control] = credits
    this.count = io + sync + control
    this.firsts = Int32Array.of(0, io, io + sync)
    this.freeCounts = Int32Array.of(io, sync, control)
    // The top of each stack is its lowest index: few credits in use touch little memory.
    this.free = new Int32Array(this.count)
    for (const lane of LANES) {
      const first = this.firsts[lane]!
      for (let nth = 0; nth < credits[lane]; nth++) {
        this.free[first + nth] = first + credits[lane] - 1 - nth
      }
    }
  }

  freeCount(lane: Lane): number {
    return this.freeCounts[lane]!
  }

  laneOf(index: number): Lane {
    if (index < this.firsts[LANE_SYNC]!) return LANE_IO
    return index < this.firsts[LANE_CONTROL]! ? LANE_SYNC : LANE_CONTROL
  }

  /** An index of this lane that is free, or NO_INDEX. */
  take(lane: Lane): number {
    const left = this.freeCounts[lane]! - 1
    if (left < 0) return NO_INDEX
    this.freeCounts[lane] = left
    return this.free[this.firsts[lane]! + left]!
  }

  give(index: number): void {
    const lane = this.laneOf(index)
    const count = this.freeCounts[lane]!
    this.free[this.firsts[lane]! + count] = index
    this.freeCounts[lane] = count + 1
  }
}
