/**
 * CellHomes: the fixed places of the cells, and what lies there.
 *
 * Everything but map pages lies twice. Copies are written one after the other, durably, so that a
 * power cut damages one of them at most; and until both are, the commit log still has what they
 * should say. A map page lies once: one that is damaged costs what it said, and the member takes
 * that for the worst (Q24).
 */
import type { CellKind } from "@rmr/core"
import { CELL_KINDS, MEMBERS_MAX, RmrError, STATUS_OK } from "@rmr/core"
import { HomeReader } from "./home-reader.js"
import { CELLS_COPY_BYTES, directoryBytes, pagePosition, placeInCopy } from "./layout.js"
import type { MetaIo } from "./meta-io.js"
import type { PageDirectory } from "./page-directory.js"
import { DIRECTORY_KIND, encodeSlot, SLOT_BYTES, type SlotState } from "./slot.js"
import type { Superblock } from "./superblock.js"

/** What a cell's place shall say. */
export interface HomeWrite {
  readonly kind: CellKind
  readonly index: number
  /** Undefined: there is no such cell. `damaged`: there was one, and it is lost. */
  readonly body: Uint8Array | "damaged" | undefined
}

export interface CellPlace {
  readonly at: number
  readonly bytes: number
}

interface BlockWrite {
  readonly at: number
  readonly bytes: Uint8Array
}

/** Pages that lie next to each other are written together, up to this much. */
const RUN_BYTES_MAX = 64 * 1024
const NO_BODY = new Uint8Array(0)

export class CellHomes {
  private readonly io: MetaIo
  private readonly places: Superblock
  private readonly reader: HomeReader
  /** What is at the place of each cell that lies twice. */
  private readonly states = new Map<string, SlotState>()
  private readonly directory: PageDirectory

  private constructor(io: MetaIo, places: Superblock, reader: HomeReader, pages: PageDirectory) {
    this.io = io
    this.places = places
    this.reader = reader
    this.directory = pages
  }

  /** Reads what there is. `uneven` are cells whose two copies do not say the same. */
  static async load(
    io: MetaIo,
    places: Superblock,
  ): Promise<{ readonly homes: CellHomes; readonly uneven: readonly HomeWrite[] }> {
    const reader = new HomeReader(io.homes, places)
    const homes = new CellHomes(io, places, reader, await reader.directory())
    await reader.readAhead()
    const uneven: HomeWrite[] = []
    for (const { kind, index } of doubledCells()) {
      const found = await reader.doubled(kind, index)
      homes.states.set(nameOf(kind, index), found.state)
      // What is damaged in both copies stays so until somebody commits it anew.
      if (!found.isUneven || found.state === "damaged") continue
      uneven.push({ kind, index, body: found.state === "held" ? found.body : undefined })
    }
    return { homes, uneven }
  }

  has(kind: CellKind, index: number): boolean {
    if (kind === "map-page") return this.directory.has(this.positionOf(index))
    const state = this.states.get(nameOf(kind, index))
    return state === "held" || state === "damaged"
  }

  /** Whoever opened the store has read what it wanted: nothing is kept for it any more. */
  forgetAhead(): void {
    this.reader.forget()
  }

  /** Ascending. */
  indexes(kind: CellKind): number[] {
    if (kind === "map-page") return this.pageIndexes()
    const indexes: number[] = []
    for (let index = 0; index < MEMBERS_MAX; index++) {
      if (this.has(kind, index)) indexes.push(index)
    }
    return indexes
  }

  private pageIndexes(): number[] {
    const indexes: number[] = []
    const { directory } = this
    const { mapPagesMax } = this.places
    if (directory.isEmpty) return indexes
    for (let index = 0; index < MEMBERS_MAX * mapPagesMax; index++) {
      if (directory.has(pagePosition(index, mapPagesMax))) indexes.push(index)
    }
    return indexes
  }

  /** Blocks of the directory differ from one of their copies. */
  get isDirectoryUneven(): boolean {
    return this.directory.changed.size > 0
  }

  /** Fails with `corrupt` where the bytes are not what was written. */
  async read(kind: CellKind, index: number): Promise<Uint8Array | undefined> {
    if (!this.has(kind, index)) return undefined
    const ahead = kind === "map-page" ? this.reader.pageAhead(index) : undefined
    const { state, body } = ahead ?? (await this.reader.find(kind, index))
    if (state === "held" && body !== undefined) return body
    throw new RmrError("corrupt", `cell ${kind} ${index} is damaged at its place`)
  }

