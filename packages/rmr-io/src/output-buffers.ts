/**
 * Output buffers, kept between writes: one is in use per connection that is writing, and most
 * writes are taken by the kernel at once.
 */
import { Buffer } from "node:buffer"
import { pageArenas } from "./arenas.js"

/** Fits many heads with the largest payload that is copied. */
export const OUTPUT_BYTES: number = 256 * 1024
const KEPT_MAX = 8

export interface OutputBuffer {
  /** A Buffer: of anything else, Node's streams would make one for each write. */
  readonly bytes: Uint8Array
  readonly view: DataView
}

export class OutputBuffers {
  private readonly free: OutputBuffer[] = []
  private isFirst = true

  take(): OutputBuffer {
    return this.free.pop() ?? this.make()
  }

  give(buffer: OutputBuffer): void {
    if (this.free.length < KEPT_MAX) this.free.push(buffer)
  }

  /** The first is an arena, which native code knows; most writes find no other in use. */
  private make(): OutputBuffer {
    const { isFirst } = this
    this.isFirst = false
    return isFirst
      ? bufferOn(pageArenas([OUTPUT_BYTES])[0]!)
      : bufferOn(new Uint8Array(OUTPUT_BYTES))
  }
}

function bufferOn({ buffer, byteOffset, length }: Uint8Array): OutputBuffer {
  const bytes = Buffer.from(buffer as ArrayBuffer, byteOffset, length)
  return { bytes, view: new DataView(buffer, byteOffset, length) }
}
