/** Writes what the handshake says: integers and texts of the network, in order. */
import { utf8Bytes, writeUtf8 } from "@rmr/core"

const BYTES_FIRST = 256

export class ByteWriter {
  private bytes = new Uint8Array(BYTES_FIRST)
  private view = new DataView(this.bytes.buffer)
  filledBytes = 0

  u16(value: number): this {
    const at = this.room(2)
    this.view.setUint16(at, value)
    return this
  }

  u32(value: number): this {
    const at = this.room(4)
    this.view.setUint32(at, value)
    return this
  }

  u64(value: number): this {
    return this.u32(Math.floor(value / 2 ** 32)).u32(value % 2 ** 32)
  }

  /** Without its length. */
  text(text: string): this {
    const bytes = utf8Bytes(text)
    writeUtf8(this.viewWith(bytes), this.filledBytes, text)
    this.filledBytes += bytes
    return this
  }

  raw(bytes: Uint8Array): this {
    const at = this.room(bytes.length)
    this.bytes.set(bytes, at)
    return this
  }

  zeroes(count: number): this {
    const at = this.room(count)
    this.bytes.fill(0, at, at + count)
    return this
  }

  take(): Uint8Array {
    const taken = this.bytes.slice(0, this.filledBytes)
    this.filledBytes = 0
    return taken
  }

  private room(bytes: number): number {
    this.viewWith(bytes)
    this.filledBytes += bytes
    return this.filledBytes - bytes
  }

  private viewWith(bytes: number): DataView {
    const needed = this.filledBytes + bytes
    if (needed > this.bytes.length) {
      const grown = new Uint8Array(needed * 2)
      grown.set(this.bytes)
      this.bytes = grown
      this.view = new DataView(grown.buffer)
    }
    return this.view
  }
}
