/**
 * One export: requests become operations of its volume.
 *
 * A request is cut into operations no longer than the volume takes; its row is the token of all of
 * them, and it is over when the last is. No more are in flight than the volume was opened for: what
 * is beyond waits in order. Once the export is closing, what was not begun is refused.
 */
import type {
  BlockBatch,
  BlockEvents,
  Lease,
  Memory,
  SpareLease,
  Volume,
  VolumeSource,
} from "@rmr/core"
import {
  BLOCK_BAD_AT,
  BLOCK_FUA,
  BLOCK_STATUS,
  BLOCK_STRIDE,
  BLOCK_TOKEN,
  BLOCK_UNMAP,
  IO_BYTES_MAX,
  statusOf,
} from "@rmr/core"
import { errnoOf } from "./errno.js"
import type { ExportFacts } from "./export-facts.js"
import { isMutation } from "./judge-request.js"
import * as nbd from "./protocol.js"
import * as rows from "./request-table.js"
import { type RequestTable, RowQueue } from "./request-table.js"
import { UnalignedWrites } from "./unaligned-writes.js"

const OPERATIONS_MAX_DEFAULT = 256
/** Pieces of requests that are no whole blocks, at most. */
export const UNALIGNED_BYTES: number = 128 * 1024
const MEDIA_ERROR = statusOf("media-error")
const PREFERRED_BYTES_MIN = 4096

export interface ExportOptions {
  /** For people. */
  readonly description?: string
  readonly isReadOnly?: boolean
  /** Operations of the volume in flight, at most; default 256. */
  readonly operationsMax?: number
}

export interface ExportParts {
  readonly memory: Memory
  /** For requests that are no whole blocks; kept by the server for all exports. */
  readonly spare: SpareLease
  readonly requests: RequestTable
  /** The request is over; its row is the owner's again. */
  readonly onDone: (row: number) => void
}

export class NbdExport implements BlockEvents {
  readonly source: VolumeSource
  readonly options: ExportOptions
  readonly volume: Volume
  isClosing = false
  /** Requests that were taken and are not over. */
  openCount = 0
  private shown: ExportFacts
  private readonly parts: ExportParts
  private readonly unaligned: UnalignedWrites
  private readonly ready: RowQueue
  private readonly operationsMax: number
  private inFlightCount = 0
  /** Rows of mutations under way. */
  private readonly mutations: Int32Array
  private mutationCount = 0
  private isRefusing = false
  private onIdle: (() => void)[] = []

  constructor(name: string, source: VolumeSource, options: ExportOptions, parts: ExportParts) {
    this.parts = parts
    this.source = source
    this.options = options
    this.operationsMax = options.operationsMax ?? OPERATIONS_MAX_DEFAULT
    this.mutations = new Int32Array(parts.requests.count)
    this.ready = new RowQueue(parts.requests)
    // One more is for requests that are not whole blocks.
    this.volume = source.open({ events: this, inFlightMax: this.operationsMax + 1 })
    this.shown = factsOf(name, this.volume, options, parts.memory)
    this.unaligned = this.makeUnaligned()
  }

  /** What who comes now is told; a volume grows, and who is connected keeps the end it was told. */
  get facts(): ExportFacts {
    const sizeBytes = wholeBytesOf(this.volume)
    if (sizeBytes > this.shown.sizeBytes) this.shown = { ...this.shown, sizeBytes }
    return this.shown
  }

  /** Takes a request that was judged and has its lease. */
  begin(row: number): void {
    const { requests } = this.parts
    if (this.isRefusing) {
      requests.set(row, rows.ROW_ERRNO, nbd.ESHUTDOWN)
      this.finish(row)
      return
    }
    if (requests.word(row, rows.ROW_IS_UNALIGNED) !== 0) {
      this.unaligned.add(row)
      return
    }
    if (isMutation(requests.word(row, rows.ROW_KIND))) {
      const from = requests.place(row, rows.ROW_FROM)
      if (this.unaligned.holdsUp(row, from, requests.place(row, rows.ROW_TO))) return
      requests.set(row, rows.ROW_MUTATION_PLACE, this.mutationCount)
      this.mutations[this.mutationCount++] = row
    }
    this.ready.push(row)
    this.pump()
  }

  /** A request that needs no operation, or no more, is over. */
  finish(row: number): void {
    const { requests } = this.parts
    const place = requests.word(row, rows.ROW_MUTATION_PLACE)
    if (place >= 0) {
      const last = this.mutations[--this.mutationCount]!
      this.mutations[place] = last
      requests.set(last, rows.ROW_MUTATION_PLACE, place)
      requests.set(row, rows.ROW_MUTATION_PLACE, -1)
    }
    this.openCount--
    this.parts.onDone(row)
    if (place >= 0) this.unaligned.run()
    if (this.openCount === 0 && this.onIdle.length > 0) {
      for (const run of this.onIdle.splice(0)) run()
    }
  }

  onCompletions({ count, words }: BlockBatch): void {
    const { requests } = this.parts
    for (let nth = 0; nth < count; nth++) {
      const at = nth * BLOCK_STRIDE
      const row = words[at + BLOCK_TOKEN]!
      const status = words[at + BLOCK_STATUS]!
      if (row === this.unaligned.active) {
        this.unaligned.onCompletion(status)
        continue
      }
      this.inFlightCount--
      const pending = requests.word(row, rows.ROW_PENDING) - 1
      requests.set(row, rows.ROW_PENDING, pending)
      if (status !== 0) this.fail(row, status, words[at + BLOCK_BAD_AT]!)
      if (pending === 0 && this.isSubmitted(row)) this.finish(row)
    }
    this.pump()
  }

