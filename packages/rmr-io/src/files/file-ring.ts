/**
 * The ring of a thread: reads, writes and flushes that wait for a device, of all of its files.
 *
 * What is added in a turn starts at its end with one system call; what has ended comes in a turn
 * together with everything else that is ready, and no thread is woken for it. Where the ring is
 * full, or does not know the memory, the caller has Node's threads.
 */
import { assert } from "@rmr/core"
import { MOVE_FLUSH, MOVE_READ, MOVES_MAX, type NativeAddon } from "../native-addon.js"
import { turnEnds } from "../turn-ends.js"
import { type Ended, NODE_CALLS } from "./file-calls.js"
import { failureOf } from "./hole-queue.js"
import { Moves } from "./moves.js"

/** What stands where nobody waits. */
const nobody: Ended = () => undefined
const NO_MEMORY: Uint8Array = new Uint8Array(0)

class FileRing {
  private readonly addon: NativeAddon
  private readonly moves = new Moves(MOVES_MAX)
  /** By tag. */
  private readonly ends: Ended[] = new Array<Ended>(MOVES_MAX).fill(nobody)
  private readonly freeTags = new Int32Array(MOVES_MAX)
  private freeCount = MOVES_MAX
  /** Tag and result of each move that has ended. */
  private readonly ended: Int32Array
  private readonly runSubmit = (): void => this.submit()

  constructor(addon: NativeAddon, ended: ArrayBuffer) {
    this.addon = addon
    this.ended = new Int32Array(ended)
    for (let tag = 0; tag < MOVES_MAX; tag++) this.freeTags[tag] = tag
  }

  /** False: it has to be done in another way. */
  add(
    kind: number,
    fd: number,
    memory: Uint8Array,
    at: number,
    bytes: number,
    offset: number,
    end: Ended,
  ): boolean {
    if (this.freeCount === 0) return false
    const tag = this.freeTags[--this.freeCount]!
    this.ends[tag] = end
    this.moves.add(kind, fd, memory, at, bytes, offset, tag)
    if (this.moves.count === 1) turnEnds.add(this.runSubmit)
    return true
  }

  flush(fd: number, end: Ended): boolean {
    return this.add(MOVE_FLUSH, fd, NO_MEMORY, 0, 0, 0, end)
  }

  /** So many have ended. */
  onEnded(count: number): void {
    turnEnds.hold()
    for (let nth = 0; nth < count; nth++) {
      const result = this.ended[2 * nth + 1]!
      const end = this.take(this.ended[2 * nth]!)
      end(result < 0 ? failureOf(-result) : null, Math.max(0, result))
    }
  }

  private submit(): void {
    const { moves } = this
    const { count } = moves
    const taken = moves.haveSlots ? this.addon.submitMoves(moves.rows, count) : 0
    // An end may add the next move: the table is empty by then.
    const left = taken < count ? this.callsFrom(taken) : []
    moves.clear()
    for (const call of left) call()
  }

  /** What the ring has not taken, each as a call for Node's threads. */
  private callsFrom(first: number): readonly (() => void)[] {
    const { moves } = this
    const calls: (() => void)[] = []
    for (let nth = first; nth < moves.count; nth++) {
      const end = this.take(moves.tagOf(nth))
      const fd = moves.fdOf(nth)
      const kind = moves.kindOf(nth)
      const [memory, at] = [moves.memoryOf(nth), moves.atOf(nth)]
      const [bytes, offset] = [moves.bytesOf(nth), moves.offsetOf(nth)]
      const call = kind === MOVE_READ ? NODE_CALLS.read : NODE_CALLS.write
      if (kind === MOVE_FLUSH) calls.push(() => NODE_CALLS.flush(fd, end))
      else calls.push(() => call(fd, memory, at, bytes, offset, end))
    }
    return calls
  }

  private take(tag: number): Ended {
    const end = this.ends[tag]!
    assert(end !== nobody, "a move ends once")
    this.ends[tag] = nobody
    this.freeTags[this.freeCount++] = tag
    return end
  }
}

export type { FileRing }

let ring: FileRing | undefined
let isAsked = false

/** The one of this thread; undefined where the kernel has none for us. */
export function fileRing(addon: NativeAddon): FileRing | undefined {
  if (isAsked) return ring
  isAsked = true
  addon.startTurns(() => turnEnds.release())
  const ended = addon.startFiles((count) => ring?.onEnded(count))
  if (ended !== undefined) ring = new FileRing(addon, ended)
  return ring
}
