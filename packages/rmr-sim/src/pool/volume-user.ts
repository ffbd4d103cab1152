/** A user of a volume for stories: one promise per operation, over the batches of the port. */
import type { BlockBatch, Lease, Memory, Volume, VolumeSource } from "@rmr/core"
import { assert, BLOCK_STRIDE, leaseBytes, NO_LEASE, RmrError, STATUS_OK } from "@rmr/core"

export class VolumeUser {
  readonly volume: Volume
  private readonly memory: Memory
  private readonly pending = new Map<number, (status: number) => void>()
  private nextToken = 1

  constructor(source: VolumeSource, memory: Memory, inFlightMax = 64) {
    this.memory = memory
    const onCompletions = (batch: BlockBatch): void => this.onCompletions(batch)
    this.volume = source.open({ events: { onCompletions }, inFlightMax })
  }

  /** Status of the write. */
  async write(offset: number, bytes: Uint8Array, flags = 0): Promise<number> {
    const lease = this.lease(bytes.length)
    leaseBytes(this.memory, lease, 0, bytes.length).set(bytes)
    try {
      return await this.ask((token) =>
        this.volume.write(token, offset, lease, 0, bytes.length, flags),
      )
    } finally {
      this.memory.release(lease)
    }
  }

  /** The bytes, or the error that the volume answered. */
  async read(offset: number, length: number): Promise<Uint8Array | RmrError> {
    const lease = this.lease(length)
    try {
      const status = await this.ask((token) => this.volume.read(token, offset, lease, 0, length))
      if (status !== STATUS_OK) return RmrError.ofStatus(status, "a read failed")
      return leaseBytes(this.memory, lease, 0, length).slice()
    } finally {
      this.memory.release(lease)
    }
  }

  zero(offset: number, length: number, flags = 0): Promise<number> {
    return this.ask((token) => this.volume.zero(token, offset, length, flags))
  }

  flush(): Promise<number> {
    return this.ask((token) => this.volume.flush(token))
  }

  private lease(bytes: number): Lease {
    const lease = this.memory.lease(bytes)
    assert(lease !== NO_LEASE, "a story has payload memory")
    return lease
  }

  private ask(submit: (token: number) => void): Promise<number> {
    return new Promise((resolve) => {
      const token = this.nextToken++
      this.pending.set(token, resolve)
      submit(token)
    })
  }

  private onCompletions({ words, count }: BlockBatch): void {
    for (let row = 0; row < count; row++) {
      const token = words[row * BLOCK_STRIDE]!
      const resolve = this.pending.get(token)
      assert(resolve !== undefined, "an operation completes once")
      this.pending.delete(token)
      resolve(words[row * BLOCK_STRIDE + 1]!)
    }
  }
}
