/**
 * Looking at a store without taking it into use: nothing is written.
 *
 * What is damaged is part of the answer. It fails only where the place cannot be read at all, or
 * never held a store.
 */
import type { BlockFile, BlockFileSource, CellKind, Env, Memory } from "@rmr/core"
import { MEMBERS_MAX, RmrError } from "@rmr/core"
import { doubledCells } from "./cell-homes.js"
import { withFile } from "./create-store.js"
import { type FoundSlot, HomeReader } from "./home-reader.js"
import { CELLS_COPY_BYTES, directoryBytes, sumsSlotBytes } from "./layout.js"
import type { MetaIo } from "./meta-io.js"
import { SLOT_BYTES } from "./slot.js"
import { readContent, type StoreContent } from "./store-content.js"
import type {
  CellReport,
  CopyReport,
  LogReport,
  PageReport,
  RegionReport,
  StoreReport,
  SuperblockReport,
} from "./store-report.js"
import {
  decodeSuperblock,
  formatOf,
  hasSums,
  newestSuperblock,
  SUPERBLOCK_BYTES,
  type Superblock,
  type SuperblockCopy,
} from "./superblock.js"
import {
  FORMAT_1_SECOND_AT,
  isBlank,
  isCutOff,
  SUPERBLOCKS_AT,
  superblockBytes,
} from "./superblock-reader.js"
import { readOldSuperblock } from "./upgrade.js"

export function inspectStore(options: {
  readonly env: Env
  readonly memory: Memory
  readonly source: BlockFileSource
}): Promise<StoreReport> {
  return withFile(options, (file, io) => inspect(options.source.name, file, io))
}

async function inspect(name: string, file: BlockFile, io: MetaIo): Promise<StoreReport> {
  const problems: string[] = []
  const { superblock, superblocks } = await lookAtSuperblocks(name, io, problems)
  if (superblock === undefined) {
    const isOld = superblocks.some(({ format }) => format === 1)
    if (isOld) return { ...NOTHING, superblocks, problems }
    problems.push("both copies of the superblock are damaged: nobody knows where the rest lies")
    return { ...NOTHING, superblocks, problems }
  }
  const needs = superblock.dataStart + superblock.sizeBytes
  if (file.sizeBytes < needs) {
    problems.push(`the place has ${file.sizeBytes} bytes, its store needs ${needs}`)
  }
  const layout = layoutOf(superblock)
  const known = { superblock, superblocks, layout, problems }
  let content: StoreContent
  try {
    content = await readContent(io, superblock)
  } catch (thrown) {
    const error = RmrError.from(thrown)
    if (error.code !== "corrupt" && error.code !== "invalid-range") throw error
    problems.push(error.detail)
    return { ...NOTHING, ...known }
  }
  const log = lookAtLog(content, problems)
  const cells = await lookAtCells(io, superblock, content, problems)
  const pages = await lookAtPages(content, problems)
  const isLost = superblock.isHotUnreadable || content.isHotDamaged
  if (isLost) problems.push("what is hot cannot be read: every extent counts as hot")
  return { ...known, log, cells, pages, hotExtents: isLost ? "unreadable" : content.hot }
}

const NOTHING = {
  superblock: undefined,
  layout: [],
  log: undefined,
  hotExtents: "unreadable",
  cells: [],
  pages: [],
} as const

async function lookAtSuperblocks(
  name: string,
  io: MetaIo,
  problems: string[],
): Promise<Pick<StoreReport, "superblock" | "superblocks">> {
  const found: { at: number; copy: SuperblockCopy; format: number | undefined }[] = []
  let blankCount = 0
  for (const at of SUPERBLOCKS_AT) {
    const bytes = await superblockBytes(io, at)
    if (isBlank(bytes)) blankCount++
    const isThere = typeof bytes !== "string"
    const copy = isThere ? decodeSuperblock(bytes) : bytes
    found.push({ at, copy, format: isThere ? formatOf(bytes) : undefined })
  }
  const newest = newestSuperblock(found.map(({ copy }) => copy))
  if (newest instanceof RmrError) {
    if ((await readOldSuperblock(io)) === undefined) throw newest
    problems.push("the store has format 1: it is rewritten as format 2 when it is opened")
    const superblocks = found
      .filter(({ format }) => format === 1)
      .map((one) => ({ ...reportOf(one, undefined), state: "good" as const }))
    return { superblock: undefined, superblocks }
  }
  const isNone = newest === "none" || (newest === "damaged" && isCutOff(blankCount))
  if (isNone) throw new RmrError("not-found", `${name} holds no store`)
  const superblock = newest === "damaged" ? undefined : newest
  const superblocks = found
    .filter(({ at, copy }) => isExpected(at, superblock) || copy !== "none")
    .map((one) => reportOf(one, superblock))
  for (const { at, state } of superblocks) {
    if (state !== "good") problems.push(`the superblock at ${at} is ${WORDS[state]}`)
  }
  return { superblock, superblocks }
}

const WORDS: Readonly<Record<CopyReport["state"], string>> = {
  good: "good",
  older: "older than the other",
  damaged: "damaged",
  blank: "blank",
  removed: "empty",
  none: "not there",
}

function isExpected(at: number, superblock: Superblock | undefined): boolean {
  if (superblock === undefined) return at !== FORMAT_1_SECOND_AT
  return at === 0 || at === superblock.secondAt
}

