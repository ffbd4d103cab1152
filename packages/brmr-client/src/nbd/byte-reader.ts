/**
 * Reads the data of an option: integers and texts of the network, in order. What is not there is
 * `undefined` or makes `isBad` true; nothing throws for bytes.
 */
import { readUtf8 } from "@rmr/core"
import { TEXT_BYTES_MAX } from "./protocol.js"

export class ByteReader {
  isBad = false
  private readonly view: DataView
  private at = 0

  constructor(bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  /** Everything was read, and all of it was good. */
  get isDone(): boolean {
    return !this.isBad && this.at === this.view.byteLength
  }

  u16(): number {
    return this.has(2) ? this.view.getUint16(this.at - 2) : 0
  }

  u32(): number {
    return this.has(4) ? this.view.getUint32(this.at - 4) : 0
  }

  /** A text behind its length. */
  text(): string {
    return this.textOf(this.u32())
  }

  /** A text that takes the rest. */
  rest(): string {
    return this.textOf(this.view.byteLength - this.at)
  }

  private textOf(bytes: number): string {
    const text =
      bytes <= TEXT_BYTES_MAX && this.has(bytes)
        ? readUtf8(this.view, this.at - bytes, bytes)
        : undefined
    if (text === undefined || text.includes("\0")) this.isBad = true
    return text ?? ""
  }

  private has(bytes: number): boolean {
    if (this.isBad || this.at + bytes > this.view.byteLength) {
      this.isBad = true
      return false
    }
    this.at += bytes
    return true
  }
}
