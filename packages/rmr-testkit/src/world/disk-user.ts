/**
 * A program that uses one block file, by promises: what tests of disks are written with.
 *
 * Each verb is one operation and ends with its completion; a failed one throws the error of its
 * status, with the bad range in `lastBad`. It counts completions, so that one too many is an error.
 */
import type { BlockBatch, BlockFile, BlockFileSource, Env, Memory } from "@rmr/core"
import {
  assert,
  BLOCK_BAD_AT,
  BLOCK_BAD_BYTES,
  BLOCK_STATUS,
  BLOCK_STRIDE,
  BLOCK_TOKEN,
  buddyMemory,
  leaseBytes,
  NO_LEASE,
  RmrError,
  STATUS_OK,
} from "@rmr/core"

export interface DiskUser {
  readonly file: BlockFile
  readonly memory: Memory
  /** Sizes of the completion batches so far. */
  readonly batches: readonly number[]
  /** Of the latest media error, relative to its operation. */
  readonly lastBad: { readonly at: number; readonly bytes: number }
  read(offset: number, bytes: number): Promise<Uint8Array>
  write(offset: number, bytes: Uint8Array, flags?: number): Promise<void>
  zero(offset: number, bytes: number, flags?: number): Promise<void>
  flush(): Promise<void>
}

const MEMORY_BYTES = 4 * 1024 * 1024

/** Opens the file for a process; its memory is its own. */
export async function openDiskUser(source: BlockFileSource, env: Env): Promise<DiskUser> {
  const memory = buddyMemory({ arenas: [MEMORY_BYTES], leaseCountMax: 1024, poison: true })
  const endsByToken = new Map<number, (status: number) => void>()
  const batches: number[] = []
  const lastBad = { at: 0, bytes: 0 }
  let tokenNext = 1

  const onCompletions = ({ count, words }: BlockBatch): void => {
    batches.push(count)
    for (let at = 0; at < count * BLOCK_STRIDE; at += BLOCK_STRIDE) {
      const token = words[at + BLOCK_TOKEN]!
      const end = endsByToken.get(token)
      assert(end !== undefined, `operation ${token} completes once`)
      endsByToken.delete(token)
      lastBad.at = words[at + BLOCK_BAD_AT]!
      lastBad.bytes = words[at + BLOCK_BAD_BYTES]!
      end(words[at + BLOCK_STATUS]!)
    }
  }

  const file = await source.open({ env, memory, events: { onCompletions } })

  const run = (what: string, submit: (token: number) => void): Promise<void> =>
    new Promise((resolve, reject) => {
      const token = tokenNext++
      endsByToken.set(token, (status) => {
        if (status === STATUS_OK) resolve()
        else reject(RmrError.ofStatus(status, what))
      })
      submit(token)
    })

  return {
    file,
    memory,
    batches,
    lastBad,
    read: async (offset, bytes) => {
      const lease = memory.lease(bytes)
      assert(lease !== NO_LEASE, "a disk user has memory enough")
      try {
        await run("read", (token) => file.read(token, offset, lease, 0, bytes))
        return leaseBytes(memory, lease, 0, bytes).slice()
      } finally {
        memory.release(lease)
      }
    },
    write: async (offset, bytes, flags = 0) => {
      const lease = memory.lease(bytes.length)
      assert(lease !== NO_LEASE, "a disk user has memory enough")
      leaseBytes(memory, lease, 0, bytes.length).set(bytes)
      const length = bytes.length
      const written = run("write", (token) => file.write(token, offset, lease, 0, length, flags))
      memory.release(lease) // the file holds its own reference
      await written
    },
    zero: (offset, bytes, flags = 0) =>
      run("zero", (token) => file.zero(token, offset, bytes, flags)),
    flush: () => run("flush", (token) => file.flush(token)),
  }
}
