/**
 * MetaIo: a file as metadata wants it: reads and durable writes of any length, one after another.
 *
 * It shares the file with the data path and has tokens of its own. Its one small buffer is leased
 * at open, so that metadata can be written when payload memory is full.
 */
import type { BlockFile, Lease, Memory } from "@rmr/core"
import { assert, BLOCK_FUA, leaseBytes, NO_LEASE, RmrError, STATUS_OK } from "@rmr/core"

/** Tokens at and above this are metadata's. */
export const META_TOKENS: number = 1 << 24
const BUFFER_BYTES = 64 * 1024

export class MetaIo {
  private readonly memory: Memory
  private readonly lease: Lease
  private readonly waiting = new Map<number, (status: number) => void>()
  private file: BlockFile | undefined
  /** A flush for metadata failed: with it went data that was written and not flushed (S17). */
  hasFailedFlush = false
  private nextToken = META_TOKENS
  private chain: Promise<void> = Promise.resolve()

  constructor(memory: Memory) {
    this.memory = memory
    this.lease = memory.lease(BUFFER_BYTES)
    if (this.lease === NO_LEASE) {
      throw new RmrError("out-of-memory", "no payload memory to open a store with")
    }
  }

  attach(file: BlockFile): void {
    this.file = file
  }

  release(): void {
    this.memory.release(this.lease)
  }

  onCompletion(token: number, status: number): void {
    const resolve = this.waiting.get(token)
    assert(resolve !== undefined, "a metadata operation ends once")
    this.waiting.delete(token)
    resolve(status)
  }

  /** Status of the write; with STATUS_OK it is durable. */
  writeDurably(offset: number, bytes: Uint8Array): Promise<number> {
    return this.inOrder(() => this.write(offset, bytes))
  }

  /** Fails with what the file says; `length` is whole blocks. */
  read(offset: number, length: number): Promise<Uint8Array> {
    return this.inOrder(async () => {
      const { blockBytes } = this.open
      const from = Math.floor(offset / blockBytes) * blockBytes
      const end = Math.ceil((offset + length) / blockBytes) * blockBytes
      const bytes = new Uint8Array(end - from)
      for (let at = 0; at < bytes.length; at += this.partBytes) {
        const part = Math.min(this.partBytes, bytes.length - at)
        const status = await this.ask((token) =>
          this.open.read(token, from + at, this.lease, 0, part),
        )
        if (status !== STATUS_OK) throw RmrError.ofStatus(status, "metadata cannot be read")
        bytes.set(leaseBytes(this.memory, this.lease, 0, part), at)
      }
      return bytes.subarray(offset - from, offset - from + length)
    })
  }

  async flush(): Promise<number> {
    const status = await this.ask((token) => this.open.flush(token))
    if (status !== STATUS_OK) this.hasFailedFlush = true
    return status
  }

  /** Any other operation of metadata's own, by its status. */
  run(submit: (token: number) => void): Promise<number> {
    return this.ask(submit)
  }

  private get open(): BlockFile {
    assert(this.file !== undefined, "the file is open")
    return this.file
  }

  private get partBytes(): number {
    return Math.min(BUFFER_BYTES, this.open.ioBytesMax)
  }

  private async write(offset: number, bytes: Uint8Array): Promise<number> {
    const file = this.open
    assert(bytes.length % file.blockBytes === 0, "metadata is written in whole blocks")
    const isSingle = bytes.length <= this.partBytes
    const flags = isSingle && file.supports.forcedUnitAccess ? BLOCK_FUA : 0
    for (let at = 0; at < bytes.length; at += this.partBytes) {
      const part = bytes.subarray(at, Math.min(at + this.partBytes, bytes.length))
      leaseBytes(this.memory, this.lease, 0, part.length).set(part)
      const status = await this.ask((token) =>
        file.write(token, offset + at, this.lease, 0, part.length, flags),
      )
      if (status !== STATUS_OK) return status
    }
    return flags === BLOCK_FUA ? STATUS_OK : this.flush()
  }

  private ask(submit: (token: number) => void): Promise<number> {
    return new Promise((resolve) => {
      const token = this.nextToken
      this.nextToken = token === TOKEN_LAST ? META_TOKENS : token + 1
      this.waiting.set(token, resolve)
      submit(token)
      this.open.submit()
    })
  }

  private inOrder<T>(run: () => Promise<T>): Promise<T> {
    const next = this.chain.then(run)
    this.chain = next.then(
      () => undefined,
      () => undefined,
    )
    return next
  }
}

const TOKEN_LAST = 0x7fff_fffe
