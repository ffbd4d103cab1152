/**
 * HomeReader: reads the fixed places of cells, and says which copy is good.
 *
 * It changes nothing, and takes nothing for granted: a place that cannot be read, or says that it
 * is another place, is damaged. Of two copies the newer whole one counts.
 */
import type { CellKind } from "@rmr/core"
import { CELL_KINDS, MEMBERS_MAX } from "@rmr/core"
import {
  CELLS_COPY_BYTES,
  directoryBlocks,
  directoryBytes,
  PAGES_PER_BLOCK,
  pageIndex,
  pagePosition,
  placeInCopy,
  SMALL_CELLS_BYTES,
} from "./layout.js"
import type { MetaLane } from "./meta-io.js"
import { PageDirectory } from "./page-directory.js"
import {
  DIRECTORY_KIND,
  decodeSlotHead,
  isBodyAt,
  SLOT_BODY_BYTES,
  SLOT_BYTES,
  SLOT_HEAD_BYTES,
  type SlotHead,
  type SlotState,
  slotBody,
  slotBytesOf,
  slotHeadAt,
} from "./slot.js"
import type { Superblock } from "./superblock.js"

/** What one place holds. */
export interface FoundSlot {
  readonly at: number
  /** `damaged` also where its body is not what was written. */
  readonly state: SlotState
  /** -1 where the head cannot be read. */
  readonly sequence: number
  readonly body: Uint8Array | undefined
}

export interface FoundCell {
  readonly state: SlotState
  readonly sequence: number
  readonly body: Uint8Array | undefined
  /** The copies do not say the same: one is damaged, or older. */
  readonly isUneven: boolean
  readonly copies: readonly FoundSlot[]
}

/** Pages of one member that are read together, while nothing is written. */
const WINDOW_SLOTS = 16
const MAP_PAGE = CELL_KINDS.indexOf("map-page")

interface Ahead {
  /** A place in the file. */
  readonly from: number
  readonly bytes: Uint8Array
}

/** Pages that lie one behind the other. */
interface Window {
  /** The position of the first one. */
  readonly from: number
  /** Each is given away once: whoever has it may write to it. */
  readonly slots: (FoundSlot | undefined)[]
}

export class HomeReader {
  private readonly lane: MetaLane
  private readonly places: Superblock
  /** By member slot. */
  private readonly windows = new Map<number, Window>()
  private writes = 0
  /** Both copies of the small cells, from the start of each on. */
  private ahead: readonly Ahead[] = []

  constructor(lane: MetaLane, places: Superblock) {
    this.lane = lane
    this.places = places
  }

  /** Something is written: what was read ahead, or is being read, is not true any more. */
  forget(): void {
    this.writes++
    this.windows.clear()
    this.ahead = []
  }

  /** Reads the first blocks of all small cells at once. */
  async readAhead(): Promise<void> {
    const { cellsStart } = this.places
    const ahead: Ahead[] = []
    for (const copy of [0, 1]) {
      const from = cellsStart + copy * CELLS_COPY_BYTES
      ahead.push({ from, bytes: await this.readOrDamage(from, SMALL_CELLS_BYTES) })
    }
    this.ahead = ahead
  }

  /** What is at the places of a cell. */
  find(kind: CellKind, index: number): Promise<FoundSlot | FoundCell> {
    return kind === "map-page" ? this.page(index) : this.doubled(kind, index)
  }

  /** A cell that lies twice. */
  async doubled(kind: CellKind, index: number): Promise<FoundCell> {
    const { at, bytes } = placeInCopy(kind, index)
    const { cellsStart } = this.places
    const number = CELL_KINDS.indexOf(kind)
    const first = await this.slot(cellsStart + at, bytes, number, index)
    const second = await this.slot(cellsStart + CELLS_COPY_BYTES + at, bytes, number, index)
    return better([first, second])
  }

  /** A map page, with its neighbours read ahead. */
  async page(index: number): Promise<FoundSlot> {
    const known = this.pageAhead(index)
    if (known !== undefined) return known
    const { pagesStart, mapPagesMax } = this.places
    const slot = index % MEMBERS_MAX
    const from = pagePosition(index, mapPagesMax)
    const end = Math.min(from + WINDOW_SLOTS, (slot + 1) * mapPagesMax)
    const { writes } = this
    const slots: (FoundSlot | undefined)[] = await this.lane.lookOrFill(
      pagesStart + from * SLOT_BYTES,
      (end - from) * SLOT_BYTES,
      SLOT_BYTES,
      UNREADABLE,
      (view, at) => this.pagesIn(view, at, from, end),
    )
    const first = slots[0]!
    slots[0] = undefined
    if (writes === this.writes) this.windows.set(slot, { from, slots })
    return first
  }

  /** A map page that was read with one before it. */
  pageAhead(index: number): FoundSlot | undefined {
    const window = this.windows.get(index % MEMBERS_MAX)
    if (window === undefined) return undefined
    const nth = pagePosition(index, this.places.mapPagesMax) - window.from
    const slot = window.slots[nth]
    if (slot !== undefined) window.slots[nth] = undefined
    return slot
  }

