/**
 * Output buffers, kept between writes: one is in use per connection that is writing, and most
 * writes are taken by the kernel at once. Those that are kept are arenas, which native code knows.
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
  private readonly kept = new Set<OutputBuffer>()

  take(): OutputBuffer {
    return this.free.pop() ?? this.make()
  }

  give(buffer: OutputBuffer): void {
    if (this.kept.has(buffer)) this.free.push(buffer)
  }

  private make(): OutputBuffer {
    if (this.kept.size === KEPT_MAX) return bufferOn(new Uint8Array(OUTPUT_BYTES))
    const buffer = bufferOn(pageArenas([OUTPUT_BYTES])[0]!)
    this.kept.add(buffer)
    return buffer
  }
}

function bufferOn({ buffer, byteOffset, length }: Uint8Array): OutputBuffer {
  const bytes = Buffer.from(buffer as ArrayBuffer, byteOffset, length)
  return { bytes, view: new DataView(buffer, byteOffset, length) }
}
