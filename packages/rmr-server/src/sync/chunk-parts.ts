/**
 * ChunkParts: the bytes of a chunk in a member's own store: written as a copy, or compared with
 * what a source says of its own (rules S5, S7, S11).
 *
 * In parts, each of which is one operation of the store and one turn of the process, so that
 * foreground IO comes in between. The chunk's lock is held.
 */
import type { ChunkNumber, Lease, Memory } from "@rmr/core"
import { BLOCK_FUA, BLOCK_UNMAP, STATUS_OK } from "@rmr/core"
import type { Member } from "../pool/member.js"
import type { MemberVolume } from "../pool/member-volume.js"
import { ChunkDigest, isZero } from "./chunk-digest.js"

export interface ChunkPartsOptions {
  readonly memory: Memory
  readonly member: Member
  readonly volume: MemberVolume
}

/** A forced write takes no time of the process's turn, and each flushes the device. */
const PART_FORCED_BYTES = 256 * 1024

/** What a chunk's bytes are in the store. */
export type Written = "not" | "until-a-crash" | "durably"

interface Part {
  readonly offset: number
  /** In the chunk. */
  readonly at: number
  readonly bytes: number
}

export class ChunkParts {
  private readonly options: ChunkPartsOptions
  private readonly digest = new ChunkDigest()

  constructor(options: ChunkPartsOptions) {
    this.options = options
  }

  /**
   * What holds nothing gives its space back where the store can (S5, S8 of the store port). A write
   * may be forced; zeroes that are would flush more than themselves, so they never are.
   */
  async write(
    chunk: ChunkNumber,
    lease: Lease,
    partBytes: number,
    isForced: boolean,
  ): Promise<Written> {
    const { memory, member } = this.options
    const { store, jobs } = member
    const flags = isForced ? BLOCK_FUA : 0
    let written: Written = isForced ? "durably" : "until-a-crash"
    const bytesMax = Math.min(isForced ? PART_FORCED_BYTES : partBytes, store.ioBytesMax)
    for (const { offset, at, bytes } of this.of(chunk, bytesMax)) {
      const isEmpty = isZero(memory, lease, at, bytes)
      if (isEmpty) written = "until-a-crash"
      const status = await jobs.ask((job) => {
        if (isEmpty) store.zero(job, offset, bytes, BLOCK_UNMAP)
        else store.write(job, offset, lease, at, bytes, flags)
      })
      if (status !== STATUS_OK) return "not"
    }
    return written
  }

  /** S7: whether the chunk's own bytes are those of the source, and need not come. */
  async isEqual(
    chunk: ChunkNumber,
    lease: Lease,
    digests: Int32Array,
    partBytes: number,
  ): Promise<boolean> {
    const { memory, member } = this.options
    const { store, jobs } = member
    for (const { offset, at, bytes } of this.of(chunk, partBytes)) {
      const status = await jobs.ask((job) => store.read(job, offset, lease, at, bytes))
      const own = this.digest.of(memory, lease, at, bytes)
      const from = (4 * at) / partBytes
      const isSame = own.every((word, nth) => word === digests[from + nth])
      if (status !== STATUS_OK || !isSame) return false
    }
    return true
  }

  private *of(chunk: ChunkNumber, partBytes: number): Generator<Part> {
    const { geometry } = this.options.volume
    const start = geometry.offsetOf(chunk)
    const size = geometry.sizeOf(chunk)
    for (let at = 0; at < size; at += partBytes) {
      yield { offset: start + at, at, bytes: Math.min(partBytes, size - at) }
    }
  }
}
