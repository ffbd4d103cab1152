/**
 * What is to be posted in this turn, as rows for one native call at the end of it.
 *
 * What finds no room in the queue of its line stays, and goes with a later call: the device tells
 * when it is through with something, and that is a turn. Rows of a line keep their order.
 */
import type { Engine, NativeAddon } from "./native-addon.js"
import { POST_BROKE } from "./native-addon.js"
import { POST_KIND, POST_LINE, POST_STRIDE, POSTS_MAX } from "./verbs-table.js"

/** What has no kind is passed over. */
function forget(rows: Int32Array, count: number, line: number): void {
  for (let row = 0; row < count * POST_STRIDE; row += POST_STRIDE) {
    if (rows[row + POST_LINE] === line) rows[row + POST_KIND] = 0
  }
}

export class Posts {
  private readonly native: NativeAddon
  private readonly engine: Engine
  private readonly rows: Int32Array
  /** Rows that the table has no place for, in order; the first `laterCount` of them. */
  private later: Int32Array = new Int32Array(0)
  private laterCount = 0
  private count = 0

  constructor(native: NativeAddon, engine: Engine, rows: Int32Array) {
    this.native = native
    this.engine = engine
    this.rows = rows
  }

  get isEmpty(): boolean {
    return this.count === 0
  }

  add(
    line: number,
    kind: number,
    headAt: number,
    headBytes: number,
    arena: number,
    at: number,
    bytes: number,
    place: number,
    key: number,
    low: number,
    high: number,
    isSummed: boolean,
    isTold: boolean,
  ): void {
    const isLater = this.count === POSTS_MAX
    const rows = isLater ? this.roomLater() : this.rows
    const row = (isLater ? this.laterCount++ : this.count++) * POST_STRIDE
    rows[row] = line
    rows[row + 1] = kind
    rows[row + 2] = headAt
    rows[row + 3] = headBytes
    rows[row + 4] = arena
    rows[row + 5] = at
    rows[row + 6] = bytes
    rows[row + 7] = place
    rows[row + 8] = key
    rows[row + 9] = low
    rows[row + 10] = high
    rows[row + 11] = isSummed ? 1 : 0
    rows[row + 12] = isTold ? 1 : 0
  }

  /** The line is over: its number may soon be another one's. */
  drop(line: number): void {
    forget(this.rows, this.count, line)
    forget(this.later, this.laterCount, line)
  }

  /** True where a line broke, which the next turn tells. */
  send(): boolean {
    let isBroken = false
    let before = -1
    while (this.count > 0 && this.count + this.laterCount !== before) {
      before = this.count + this.laterCount
      const answer = this.native.post(this.engine, this.count)
      isBroken ||= answer >= POST_BROKE
      this.count = answer & (POST_BROKE - 1)
      if (this.laterCount === 0) break
      this.moveUp()
    }
    return isBroken
  }

  private roomLater(): Int32Array {
    if ((this.laterCount + 1) * POST_STRIDE > this.later.length) {
      const grown = new Int32Array(Math.max(this.later.length * 2, POSTS_MAX * POST_STRIDE))
      grown.set(this.later)
      this.later = grown
    }
    return this.later
  }

  private moveUp(): void {
    const moved = Math.min(POSTS_MAX - this.count, this.laterCount)
    this.rows.set(this.later.subarray(0, moved * POST_STRIDE), this.count * POST_STRIDE)
    this.later.copyWithin(0, moved * POST_STRIDE, this.laterCount * POST_STRIDE)
    this.count += moved
    this.laterCount -= moved
  }
}
