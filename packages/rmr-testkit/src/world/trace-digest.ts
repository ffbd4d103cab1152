/**
 * A running digest of everything that happened, so that two runs are compared by sixteen digits.
 *
 * It tells apart, it does not protect: two 32-bit lanes with different multipliers, fed one word at
 * a time without allocation. A number is fed as the eight bytes of its double, so that -0,
 * fractions and large offsets all count.
 */

export interface TraceDigest {
  word(value: number): void
  number(value: number): void
  text(value: string): void
  /** Sixteen hex digits over everything fed so far. */
  hex(): string
}

export function traceDigest(): TraceDigest {
  return new TwoLaneDigest()
}

const LANE_A = 0
const LANE_B = 1

class TwoLaneDigest implements TraceDigest {
  private readonly lanes = new Uint32Array([0x811c_9dc5, 0x6a09_e667])
  private readonly double = new Float64Array(1)
  private readonly halves = new Uint32Array(this.double.buffer)

  word(value: number): void {
    const lanes = this.lanes
    const a = Math.imul(lanes[LANE_A]! ^ value, 0x9e37_79b1)
    const b = Math.imul((lanes[LANE_B]! + value) | 0, 0x85eb_ca77)
    lanes[LANE_A] = a ^ (a >>> 15)
    lanes[LANE_B] = b ^ (b >>> 13) ^ a
  }

  number(value: number): void {
    this.double[0] = value
    this.word(this.halves[0]!)
    this.word(this.halves[1]!)
  }

  text(value: string): void {
    this.word(value.length)
    for (let at = 0; at < value.length; at++) this.word(value.charCodeAt(at))
  }

  hex(): string {
    const a = this.lanes[LANE_A]!.toString(16).padStart(8, "0")
    const b = this.lanes[LANE_B]!.toString(16).padStart(8, "0")
    return a + b
  }
}