  /** Where its copies lie. */
  placesOf(kind: CellKind, index: number): CellPlace[] {
    if (kind === "map-page") return [{ at: this.pageAt(index), bytes: SLOT_BYTES }]
    const { at, bytes } = placeInCopy(kind, index)
    const { cellsStart } = this.places
    return [0, 1].map((copy) => ({ at: cellsStart + copy * CELLS_COPY_BYTES + at, bytes }))
  }

  /**
   * Makes the places say this, durably: pages and first copies, then second copies. What is written
   * here is in the commit log until this has succeeded.
   */
  async write(cells: readonly HomeWrite[], sequence: number): Promise<number> {
    this.reader.forget()
    const status = await this.writeCopies(cells, sequence)
    this.reader.forget()
    return status
  }

  private async writeCopies(cells: readonly HomeWrite[], sequence: number): Promise<number> {
    const pages: BlockWrite[] = []
    const doubled: HomeWrite[] = []
    for (const cell of cells) {
      if (cell.kind !== "map-page") doubled.push(cell)
      else {
        this.directory.set(this.positionOf(cell.index), cell.body !== undefined)
        pages.push({ at: this.pageAt(cell.index), bytes: this.slotOf(cell, sequence) })
      }
    }
    const blocks = [...this.directory.changed].sort((a, b) => a - b)
    for (const copy of [0, 1]) {
      const { failures } = this.io.flushes
      const writes = copy === 0 ? joined(pages) : []
      writes.push(...doubled.map((cell) => this.copyOf(cell, sequence, copy)))
      writes.push(...blocks.map((block) => this.blockOf(block, sequence, copy)))
      for (const { at, bytes } of writes) {
        const status = await this.io.homes.write(at, bytes)
        if (status !== STATUS_OK) return status
      }
      const status = await this.io.flush(failures)
      if (status !== STATUS_OK) return status
    }
    for (const block of blocks) this.directory.changed.delete(block)
    for (const { kind, index, body } of doubled) {
      const state = body === "damaged" ? body : body === undefined ? "removed" : "held"
      this.states.set(nameOf(kind, index), state)
    }
    return STATUS_OK
  }

  private copyOf(cell: HomeWrite, sequence: number, copy: number): BlockWrite {
    const at = this.placesOf(cell.kind, cell.index)[copy]!.at
    return { at, bytes: this.slotOf(cell, sequence) }
  }

  private blockOf(block: number, sequence: number, copy: number): BlockWrite {
    const { directoryStart, mapPagesMax, uuid } = this.places
    const at = directoryStart + copy * directoryBytes(mapPagesMax) + block * SLOT_BYTES
    const body = this.directory.body(block)
    const slot = { kind: DIRECTORY_KIND, index: block, state: "held", sequence, body } as const
    return { at, bytes: encodeSlot(uuid, slot) }
  }

  private slotOf({ kind, index, body }: HomeWrite, sequence: number): Uint8Array {
    const state = body === "damaged" ? body : body === undefined ? "removed" : "held"
    const content = body instanceof Uint8Array ? body : NO_BODY
    const number = CELL_KINDS.indexOf(kind)
    return encodeSlot(this.places.uuid, { kind: number, index, state, sequence, body: content })
  }

  private pageAt(index: number): number {
    return this.places.pagesStart + this.positionOf(index) * SLOT_BYTES
  }

  private positionOf(index: number): number {
    return pagePosition(index, this.places.mapPagesMax)
  }
}

/** Every cell that lies twice. */
export function doubledCells(): { readonly kind: CellKind; readonly index: number }[] {
  const maps = Array.from({ length: MEMBERS_MAX }, (_, index) => ({ kind: "map", index }) as const)
  const single = ["identity", "state", "pool-metadata", "last-io"] as const
  return [...single.map((kind) => ({ kind, index: 0 })), ...maps]
}

/** Neighbours in one write. */
function joined(blocks: readonly BlockWrite[]): BlockWrite[] {
  const runs: { at: number; parts: Uint8Array[]; bytes: number }[] = []
  for (const { at, bytes } of [...blocks].sort((a, b) => a.at - b.at)) {
    const run = runs.at(-1)
    if (run !== undefined && run.at + run.bytes === at && run.bytes < RUN_BYTES_MAX) {
      run.parts.push(bytes)
      run.bytes += bytes.length
    } else runs.push({ at, parts: [bytes], bytes: bytes.length })
  }
  return runs.map(({ at, parts, bytes }) => {
    const whole = new Uint8Array(bytes)
    let from = 0
    for (const part of parts) {
      whole.set(part, from)
      from += part.length
    }
    return { at, bytes: whole }
  })
}

function nameOf(kind: CellKind, index: number): string {
  return `${kind} ${index}`
}
