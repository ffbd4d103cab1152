/**
 * MetaIo: a file as metadata wants it: reads and durable writes of any length.
 *
 * It shares the file with the data path and has tokens of its own. Its lanes have one small buffer
 * each, leased at open, so that metadata can be written when payload memory is full; for more bytes
 * they borrow a larger one where there is some, since a node may have a thousand stores open. What
 * is asked of one lane happens in order; the commit log has its own, and never waits for another.
 */
import type { BlockFile, Checksum, Lease, Memory } from "@rmr/core"
import {
  assert,
  BLOCK_FUA,
  crc32c,
  leaseBytes,
  NO_LEASE,
  RmrError,
  STATUS_OK,
  statusOf,
} from "@rmr/core"
import { FlushLine, type OnFlushed } from "./flush-line.js"

/** Tokens at and above this are metadata's. The first one is that of all flushes of the file. */
export const META_TOKENS: number = 1 << 24
const FLUSH_TOKEN: number = META_TOKENS
const IO_ERROR = statusOf("io-error")
const MEDIA_ERROR = statusOf("media-error")
const TOKEN_LAST = 0x7fff_fffe
const BUFFER_BYTES = 64 * 1024
/** Room for a frame of the log that says little, twice, or for two cells. */
const RESERVE_BYTES = 8 * 1024

/** Where a lane moves bytes through for a while. */
interface LaneBuffer {
  readonly lease: Lease
  readonly bytes: number
}

export class MetaIo {
  /** For the commit log and the superblock. */
  readonly log: MetaLane
  /** For the fixed places. */
  readonly homes: MetaLane
  /** All flushes of the file, those of data too. */
  readonly flushes: FlushLine
  /** A flush that metadata waited for failed: with it went data that was not flushed (S17). */
  hasFailedFlush = false
  /** A flush that the data path asked for has ended. */
  onDataFlushed: OnFlushed = () => undefined
  /** What metadata that is read is held against. */
  readonly checksum: Checksum
  private readonly memory: Memory
  private readonly leases: Lease[] = []
  private readonly waiting = new Map<number, (status: number) => void>()
  private file: BlockFile | undefined
  private nextToken = FLUSH_TOKEN + 1

  constructor(memory: Memory, checksum: Checksum = crc32c) {
    this.memory = memory
    this.checksum = checksum
    this.flushes = new FlushLine(
      () => this.open.flush(FLUSH_TOKEN),
      (token, status) => this.onFlushed(token, status),
    )
    this.log = this.addLane(BUFFER_BYTES, RESERVE_BYTES)
    this.homes = this.addLane(BUFFER_BYTES, RESERVE_BYTES)
  }

  /** One more, for what shall not wait for the others; with less to spare than it moves at best. */
  addLane(bufferBytes: number, reserveBytes: number = bufferBytes): MetaLane {
    const lease = this.memory.lease(reserveBytes)
    if (lease === NO_LEASE) {
      this.release()
      throw new RmrError("out-of-memory", "no payload memory to open a store with")
    }
    this.leases.push(lease)
    return new MetaLane(this, this.memory, { lease, bytes: reserveBytes }, bufferBytes)
  }

  attach(file: BlockFile): void {
    this.file = file
  }

  release(): void {
    for (const lease of this.leases.splice(0)) this.memory.release(lease)
  }

  onCompletion(token: number, status: number): void {
    if (token === FLUSH_TOKEN) {
      this.flushes.end(status)
      return
    }
    this.resolve(token, status)
  }

  private resolve(token: number, status: number): void {
    const resolve = this.waiting.get(token)
    assert(resolve !== undefined, "a metadata operation ends once")
    this.waiting.delete(token)
    resolve(status)
  }

  /**
   * Makes durable what was written before, since `flushes.failures` was `before`: a flush that
   * failed in between took that along, and this one says nothing about it.
   */
  async flush(before: number = this.flushes.failures): Promise<number> {
    const status = await this.run((token) => this.flushes.ask(token))
    if (status !== STATUS_OK) this.hasFailedFlush = true
    return status === STATUS_OK && this.flushes.failures !== before ? IO_ERROR : status
  }

  private onFlushed(token: number, status: number): void {
    if (token > FLUSH_TOKEN) this.resolve(token, status)
    else this.onDataFlushed(token, status)
  }

  /** Any operation of metadata's own, by its status. */
  run(submit: (token: number) => void): Promise<number> {
    return new Promise((resolve) => {
      const token = this.nextToken
      this.nextToken = token === TOKEN_LAST ? FLUSH_TOKEN + 1 : token + 1
      this.waiting.set(token, resolve)
      submit(token)
      this.open.submit()
    })
  }

  get open(): BlockFile {
    assert(this.file !== undefined, "the file is open")
    return this.file
  }
}

export class MetaLane {
  private readonly io: MetaIo
  private readonly memory: Memory
  private readonly reserve: LaneBuffer
  private readonly bufferBytes: number
  private chain: Promise<void> = Promise.resolve()

  constructor(io: MetaIo, memory: Memory, reserve: LaneBuffer, bufferBytes: number) {
    this.io = io
    this.memory = memory
    this.reserve = reserve
    this.bufferBytes = bufferBytes
  }

  get checksum(): Checksum {
    return this.io.checksum
  }

