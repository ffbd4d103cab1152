/**
 * Moves: bytes between open files and memory, as rows of numbers that native code takes whole.
 *
 * Memory is named by its slot where the addon knows it (arena-slots.ts), and stands beside the row
 * for whoever does without.
 */
import { assert } from "@rmr/core"
import { NO_SLOT, slotOfMemory } from "../arena-slots.js"
import {
  MOVE_AT,
  MOVE_BYTES,
  MOVE_FD,
  MOVE_FLUSH,
  MOVE_KIND,
  MOVE_OFFSET,
  MOVE_RESULT,
  MOVE_SLOT,
  MOVE_STRIDE,
  MOVE_TAG,
} from "../native-addon.js"

const NO_MEMORY: Uint8Array = new Uint8Array(0)

export class Moves {
  count = 0
  readonly rows: Float64Array
  /** False: native code cannot do some of them. */
  haveSlots = true
  private readonly memories: Uint8Array[]
  /** Of the last row: most have the same. */
  private memory: Uint8Array = NO_MEMORY
  private slot = NO_SLOT
  private base = 0

  constructor(countMax: number) {
    this.rows = new Float64Array(countMax * MOVE_STRIDE)
    this.memories = new Array<Uint8Array>(countMax).fill(NO_MEMORY)
  }

  add(
    kind: number,
    fd: number,
    memory: Uint8Array,
    at: number,
    bytes: number,
    offset: number,
    tag: number,
  ): void {
    assert(this.count < this.memories.length, "a table of moves has room for those in flight")
    if (memory !== this.memory) this.find(memory)
    if (this.slot === NO_SLOT && kind !== MOVE_FLUSH) this.haveSlots = false
    const { rows } = this
    const row = this.count * MOVE_STRIDE
    rows[row + MOVE_KIND] = kind
    rows[row + MOVE_FD] = fd
    rows[row + MOVE_SLOT] = this.slot
    rows[row + MOVE_AT] = this.base + at
    rows[row + MOVE_BYTES] = bytes
    rows[row + MOVE_OFFSET] = offset
    rows[row + MOVE_TAG] = tag
    this.memories[this.count] = memory
    this.count++
  }

  clear(): void {
    this.count = 0
    this.haveSlots = true
  }

  kindOf(nth: number): number {
    return this.rows[nth * MOVE_STRIDE + MOVE_KIND]!
  }

  fdOf(nth: number): number {
    return this.rows[nth * MOVE_STRIDE + MOVE_FD]!
  }

  memoryOf(nth: number): Uint8Array {
    return this.memories[nth]!
  }

  /** Where it starts in `memoryOf`. */
  atOf(nth: number): number {
    return this.rows[nth * MOVE_STRIDE + MOVE_AT]! - this.memories[nth]!.byteOffset
  }

  bytesOf(nth: number): number {
    return this.rows[nth * MOVE_STRIDE + MOVE_BYTES]!
  }

  offsetOf(nth: number): number {
    return this.rows[nth * MOVE_STRIDE + MOVE_OFFSET]!
  }

  tagOf(nth: number): number {
    return this.rows[nth * MOVE_STRIDE + MOVE_TAG]!
  }

  /** How many bytes were moved, or a negative errno. */
  resultOf(nth: number): number {
    return this.rows[nth * MOVE_STRIDE + MOVE_RESULT]!
  }

  setResult(nth: number, result: number): void {
    this.rows[nth * MOVE_STRIDE + MOVE_RESULT] = result
  }

  private find(memory: Uint8Array): void {
    this.memory = memory
    this.slot = slotOfMemory(memory.buffer)
    this.base = memory.byteOffset
  }
}