function reportOf(
  { at, copy, format }: { at: number; copy: SuperblockCopy; format: number | undefined },
  superblock: Superblock | undefined,
): SuperblockReport {
  if (copy === "none" || copy === "damaged") {
    return { at, state: copy, sequence: undefined, format: undefined }
  }
  if (copy instanceof RmrError) return { at, state: "older", sequence: undefined, format }
  const state = copy.sequence === superblock?.sequence ? "good" : "older"
  return { at, state, sequence: copy.sequence, format }
}

function layoutOf(block: Superblock): RegionReport[] {
  const { logStart, logBytes, cellsStart, directoryStart, pagesStart, dataStart } = block
  const pageBytes = MEMBERS_MAX * block.mapPagesMax * SLOT_BYTES
  const mapBytes = directoryBytes(block.mapPagesMax)
  const { sumsStart, sumsExtents, extentBytes } = block
  const sumsBytes = sumsExtents * sumsSlotBytes(extentBytes)
  const sums = { name: "sums of data", at: sumsStart, bytes: sumsBytes }
  return [
    { name: "superblock", at: 0, bytes: SUPERBLOCK_BYTES },
    { name: "superblock", at: block.secondAt, bytes: SUPERBLOCK_BYTES },
    { name: "commit log", at: logStart, bytes: logBytes },
    { name: "cells", at: cellsStart, bytes: CELLS_COPY_BYTES },
    { name: "cells", at: cellsStart + CELLS_COPY_BYTES, bytes: CELLS_COPY_BYTES },
    { name: "page directory", at: directoryStart, bytes: mapBytes },
    { name: "page directory", at: directoryStart + mapBytes, bytes: mapBytes },
    { name: "map pages", at: pagesStart, bytes: pageBytes },
    ...(hasSums(block) ? [sums] : []),
    { name: "data", at: dataStart, bytes: block.sizeBytes },
  ]
}

function lookAtLog({ frames, log }: StoreContent, problems: string[]): LogReport {
  const damaged = frames.filter(({ damagedCopies }) => damagedCopies > 0)
  for (const { sequence, damagedCopies } of damaged) {
    const copies = damagedCopies === 1 ? "one copy" : "parts of both copies"
    problems.push(`frame ${sequence} of the commit log: ${copies} of it damaged`)
  }
  return {
    tailSequence: log.tail.sequence,
    lastSequence: log.lastSequence,
    frames: frames.length,
    usedBytes: log.usedBytes,
    frameCopiesDamaged: damaged.map(({ sequence }) => sequence),
  }
}

async function lookAtCells(
  io: MetaIo,
  superblock: Superblock,
  { table }: StoreContent,
  problems: string[],
): Promise<CellReport[]> {
  const reader = new HomeReader(io.homes, superblock)
  const cells: CellReport[] = []
  for (const { kind, index } of doubledCells()) {
    const { copies, sequence } = await reader.doubled(kind, index)
    const reports = copies.map((copy) => copyOf(copy, sequence))
    for (const { at, state } of reports) {
      if (state === "damaged" || state === "older") {
        problems.push(`the copy of cell ${kind} ${index} at ${at} is ${WORDS[state]}`)
      }
    }
    if (!table.indexes(kind).includes(index)) continue
    cells.push(await cellOf(table, kind, index, reports, problems))
  }
  return cells
}

async function cellOf(
  table: StoreContent["table"],
  kind: CellKind,
  index: number,
  copies: readonly CopyReport[],
  problems: string[],
): Promise<CellReport> {
  const from = table.isLogged(kind, index) ? "log" : "place"
  const body = await readCell(table, kind, index)
  if (body === undefined) problems.push(`cell ${kind} ${index} cannot be read`)
  const state = body === undefined ? "damaged" : "good"
  return { kind, index, from, state, bytes: body?.length ?? 0, body, copies }
}

function copyOf({ at, state, sequence }: FoundSlot, newest: number): CopyReport {
  const known = sequence < 0 ? undefined : sequence
  if (state === "damaged") return { at, state, sequence: known }
  if (sequence < newest) return { at, state: "older", sequence: known }
  return { at, state: state === "held" ? "good" : state, sequence: known }
}

async function lookAtPages({ table }: StoreContent, problems: string[]): Promise<PageReport[]> {
  const damaged: number[][] = Array.from({ length: MEMBERS_MAX }, () => [])
  const counts = new Array<number>(MEMBERS_MAX).fill(0)
  for (const index of table.indexes("map-page")) {
    const slot = index % MEMBERS_MAX
    counts[slot]!++
    if ((await readCell(table, "map-page", index)) !== undefined) continue
    const page = Math.floor(index / MEMBERS_MAX)
    damaged[slot]!.push(page)
    problems.push(`page ${page} of the map in slot ${slot} is damaged`)
  }
  return counts
    .map((pages, slot) => ({ slot, pages, damaged: damaged[slot]! }))
    .filter(({ pages }) => pages > 0)
}

/** Undefined where it is damaged. */
async function readCell(
  table: StoreContent["table"],
  kind: CellKind,
  index: number,
): Promise<Uint8Array | undefined> {
  try {
    const body = await table.read(kind, index)
    return body instanceof Uint8Array ? body : undefined
  } catch (thrown) {
    if (RmrError.from(thrown).code !== "corrupt") throw thrown
    return undefined
  }
}
