/**
 * What arrived in a turn: a table of frames, and the heads and texts that it points to.
 *
 * There are two of each, because a frame can arrive while a table is being looked at: memory that
 * is released there lets a waiting payload in.
 */
import { NO_LEASE } from "@rmr/core"
import { copyBytes } from "./copy-bytes.js"
import type { FrameBatch } from "./socket-engine.js"
import {
  FRAME_CONNECTION,
  FRAME_HEAD_AT,
  FRAME_LEASE,
  FRAME_PAYLOAD_BYTES,
  FRAME_STRIDE,
  FRAME_TEXT_BYTES,
} from "./socket-engine.js"

const ROWS_FIRST = 64
const BYTES_FIRST = 8192

/** A table that grows to the largest turn there was. */
export class FrameTable implements FrameBatch {
  count = 0
  words: Int32Array = new Int32Array(ROWS_FIRST * FRAME_STRIDE)
  bytes: DataView = new DataView(new ArrayBuffer(BYTES_FIRST))
  private filled = 0

  clear(): void {
    this.count = 0
    this.filled = 0
  }

  append(
    connection: number,
    source: DataView,
    at: number,
    headBytes: number,
    textBytes: number,
    lease: number,
    payloadBytes: number,
  ): void {
    const bytes = headBytes + textBytes
    this.makeRoom(bytes)
    copyBytes(source, at, this.bytes, this.filled, bytes)
    const row = this.count * FRAME_STRIDE
    const { words } = this
    words[row + FRAME_CONNECTION] = connection
    words[row + FRAME_HEAD_AT] = this.filled
    words[row + FRAME_TEXT_BYTES] = textBytes
    words[row + FRAME_LEASE] = lease
    words[row + FRAME_PAYLOAD_BYTES] = payloadBytes
    // The next one starts aligned: copies are made of words.
    this.filled += (bytes + 7) & ~7
    this.count++
  }

  /** Leases of rows that nobody will look at. */
  releaseAll(release: (lease: number) => void): void {
    for (let row = 0; row < this.count; row++) {
      const lease = this.words[row * FRAME_STRIDE + FRAME_LEASE]!
      if (lease !== NO_LEASE) release(lease)
    }
    this.clear()
  }

  private makeRoom(bytes: number): void {
    if ((this.count + 1) * FRAME_STRIDE > this.words.length) {
      const words = new Int32Array(this.words.length * 2)
      words.set(this.words)
      this.words = words
    }
    if (this.filled + bytes > this.bytes.byteLength) {
      const grown = new Uint8Array(this.bytes.byteLength * 2 + bytes)
      grown.set(new Uint8Array(this.bytes.buffer))
      this.bytes = new DataView(grown.buffer)
    }
  }
}

export class FrameInbox {
  filling: FrameTable = new FrameTable()
  private other = new FrameTable()

  /** What has arrived so far; from now on the other table is filled. */
  take(): FrameTable {
    const taken = this.filling
    this.filling = this.other
    this.other = taken
    this.filling.clear()
    return taken
  }
}
