/**
 * Things that wait for a count to be reached, in its order: pairs of numbers in a ring that grows.
 *
 * Counts are int32 and wrap around.
 */
const COUNT = 0
const VALUE = 1
const OTHER = 2
const STRIDE = 3

export class CountedRing {
  /** How many have been taken, since ever. */
  taken = 0
  private rows = new Int32Array(16 * STRIDE)
  private first = 0
  private length = 0

  get isEmpty(): boolean {
    return this.length === 0
  }

  /** Of the first one; there must be one. */
  get value(): number {
    return this.rows[this.first * STRIDE + VALUE]!
  }

  get other(): number {
    return this.rows[this.first * STRIDE + OTHER]!
  }

  /** Whether there is a first one, and its count is reached. */
  isDue(count: number): boolean {
    return this.length > 0 && ((count - this.rows[this.first * STRIDE + COUNT]!) | 0) >= 0
  }

  push(count: number, value: number, other: number): void {
    if (this.length * STRIDE === this.rows.length) this.grow()
    const capacity = this.rows.length / STRIDE
    const at = ((this.first + this.length) % capacity) * STRIDE
    this.rows[at + COUNT] = count
    this.rows[at + VALUE] = value
    this.rows[at + OTHER] = other
    this.length++
  }

  /** Takes the first one away. */
  shift(): void {
    this.first = (this.first + 1) % (this.rows.length / STRIDE)
    this.length--
    this.taken++
  }

  private grow(): void {
    const grown = new Int32Array(this.rows.length * 2)
    const head = this.rows.subarray(this.first * STRIDE)
    grown.set(head)
    grown.set(this.rows.subarray(0, this.first * STRIDE), head.length)
    this.rows = grown
    this.first = 0
  }
}