  /**
   * The pages at these positions, which begin there. Memory for all of their bodies is had at once:
   * to have it costs more than to fill it.
   */
  private pagesIn(view: DataView, at: number, from: number, end: number): FoundSlot[] {
    const { uuid, mapPagesMax, pagesStart } = this.places
    const { checksum } = this.lane
    const bytes = new Uint8Array(view.buffer, view.byteOffset + at, (end - from) * SLOT_BYTES)
    const heads: (SlotHead | "blank" | "damaged")[] = []
    let room = 0
    for (let position = from; position < end; position++) {
      const slotAt = at + (position - from) * SLOT_BYTES
      const head = slotHeadAt(view, slotAt, uuid, MAP_PAGE, pageIndex(position, mapPagesMax))
      heads.push(head)
      if (typeof head === "object") room += Math.min(head.bodyBytes, SLOT_BODY_BYTES)
    }
    const bodies = new Uint8Array(room)
    let taken = 0
    return heads.map((head, nth) => {
      const place = pagesStart + (from + nth) * SLOT_BYTES
      if (typeof head === "string") return { at: place, state: head, sequence: -1, body: undefined }
      const { state, sequence, bodyBytes } = head
      if (!isBodyAt(view, at + nth * SLOT_BYTES, SLOT_BYTES, head, checksum)) {
        return { at: place, state: "damaged", sequence, body: undefined }
      }
      const bodyAt = nth * SLOT_BYTES + SLOT_HEAD_BYTES
      const body = bodies.subarray(taken, taken + bodyBytes)
      body.set(bytes.subarray(bodyAt, bodyAt + bodyBytes))
      taken += bodyBytes
      return { at: place, state, sequence, body }
    })
  }

  /** The directory of pages; what it cannot say is looked at, page by page. */
  async directory(): Promise<PageDirectory> {
    const { directoryStart, mapPagesMax, uuid } = this.places
    const count = directoryBlocks(mapPagesMax)
    const bytes = directoryBytes(mapPagesMax)
    const directory = new PageDirectory(count)
    const copies: Uint8Array[] = []
    for (const copy of [0, 1]) {
      copies.push(await this.readOrDamage(directoryStart + copy * bytes, bytes))
    }
    for (let block = 0; block < count; block++) {
      const slots = copies.map((copy, nth) => {
        const from = block * SLOT_BYTES
        const at = directoryStart + nth * bytes + from
        return this.slotIn(copy.subarray(from, from + SLOT_BYTES), at, uuid, DIRECTORY_KIND, block)
      })
      const { state, body, isUneven } = better(slots)
      if (state === "held" && body !== undefined) directory.load(block, body)
      else if (state !== "blank") await this.lookAtPages(directory, block)
      if (isUneven) directory.changed.add(block)
    }
    return directory
  }

  /** Both copies of this block are damaged: every place it tells about says itself what it is. */
  private async lookAtPages(directory: PageDirectory, block: number): Promise<void> {
    const { mapPagesMax } = this.places
    const first = block * PAGES_PER_BLOCK
    const end = Math.min(first + PAGES_PER_BLOCK, MEMBERS_MAX * mapPagesMax)
    for (let position = first; position < end; position++) {
      const { state } = await this.page(pageIndex(position, mapPagesMax))
      directory.set(position, state === "held" || state === "damaged")
    }
    directory.changed.add(block)
  }

  private async slot(at: number, room: number, kind: number, index: number): Promise<FoundSlot> {
    const { uuid } = this.places
    const first = await this.readOrDamage(at, SLOT_BYTES)
    const head = decodeSlotHead(first, uuid, kind, index)
    if (typeof head === "string") return { at, state: head, sequence: -1, body: undefined }
    const length = slotBytesOf(head.bodyBytes)
    if (length > room) return { at, state: "damaged", sequence: -1, body: undefined }
    const bytes = length === SLOT_BYTES ? first : await this.readOrDamage(at, length)
    return this.withBody(bytes, at, head)
  }

  private slotIn(
    bytes: Uint8Array,
    at: number,
    uuid: string,
    kind: number,
    index: number,
  ): FoundSlot {
    const head = decodeSlotHead(bytes, uuid, kind, index)
    if (typeof head === "string") return { at, state: head, sequence: -1, body: undefined }
    return this.withBody(bytes, at, head)
  }

  private withBody(bytes: Uint8Array, at: number, head: SlotHead): FoundSlot {
    const { state, sequence } = head
    const body = slotBody(bytes, head, this.lane.checksum)
    return body === undefined
      ? { at, state: "damaged", sequence, body }
      : { at, state, sequence, body }
  }

  /** What the medium cannot read is made to be no slot and no blank either. */
  private async readOrDamage(at: number, length: number): Promise<Uint8Array> {
    for (const { from, bytes } of this.ahead) {
      if (at >= from && at + length <= from + bytes.length) {
        return bytes.subarray(at - from, at - from + length)
      }
    }
    return this.lane.readOrFill(at, length, SLOT_BYTES, UNREADABLE)
  }
}

const UNREADABLE = 0xff

/** Of two copies the newer one that is whole. */
function better(copies: readonly FoundSlot[]): FoundCell {
  const isUneven = !isAlike(copies)
  const newest = Math.max(...copies.map(({ sequence }) => sequence))
  const best = copies.find((copy) => copy.sequence === newest && isWhole(copy))
  // A newer copy that is damaged, or one beside nothing: what was committed last is lost.
  const isLost = best === undefined || (best.state === "blank" && copies.some(isDamaged))
  if (isLost) return { state: "damaged", sequence: newest, body: undefined, isUneven, copies }
  const { state, sequence, body } = best
  return { state, sequence, body, isUneven, copies }
}

/** `damaged` as it was written, too: that says what is there. */
function isWhole({ state, body }: FoundSlot): boolean {
  return state !== "damaged" || body !== undefined
}

function isDamaged(copy: FoundSlot): boolean {
  return !isWhole(copy)
}

function isAlike([first, second]: readonly FoundSlot[]): boolean {
  return first?.state === second?.state && first?.sequence === second?.sequence
}
