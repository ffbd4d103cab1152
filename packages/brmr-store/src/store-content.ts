/**
 * What a store holds beside data: cells at their places, the commit log over them, the hot set.
 */
import { CELL_KINDS, RmrError } from "@rmr/core"
import { CellHomes, type CellPlace } from "./cell-homes.js"
import { CellTable } from "./cell-table.js"
import { CommitLog } from "./commit-log.js"
import {
  ENTRY_CELL,
  ENTRY_COOL,
  ENTRY_HEAT,
  ENTRY_REMOVED,
  ENTRY_SNAPSHOT,
  extentsOf,
} from "./frame.js"
import { frameBytesMax, isCell, snapshotReserve } from "./layout.js"
import { type FoundEntry, type FoundFrame, LogReplay, type LogRing } from "./log-replay.js"
import type { MetaIo } from "./meta-io.js"
import type { Superblock } from "./superblock.js"

export interface StoreContent {
  readonly homes: CellHomes
  readonly table: CellTable
  readonly log: CommitLog
  readonly frames: readonly FoundFrame[]
  readonly hot: readonly number[]
  readonly hotPlaces: readonly CellPlace[]
  readonly isHotDamaged: boolean
}

export function ringOf(block: Superblock): LogRing {
  const { logStart, logBytes, uuid } = block
  return { start: logStart, bytes: logBytes, uuid, frameBytesMax: frameBytesMax(block) }
}

/** Reads all of it; changes nothing. Fails with `corrupt` where the log cannot be read. */
export async function readContent(io: MetaIo, block: Superblock): Promise<StoreContent> {
  const tail = { sequence: block.tailSequence, at: block.tailAt }
  const ring = ringOf(block)
  const last = block.isClean ? block.lastSequence : undefined
  const frames = await new LogReplay(io.log, ring).frames(tail, last)
  const { homes, uneven } = await CellHomes.load(io, block)
  const table = new CellTable(homes)
  // Written again, both copies of it, with the next cut.
  for (const cell of uneven) {
    const places = homes.placesOf(cell.kind, cell.index)
    table.note({ ...cell, sequence: block.tailSequence, places, isUneven: true })
  }
  const hot = new FoundHotSet()
  for (const frame of frames) {
    for (const entry of frame.entries) noteEntry(table, hot, frame, entry, block.mapPagesMax)
  }
  const log = new CommitLog(io.log, ring, snapshotReserve(block.hotExtentsMax), frames)
  return {
    homes,
    table,
    log,
    frames,
    hot: [...hot.extents].sort((a, b) => a - b),
    hotPlaces: hot.places,
    isHotDamaged: hot.isDamaged,
  }
}

class FoundHotSet {
  readonly extents = new Set<number>()
  places: CellPlace[] = []
  isDamaged = false

  note(type: number, body: Uint8Array | undefined, places: readonly CellPlace[]): void {
    if (type === ENTRY_SNAPSHOT) {
      this.extents.clear()
      this.places = []
      this.isDamaged = false
    }
    this.places.push(...places)
    if (body === undefined) this.isDamaged = true
    for (const extent of body === undefined ? [] : extentsOf(body)) {
      if (type === ENTRY_COOL) this.extents.delete(extent)
      else this.extents.add(extent)
    }
  }
}

function noteEntry(
  table: CellTable,
  hot: FoundHotSet,
  frame: FoundFrame,
  entry: FoundEntry,
  mapPagesMax: number,
): void {
  const { sequence, frameBytes } = frame
  const { type, index, bytes, body } = entry
  const places = [0, 1].map((copy) => ({ at: frame.at + copy * frameBytes + entry.at, bytes }))
  if (type === ENTRY_HEAT || type === ENTRY_COOL || type === ENTRY_SNAPSHOT) {
    hot.note(type, body, places)
    return
  }
  const kind = CELL_KINDS[entry.kind]
  const isEntry = type === ENTRY_CELL || type === ENTRY_REMOVED
  if (!isEntry || kind === undefined || !isCell(kind, index, mapPagesMax)) {
    throw new RmrError("corrupt", `frame ${sequence} of the commit log has an entry that is none`)
  }
  const content = type === ENTRY_REMOVED ? undefined : (body ?? "damaged")
  table.note({ kind, index, body: content, sequence, places })
}
