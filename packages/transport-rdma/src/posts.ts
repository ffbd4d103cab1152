/**
 * What is to be posted in this turn, as rows for one native call at the end of it.
 *
 * What finds no room in the queue of its line waits apart from that of all others, until the device
 * has told that it is through with something of that line: some of what fills a queue is always
 * told of. So a line whose other side takes nothing holds up nobody else, and costs nobody else
 * anything. Rows of a line keep their order.
 */
import type { Engine, NativeAddon } from "./native-addon.js"
import { POST_BROKE } from "./native-addon.js"
import { POST_KIND, POST_LINE, POST_STRIDE, POSTS_MAX } from "./verbs-table.js"
import { WaitingRows } from "./waiting-rows.js"

/** Of a line in one call, so that one with many leaves room for the others. */
const TRIED_MAX = 64

export class Posts {
  private readonly native: NativeAddon
  private readonly engine: Engine
  private readonly rows: Int32Array
  private readonly waitingByLine = new Map<number, WaitingRows>()
  private count = 0
  private isBroken = false

  constructor(native: NativeAddon, engine: Engine, rows: Int32Array) {
    this.native = native
    this.engine = engine
    this.rows = rows
  }

  /** Rows that find no room, by the number of their line. */
  get waiting(): ReadonlyMap<number, WaitingRows> {
    return this.waitingByLine
  }

  /** Whether there is something that may be posted. */
  get isReady(): boolean {
    if (this.count > 0) return true
    if (this.waiting.size === 0) return false
    for (const { isDue } of this.waiting.values()) if (isDue) return true
    return false
  }

  /** The device is through with something of this line. */
  onRoom(line: number): void {
    if (this.waiting.size === 0) return
    const waiting = this.waiting.get(line)
    if (waiting !== undefined) waiting.isDue = true
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
    let waiting = this.waiting.size === 0 ? undefined : this.waiting.get(line)
    if (waiting === undefined && this.count === POSTS_MAX) {
      this.post()
      // Rows of this line may have found no room just now.
      waiting = this.waiting.get(line)
    }
    const row = waiting === undefined ? this.count++ * POST_STRIDE : waiting.add()
    const rows = waiting === undefined ? this.rows : waiting.words
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

  /** The line is over: its number may soon be another one's. What has no kind is passed over. */
  drop(line: number): void {
    const { rows } = this
    for (let row = 0; row < this.count * POST_STRIDE; row += POST_STRIDE) {
      if (rows[row + POST_LINE] === line) rows[row + POST_KIND] = 0
    }
    this.waitingByLine.delete(line)
  }

  /** True where a line broke, which the next turn tells. */
  send(): boolean {
    if (this.waiting.size > 0) this.tryWaiting()
    if (this.count > 0) this.post()
    const { isBroken } = this
    this.isBroken = false
    return isBroken
  }

  /** Each line that may have room is tried once. */
  private tryWaiting(): void {
    for (const rows of [...this.waiting.values()]) {
      if (!rows.isDue) continue
      if (this.count + TRIED_MAX > POSTS_MAX) this.post()
      this.count += rows.takeInto(this.rows, this.count, TRIED_MAX)
    }
  }

  /** All of the table; what finds no room is set apart. */
  private post(): void {
    const answer = this.native.post(this.engine, this.count)
    this.isBroken ||= answer >= POST_BROKE
    this.count = 0
    const left = answer & (POST_BROKE - 1)
    for (let nth = 0; nth < left; nth++) this.setApart(nth * POST_STRIDE)
    if (this.waiting.size > 0) this.settle()
  }

  /** What was taken from those that wait is not posted, or they have one more behind them. */
  private setApart(row: number): void {
    const { rows } = this
    const line = rows[row + POST_LINE]!
    let waiting = this.waiting.get(line)
    if (waiting?.giveBack() === true) return
    if (waiting === undefined) {
      waiting = new WaitingRows()
      this.waitingByLine.set(line, waiting)
    }
    const at = waiting.add()
    waiting.words.set(rows.subarray(row, row + POST_STRIDE), at)
  }

  private settle(): void {
    for (const [line, rows] of this.waiting) {
      rows.settle()
      if (rows.count === 0) this.waitingByLine.delete(line)
    }
  }
}
