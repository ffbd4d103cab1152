/**
 * Holes on their way to a thread of Node's: one batch at a time, and the next gathers meanwhile.
 *
 * What is added in one go leaves as one batch, and so does everything that is added while a batch
 * is under way. So however many holes there are, one file occupies one thread, and in steady state
 * nothing is made per hole: two tables of numbers take turns, as long as the longest batch so far.
 */
import { getSystemErrorName } from "node:util"
import { assert, firstRows, longer, moreRows } from "@rmr/core"
import {
  HOLE_BYTES,
  HOLE_ERRNO,
  HOLE_FD,
  HOLE_IS_DURABLE,
  HOLE_MODE,
  HOLE_OFFSET,
  HOLE_STRIDE,
  type NativeAddon,
} from "../native-addon.js"
import type { Ended, FileFailure } from "./file-calls.js"

interface Table {
  words: Float64Array
  readonly ends: Ended[]
  count: number
}

export class HoleQueue {
  private readonly addon: NativeAddon
  private readonly countMax: number
  private gathering: Table
  private running: Table
  private isScheduled = false
  private isRunning = false
  private readonly runStart = (): void => this.start()
  private readonly onBatchEnded = (): void => this.endBatch()

  constructor(addon: NativeAddon, countMax: number) {
    this.addon = addon
    this.countMax = countMax
    this.gathering = tableOf(countMax)
    this.running = tableOf(countMax)
  }

  /** `end` is told the bytes of the hole; one that is durable is so when it is told. */
  add(
    fd: number,
    mode: number,
    offset: number,
    bytes: number,
    isDurable: boolean,
    end: Ended,
  ): void {
    const { count } = this.gathering
    assert(count < this.countMax, "no more holes at once than operations in flight")
    if (count === this.gathering.ends.length) this.makeRoom(this.gathering)
    const { words, ends } = this.gathering
    const at = count * HOLE_STRIDE
    words[at + HOLE_FD] = fd
    words[at + HOLE_MODE] = mode
    words[at + HOLE_OFFSET] = offset
    words[at + HOLE_BYTES] = bytes
    words[at + HOLE_IS_DURABLE] = isDurable ? 1 : 0
    ends[count] = end
    this.gathering.count++
    if (this.isRunning || this.isScheduled) return
    this.isScheduled = true
    queueMicrotask(this.runStart)
  }

  private makeRoom(table: Table): void {
    const rows = moreRows(table.ends.length, table.count + 1, this.countMax)
    table.words = longer(table.words, rows * HOLE_STRIDE)
    while (table.ends.length < rows) table.ends.push(forgotten)
  }

  private start(): void {
    this.isScheduled = false
    this.isRunning = true
    const { gathering } = this
    this.gathering = this.running
    this.running = gathering
    this.addon.makeHoles(gathering.words, gathering.count, this.onBatchEnded)
  }

  private endBatch(): void {
    const { words, ends, count } = this.running
    for (let nth = 0; nth < count; nth++) {
      const at = nth * HOLE_STRIDE
      const errno = words[at + HOLE_ERRNO]!
      const end = ends[nth]!
      ends[nth] = forgotten
      end(errno === 0 ? null : failureOf(errno), words[at + HOLE_BYTES]!)
    }
    this.running.count = 0
    this.isRunning = false
    if (this.gathering.count > 0) this.start()
  }
}

export function failureOf(errno: number): FileFailure {
  const code = getSystemErrorName(-errno)
  return { code, message: `${code} (errno ${errno})` }
}

/** What stands where nobody waits: a table keeps no file alive. */
const forgotten: Ended = () => undefined

function tableOf(countMax: number): Table {
  const rows = firstRows(countMax)
  return {
    words: new Float64Array(rows * HOLE_STRIDE),
    ends: new Array<Ended>(rows).fill(forgotten),
    count: 0,
  }
}