  /** Status of the write; with STATUS_OK it is durable. */
  writeDurably(offset: number, bytes: Uint8Array): Promise<number> {
    return this.inOrder(bytes.length, async (buffer) => {
      const isSingle = bytes.length <= buffer.bytes
      const isForced = isSingle && this.io.open.supports.forcedUnitAccess
      const { failures } = this.io.flushes
      const status = await this.writeParts(buffer, offset, bytes, isForced ? BLOCK_FUA : 0)
      return isForced || status !== STATUS_OK ? status : this.io.flush(failures)
    })
  }

  /** Status of the write, which a flush makes durable. */
  write(offset: number, bytes: Uint8Array): Promise<number> {
    return this.inOrder(bytes.length, (buffer) => this.writeParts(buffer, offset, bytes, 0))
  }

  /** Fails with what the file says. */
  read(offset: number, length: number): Promise<Uint8Array> {
    const { blockBytes } = this.io.open
    const from = Math.floor(offset / blockBytes) * blockBytes
    const end = Math.ceil((offset + length) / blockBytes) * blockBytes
    return this.inOrder(end - from, async ({ lease, bytes: partBytes }) => {
      const bytes = new Uint8Array(end - from)
      for (let at = 0; at < bytes.length; at += partBytes) {
        const part = Math.min(partBytes, bytes.length - at)
        const status = await this.io.run((token) =>
          this.io.open.read(token, from + at, lease, 0, part),
        )
        if (status !== STATUS_OK) throw RmrError.ofStatus(status, "metadata cannot be read")
        bytes.set(leaseBytes(this.memory, lease, 0, part), at)
      }
      return bytes.subarray(offset - from, offset - from + length)
    })
  }

  /**
   * What is there, block by block where it must be: what the medium cannot read is `filler` here,
   * which no checksum takes for anything else.
   */
  async readOrFill(
    offset: number,
    length: number,
    stepBytes: number,
    filler: number,
  ): Promise<Uint8Array> {
    try {
      return await this.read(offset, length)
    } catch (thrown) {
      if (RmrError.from(thrown).code !== "media-error") throw thrown
    }
    return this.readBySteps(offset, length, stepBytes, filler)
  }

  /**
   * The same without a copy of it, for whole blocks that the buffer has room for: `use` looks at
   * them where they were read to, and they are there for as long as it takes.
   */
  async lookOrFill<T>(
    offset: number,
    length: number,
    stepBytes: number,
    filler: number,
    use: (view: DataView, at: number) => T,
  ): Promise<T> {
    const file = this.io.open
    assert(offset % file.blockBytes === 0 && length % file.blockBytes === 0, "whole blocks")
    const looked = await this.inOrder(length, async ({ lease, bytes: partBytes }) => {
      if (length > partBytes) return { isBad: false }
      const status = await this.io.run((token) => file.read(token, offset, lease, 0, length))
      if (status === MEDIA_ERROR) return { isBad: true }
      if (status !== STATUS_OK) throw RmrError.ofStatus(status, "metadata cannot be read")
      const { view } = this.memory.arenaOf(lease)
      return { isBad: false, result: use(view, this.memory.offsetOf(lease)) }
    })
    if ("result" in looked) return looked.result as T
    const bytes = looked.isBad
      ? await this.readBySteps(offset, length, stepBytes, filler)
      : await this.readOrFill(offset, length, stepBytes, filler)
    return use(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0)
  }

  private async readBySteps(
    offset: number,
    length: number,
    stepBytes: number,
    filler: number,
  ): Promise<Uint8Array> {
    const bytes = new Uint8Array(length).fill(filler)
    for (let at = 0; at < length; at += stepBytes) {
      try {
        bytes.set(await this.read(offset + at, Math.min(stepBytes, length - at)), at)
      } catch (thrown) {
        if (RmrError.from(thrown).code !== "media-error") throw thrown
      }
    }
    return bytes
  }

  private async writeParts(
    { lease, bytes: partBytes }: LaneBuffer,
    offset: number,
    bytes: Uint8Array,
    flags: number,
  ): Promise<number> {
    const file = this.io.open
    assert(bytes.length % file.blockBytes === 0, "metadata is written in whole blocks")
    for (let at = 0; at < bytes.length; at += partBytes) {
      const part = bytes.subarray(at, Math.min(at + partBytes, bytes.length))
      leaseBytes(this.memory, lease, 0, part.length).set(part)
      const status = await this.io.run((token) =>
        file.write(token, offset + at, lease, 0, part.length, flags),
      )
      if (status !== STATUS_OK) return status
    }
    return STATUS_OK
  }

  /** With room for so many bytes, where there is as much. */
  private inOrder<T>(bytes: number, run: (buffer: LaneBuffer) => Promise<T>): Promise<T> {
    const next = this.chain.then(() => this.withBuffer(bytes, run))
    this.chain = next.then(
      () => undefined,
      () => undefined,
    )
    return next
  }

  private async withBuffer<T>(wanted: number, run: (buffer: LaneBuffer) => Promise<T>): Promise<T> {
    const { memory, reserve } = this
    const bytesMax = this.io.open.ioBytesMax
    const bytes = Math.min(wanted, this.bufferBytes)
    const lease = bytes > reserve.bytes ? memory.lease(bytes) : NO_LEASE
    if (lease === NO_LEASE) {
      return await run({ lease: reserve.lease, bytes: Math.min(reserve.bytes, bytesMax) })
    }
    try {
      return await run({ lease, bytes: Math.min(bytes, bytesMax) })
    } finally {
      memory.release(lease)
    }
  }
}
