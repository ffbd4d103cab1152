/**
 * Upgrading a store of format 1 to the format of today, when it is opened.
 *
 * ```
 *   read its log ─► places in the area that is not in use, zeroed ─► cells at their places, first
 *     frame, all durable ─► superblock of today over the older copy, then over the newer
 * ```
 *
 * Until the first superblock is there the store is one of format 1, and nothing that it needs was
 * touched. Where an older program takes it into use then, its superblock is at least as new as the
 * one that was about to be written, and counts.
 */
import type { BlockFile, Env } from "@rmr/core"
import { CELL_KINDS, RmrError, randomUuid, STATUS_OK } from "@rmr/core"
import { CellHomes, type HomeWrite } from "./cell-homes.js"
import {
  decodeOldSuperblock,
  type OldContent,
  OldLog,
  type OldSuperblock,
  withCacheLost,
} from "./format-1.js"
import { ENTRY_SNAPSHOT, encodeFrame, hotEntry } from "./frame.js"
import { isCell, isLaidOut, logBytesLeast, placesFrom } from "./layout.js"
import type { MetaIo } from "./meta-io.js"
import { decodeSuperblock, formatOf, isSuperblock, type Superblock } from "./superblock.js"
import {
  type GoodSuperblock,
  placesInOrder,
  writeCopies,
  writeSuperblock,
} from "./superblock-file.js"
import { FORMAT_1_SECOND_AT, SUPERBLOCKS_AT, superblockBytes } from "./superblock-reader.js"
import { zeroRange } from "./zero-range.js"

/** A superblock of format 1, and where its copy lies that is known to be good. */
export interface GoodOldSuperblock {
  readonly block: OldSuperblock
  readonly goodAt: number
  readonly bytes: Uint8Array
}

/** The newest superblock of format 1, where it is the one that counts. */
export async function readOldSuperblock(io: MetaIo): Promise<GoodOldSuperblock | undefined> {
  let newest: GoodOldSuperblock | undefined
  let today = -1
  for (const at of SUPERBLOCKS_AT) {
    const bytes = await superblockBytes(io, at)
    if (typeof bytes === "string") continue
    if (formatOf(bytes) === 1) {
      const block = decodeOldSuperblock(bytes)
      if (newest === undefined || block.sequence > newest.block.sequence) {
        newest = { block, goodAt: at, bytes }
      }
    } else {
      const block = decodeSuperblock(bytes)
      if (isSuperblock(block)) today = Math.max(today, block.sequence)
    }
  }
  return newest !== undefined && newest.block.sequence >= today ? newest : undefined
}

/** S17, in the words of format 1: a flush failed before anything could be rewritten. */
export async function noteOldCacheLost(io: MetaIo, good: GoodOldSuperblock): Promise<void> {
  const places = placesInOrder(FORMAT_1_SECOND_AT, good.goodAt)
  await writeCopies(io, places, withCacheLost(good.bytes))
}

/** The store is one of today's format afterwards. Fails with `unsupported` where it has no room. */
export async function upgrade(
  env: Env,
  io: MetaIo,
  file: BlockFile,
  { block: old, goodAt }: GoodOldSuperblock,
): Promise<GoodSuperblock> {
  const block = superblockFrom(old, randomUuid(env))
  if (!isLaidOut(block)) {
    throw new RmrError("corrupt", "the superblock of format 1 says what no program has written")
  }
  const content = await new OldLog(io.log, old).read()
  const end = old.areaStart + (2 - old.area) * old.areaBytes
  if (placesEnd(block) > end) {
    const words = "its map pages do not fit beside the log of format 1; replace this member"
    throw new RmrError("unsupported", `the store cannot be brought to format 2: ${words}`)
  }
  await zeroRange(file, io, block.logStart, end)
  await writeContent(io, block, content)
  const next = { ...block, isHotUnreadable: block.isHotUnreadable || content.isHotDamaged }
  const status = await writeSuperblock(io, { block: next, goodAt })
  if (status !== STATUS_OK) throw RmrError.ofStatus(status, "the superblock cannot be written")
  env.log.write("info", "store.upgraded", { from: 1, to: 2 })
  return { block: next, goodAt }
}

function superblockFrom(old: OldSuperblock, uuid: string): Superblock {
  const { extentBytes, hotExtentsMax, mapPagesMax, sizeBytes, dataStart, bootId } = old
  const start = old.areaStart + (1 - old.area) * old.areaBytes
  const logBytes = logBytesLeast({ sizeBytes, extentBytes, hotExtentsMax, mapPagesMax })
  return {
    ...placesFrom(start, logBytes, mapPagesMax),
    dataStart,
    sequence: old.sequence + 1,
    uuid,
    extentBytes,
    hotExtentsMax,
    hotExtentsSoft: hotExtentsMax,
    mapPagesMax,
    secondAt: FORMAT_1_SECOND_AT,
    sizeBytes,
    tailSequence: FIRST_FRAME,
    tailAt: start,
    isClean: old.isClean,
    lastSequence: FIRST_FRAME,
    pending: old.pending,
    isHotUnreadable: old.isHotUnreadable,
    sizeBytesMax: 0,
    sumsFrom: 0,
    areSumsSaved: false,
    bootId,
  }
}

const FIRST_FRAME = 1

function placesEnd({ logStart, logBytes, mapPagesMax }: Superblock): number {
  return placesFrom(logStart, logBytes, mapPagesMax).dataStart
}

async function writeContent(io: MetaIo, block: Superblock, content: OldContent): Promise<void> {
  const { homes } = await CellHomes.load(io, block)
  const cells: HomeWrite[] = content.cells.map(({ kind, index, body }) => {
    return { ...cellOf(kind, index, block.mapPagesMax), body: body ?? "damaged" }
  })
  const isWritten = await homes.write(cells, FIRST_FRAME)
  if (isWritten !== STATUS_OK) throw RmrError.ofStatus(isWritten, "cells cannot be written")
  const { uuid, tailSequence: sequence, tailAt } = block
  const frame = encodeFrame({ uuid, sequence, attempt: 0 }, [hotEntry(ENTRY_SNAPSHOT, content.hot)])
  const status = await io.log.writeDurably(tailAt, frame)
  if (status !== STATUS_OK) throw RmrError.ofStatus(status, "the commit log cannot be written")
}

function cellOf(number: number, index: number, mapPagesMax: number): CellName {
  const kind = CELL_KINDS[number]
  if (kind !== undefined && isCell(kind, index, mapPagesMax)) return { kind, index }
  throw new RmrError("corrupt", `the log of format 1 has a cell ${number} ${index}, which is none`)
}

type CellName = Pick<HomeWrite, "kind" | "index">
