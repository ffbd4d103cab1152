/**
 * SimMember: what one node has of one pool: a store that outlives its process, and the pool that is
 * served while the process lives.
 *
 * The store can be made late: what it did is true at once, and the news comes later. So a member of
 * one pool is put out for its lateness, while the other pools of the same node are in time.
 */
import type { Memory, StoreSource } from "@rmr/core"
import { assert, leaseBytes, STATUS_OK } from "@rmr/core"
import type { ServerPool } from "@rmr/server"
import { filterStore } from "@rmr/testkit"
import type { SimStore } from "./sim-store.js"

/** Chunks are not smaller, so that a step is in one chunk. */
const CONTENT_STEP = 4096

export class SimMember {
  readonly poolName: string
  readonly store: SimStore
  pool: ServerPool | undefined
  /** From now on, news of its store's operations come so much later. */
  lateMs = 0
  private isFormatted = false

  constructor(poolName: string, store: SimStore) {
    this.poolName = poolName
    this.store = store
  }

  /** Once in its life. */
  async format(): Promise<void> {
    if (this.isFormatted) return
    this.isFormatted = true
    await this.store.format()
  }

  /** The store as a pool opens it. */
  get source(): StoreSource {
    return filterStore(this.store, "late", () => ({ holdMs: () => this.lateMs }))
  }

  /** What the store holds, read past the pool; zeroes where its medium is known to be bad. */
  async content(
    memory: Memory | undefined,
    isBad: (offset: number) => boolean = () => false,
  ): Promise<Uint8Array> {
    const { pool } = this
    assert(pool !== undefined && memory !== undefined, "the node is up")
    const { jobs, store } = pool.member
    const bytes = new Uint8Array(store.sizeBytes)
    const lease = memory.lease(CONTENT_STEP)
    for (let offset = 0; offset < bytes.length; offset += CONTENT_STEP) {
      if (isBad(offset)) continue
      const status = await jobs.ask((token) => store.read(token, offset, lease, 0, CONTENT_STEP))
      assert(status === STATUS_OK, "the store can be read")
      bytes.set(leaseBytes(memory, lease, 0, CONTENT_STEP), offset)
    }
    memory.release(lease)
    return bytes
  }

  /** Chunks that it lacks or suspects. */
  get dirtyChunks(): number {
    return this.pool?.member.volume?.maps.own.count ?? 0
  }
}
