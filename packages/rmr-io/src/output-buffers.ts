/**
 * Output buffers, kept between writes: one is in use per connection that is writing, and most
 * writes are taken by the kernel at once. All of them are parts of arenas, which native code knows.
 *
 * What fits a small one gets a small one: many connections have a few heads to send in the same
 * turn, and few have much. Whoever finds no large one writes what fits a small one, and the rest
 * behind it. Only where more connections than that wait for their peers is a small one made that
 * is not kept.
 */
import { Buffer } from "node:buffer"
import { pageArenas } from "./arenas.js"

/** Fits many heads with the largest payload that is copied. */
export const OUTPUT_BYTES: number = 256 * 1024
/** Fits one such head with its payload. */
export const SMALL_OUTPUT_BYTES: number = 32 * 1024
const KEPT_MAX = 8
const SMALL_KEPT_MAX = 64

export interface OutputBuffer {
  /** A Buffer: of anything else, Node's streams would make one for each write. */
  readonly bytes: Uint8Array
  readonly view: DataView
}

export class OutputBuffers {
  private readonly large = new KeptBuffers(OUTPUT_BYTES, KEPT_MAX)
  private readonly small = new KeptBuffers(SMALL_OUTPUT_BYTES, SMALL_KEPT_MAX)

  /** For so many bytes, or for the first of them. */
  take(bytes: number): OutputBuffer {
    const large = bytes > SMALL_OUTPUT_BYTES ? this.large.take() : undefined
    return large ?? this.small.take() ?? bufferOn(new Uint8Array(SMALL_OUTPUT_BYTES))
  }

  give(buffer: OutputBuffer): void {
    if (buffer.bytes.length === OUTPUT_BYTES) this.large.give(buffer)
    else this.small.give(buffer)
  }
}

/** Buffers of one size, in one arena, whose pages cost nothing before they are written to. */
class KeptBuffers {
  private readonly bytes: number
  private readonly countMax: number
  private arena: Uint8Array | undefined
  private readonly free: OutputBuffer[] = []
  private readonly kept = new Set<OutputBuffer>()

  constructor(bytes: number, countMax: number) {
    this.bytes = bytes
    this.countMax = countMax
  }

  /** Undefined where all are in use. */
  take(): OutputBuffer | undefined {
    return this.free.pop() ?? this.make()
  }

  give(buffer: OutputBuffer): void {
    if (this.kept.has(buffer)) this.free.push(buffer)
  }

  private make(): OutputBuffer | undefined {
    const { bytes, countMax } = this
    const count = this.kept.size
    if (count === countMax) return undefined
    this.arena ??= pageArenas([bytes * countMax])[0]!
    const buffer = bufferOn(this.arena.subarray(count * bytes, (count + 1) * bytes))
    this.kept.add(buffer)
    return buffer
  }
}

function bufferOn({ buffer, byteOffset, length }: Uint8Array): OutputBuffer {
  const bytes = Buffer.from(buffer as ArrayBuffer, byteOffset, length)
  return { bytes, view: new DataView(buffer, byteOffset, length) }
}
