/**
 * SumsSlots: the sums of each extent's blocks at their place, one slot per extent.
 *
 * A slot lies once. One that is damaged, blank, another extent's or older than the superblock wants
 * says nothing: a sum that is not known costs a check, and never a read. A slot is written only
 * while the log says that its extent is hot, so a write that a crash has torn is one that nobody
 * believes (sums-saver.ts).
 */
import { type Checksum, RmrError, STATUS_OK } from "@rmr/core"
import { sumsOfExtent, sumsSlotBytes } from "./layout.js"
import type { MetaIo, MetaLane } from "./meta-io.js"
import { decodeSlotHead, encodeSlot, SLOT_BYTES, SUMS_KIND, slotBody } from "./slot.js"
import type { Superblock } from "./superblock.js"

/** Slots are read by so many at a time, so that cold reads do not queue for their sums. */
const READ_LANES = 4
/** Slots that lie next to each other are written together, up to this much. */
const RUN_BYTES_MAX = 64 * 1024
/** Operations that reading and writing slots has in flight, with a flush. */
export const SUMS_IN_FLIGHT: number = READ_LANES + 2

/** Sums as they are to lie at the place of this extent. */
export interface SumsWrite {
  readonly extent: number
  readonly sums: Int32Array
}

export class SumsSlots {
  /** Blocks of an extent. */
  readonly count: number
  readonly extentsMax: number
  /** A slot that is older than this frame says nothing. */
  readonly from: number
  private readonly uuid: string
  private readonly checksum: Checksum
  private readonly start: number
  private readonly slotBytes: number
  private readonly readers: readonly MetaLane[]
  private readonly writer: MetaLane
  private nextReader = 0

  constructor(io: MetaIo, block: Superblock) {
    this.count = sumsOfExtent(block.extentBytes)
    this.extentsMax = block.sumsExtents
    this.from = block.sumsFrom
    this.uuid = block.uuid
    this.checksum = io.checksum
    this.start = block.sumsStart
    this.slotBytes = sumsSlotBytes(block.extentBytes)
    const readBytes = Math.min(this.slotBytes, RUN_BYTES_MAX)
    this.readers = Array.from({ length: READ_LANES }, () => io.addLane(readBytes))
    this.writer = io.addLane(RUN_BYTES_MAX)
  }

  placeOf(extent: number): { readonly at: number; readonly bytes: number } {
    return { at: this.start + extent * this.slotBytes, bytes: this.slotBytes }
  }

  /** Undefined where its place says nothing. Never fails. */
  async read(extent: number): Promise<Int32Array | undefined> {
    const lane = this.readers[this.nextReader]!
    this.nextReader = (this.nextReader + 1) % this.readers.length
    try {
      const { at } = this.placeOf(extent)
      return this.decode(extent, await lane.readOrFill(at, this.slotBytes, SLOT_BYTES, FILLER))
    } catch (thrown) {
      // Whatever the file says of it, data can be read without.
      RmrError.from(thrown)
      return undefined
    }
  }

  /** Neighbours together; a flush makes them durable. Answers with the extents that failed. */
  async write(writes: readonly SumsWrite[], sequence: number): Promise<ReadonlySet<number>> {
    const failed = new Set<number>()
    const slotsMax = Math.max(1, Math.floor(RUN_BYTES_MAX / this.slotBytes))
    const sorted = [...writes].sort((a, b) => a.extent - b.extent)
    for (let from = 0; from < sorted.length; ) {
      let end = from + 1
      while (end < sorted.length && end - from < slotsMax && follows(sorted, end)) end++
      const run = sorted.slice(from, end)
      const bytes = new Uint8Array(run.length * this.slotBytes)
      for (const [nth, one] of run.entries()) {
        bytes.set(this.encode(one, sequence), nth * this.slotBytes)
      }
      const status = await this.writer.write(this.placeOf(run[0]!.extent).at, bytes)
      if (status !== STATUS_OK) for (const { extent } of run) failed.add(extent)
      from = end
    }
    return failed
  }

  private encode({ extent, sums }: SumsWrite, sequence: number): Uint8Array {
    const body = new Uint8Array(4 * sums.length)
    const view = new DataView(body.buffer)
    for (let nth = 0; nth < sums.length; nth++) view.setInt32(4 * nth, sums[nth]!, true)
    const newest = Math.max(sequence, this.from)
    const slot = { kind: SUMS_KIND, index: extent, state: "held", sequence: newest, body } as const
    return encodeSlot(this.uuid, slot)
  }

  private decode(extent: number, bytes: Uint8Array): Int32Array | undefined {
    const head = decodeSlotHead(bytes, this.uuid, SUMS_KIND, extent)
    if (typeof head === "string" || head.state !== "held") return undefined
    if (head.sequence < this.from || head.bodyBytes !== 4 * this.count) return undefined
    const body = slotBody(bytes, head, this.checksum)
    if (body === undefined) return undefined
    const view = new DataView(body.buffer, body.byteOffset, body.length)
    return Int32Array.from({ length: this.count }, (_, nth) => view.getInt32(4 * nth, true))
  }
}

/** What stands for a block that the medium cannot read: no slot looks like it. */
const FILLER = 0xff

function follows(sorted: readonly SumsWrite[], at: number): boolean {
  return sorted[at]!.extent === sorted[at - 1]!.extent + 1
}
