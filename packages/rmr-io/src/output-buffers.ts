/**
 * Output buffers, kept between writes: one is in use per connection that is writing, and most
 * writes are taken by the kernel at once.
 */
import { Buffer } from "node:buffer"

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

  take(): OutputBuffer {
    return this.free.pop() ?? made()
  }

  give(buffer: OutputBuffer): void {
    if (this.free.length < KEPT_MAX) this.free.push(buffer)
  }
}

function made(): OutputBuffer {
  const bytes = Buffer.allocUnsafeSlow(OUTPUT_BYTES)
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length) }
}