  /** Fulfilled once no request is open. */
  idle(): Promise<void> {
    if (this.openCount === 0) return Promise.resolve()
    return new Promise((resolve) => this.onIdle.push(resolve))
  }

  /** Refuses what was not submitted, and waits for what was, as long as its volume does. */
  async close(withinMs?: number): Promise<void> {
    this.isClosing = true
    this.isRefusing = true
    this.unaligned.refuse()
    this.pump()
    await this.volume.close(withinMs)
    await this.idle()
  }

  private pump(): void {
    const { requests } = this.parts
    while (!this.ready.isEmpty) {
      const row = this.ready.first
      if (this.isRefusing) {
        this.ready.shift()
        if (requests.word(row, rows.ROW_ERRNO) === 0) {
          requests.set(row, rows.ROW_ERRNO, nbd.ESHUTDOWN)
        }
        requests.setPlace(row, rows.ROW_AT, requests.place(row, rows.ROW_TO))
        if (requests.word(row, rows.ROW_PENDING) === 0) this.finish(row)
        continue
      }
      if (this.inFlightCount >= this.operationsMax) return
      this.submit(row)
      if (this.isSubmitted(row)) this.ready.shift()
    }
  }

  /** The next operation of a request. */
  private submit(row: number): void {
    const { volume } = this
    const { requests } = this.parts
    const from = requests.place(row, rows.ROW_FROM)
    const at = requests.place(row, rows.ROW_AT)
    const bytes = Math.min(requests.place(row, rows.ROW_TO) - at, volume.ioBytesMax)
    const lease = requests.word(row, rows.ROW_LEASE) as Lease
    const flags = requests.word(row, rows.ROW_FLAGS)
    const fua = (flags & nbd.FLAG_FUA) !== 0 ? BLOCK_FUA : 0
    requests.setPlace(row, rows.ROW_AT, at + bytes)
    requests.set(row, rows.ROW_PENDING, requests.word(row, rows.ROW_PENDING) + 1)
    this.inFlightCount++
    switch (requests.word(row, rows.ROW_KIND)) {
      case nbd.CMD_READ:
        volume.read(row, at, lease, at - from, bytes)
        return
      case nbd.CMD_WRITE:
        volume.write(row, at, lease, at - from, bytes, fua)
        return
      case nbd.CMD_FLUSH:
        volume.flush(row)
        return
      default: {
        const isHole = volume.canUnmap && (flags & nbd.FLAG_NO_HOLE) === 0
        volume.zero(row, at, bytes, fua | (isHole ? BLOCK_UNMAP : 0))
        return
      }
    }
  }

  /** The first error counts; what was not submitted of the request never is. */
  private fail(row: number, status: number, badAt: number): void {
    const { requests } = this.parts
    if (requests.word(row, rows.ROW_ERRNO) !== 0) return
    const errno = errnoOf(status)
    const from = requests.place(row, rows.ROW_FROM)
    const isOne = requests.place(row, rows.ROW_TO) - from <= this.volume.ioBytesMax
    requests.set(row, rows.ROW_ERRNO, errno)
    if (isOne && status === MEDIA_ERROR) {
      // Blocks may be wider than what was asked for.
      const offset = requests.place(row, rows.ROW_OFFSET)
      const last = offset + requests.place(row, rows.ROW_BYTES) - 1
      const bad = Math.min(Math.max(from + badAt, offset), last)
      requests.setPlace(row, rows.ROW_BAD_AT, bad)
    }
    if (this.isSubmitted(row)) return
    requests.setPlace(row, rows.ROW_AT, requests.place(row, rows.ROW_TO))
    // Only the first of those that wait has begun.
    if (this.ready.first === row) this.ready.shift()
  }

  private isSubmitted(row: number): boolean {
    const { requests } = this.parts
    return requests.place(row, rows.ROW_AT) >= requests.place(row, rows.ROW_TO)
  }

  private makeUnaligned(): UnalignedWrites {
    const { memory, requests, spare } = this.parts
    return new UnalignedWrites({
      ...{ memory, requests, spare },
      volume: this.volume,
      leaseBytes: Math.min(UNALIGNED_BYTES, memory.leaseBytesMax, this.volume.ioBytesMax),
      isChanging: (from, to) => this.isChanging(from, to),
      onDone: (row) => this.finish(row),
      onUnlocked: (row) => this.begin(row),
    })
  }

  private isChanging(from: number, to: number): boolean {
    const { requests } = this.parts
    for (let nth = 0; nth < this.mutationCount; nth++) {
      const row = this.mutations[nth]!
      const isApart =
        requests.place(row, rows.ROW_TO) <= from || requests.place(row, rows.ROW_FROM) >= to
      if (!isApart) return true
    }
    return false
  }
}

function factsOf(
  name: string,
  volume: Volume,
  options: ExportOptions,
  memory: Memory,
): ExportFacts {
  const { blockBytes, canUnmap, optimalIoBytes } = volume
  const largest = Math.min(IO_BYTES_MAX, memory.leaseBytesMax)
  const requestBytesMax = largest - (largest % blockBytes)
  let optimalBytes = Math.max(PREFERRED_BYTES_MIN, blockBytes)
  while (optimalBytes * 2 <= Math.min(optimalIoBytes, requestBytesMax)) optimalBytes *= 2
  return {
    name,
    description: options.description ?? "",
    sizeBytes: wholeBytesOf(volume),
    blockBytes,
    optimalBytes,
    requestBytesMax,
    canUnmap,
    isReadOnly: options.isReadOnly ?? false,
  }
}

/** In whole blocks. */
function wholeBytesOf({ sizeBytes, blockBytes }: Volume): number {
  return sizeBytes - (sizeBytes % blockBytes)
}
