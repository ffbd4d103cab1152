/**
 * What `store inspect` shows: the place's own report, with what its cells mean.
 *
 * The store knows places, copies and checksums; what a cell says is core's. A cell that is whole
 * and still says nothing that this program understands is one more thing that is wrong.
 */
import type { CellReport, CopyReport, StoreReport } from "@rmr/brmr-store"
import {
  type CellCodec,
  IDENTITY_CELL,
  LAST_IO_CELL,
  MAP_CELL,
  POOL_METADATA_CELL,
  Refused,
  STATE_CELL,
} from "@rmr/core"
import { sizeText } from "../config/sizes.js"
import { shownView } from "../control/status.js"

const CODECS: Readonly<Partial<Record<CellReport["kind"], CellCodec<unknown>>>> = {
  identity: IDENTITY_CELL,
  state: STATE_CELL,
  "pool-metadata": POOL_METADATA_CELL,
  "last-io": LAST_IO_CELL,
  map: MAP_CELL,
}

export interface ShownCell extends Omit<CellReport, "body"> {
  /** What it means; null where nobody knows. */
  readonly value: unknown
}

export interface ShownStore extends Omit<StoreReport, "cells"> {
  readonly path: string
  readonly cells: readonly ShownCell[]
}

export function shownStore(path: string, report: StoreReport): ShownStore {
  const problems = [...report.problems]
  const cells = report.cells.map(({ body, ...cell }) => {
    const value = body === undefined ? null : meaningOf(cell.kind, body)
    if (!(value instanceof Refused)) return { ...cell, value }
    problems.push(`cell ${cell.kind} ${cell.index} says nothing: ${value.toError().detail}`)
    return { ...cell, state: "damaged" as const, value: null }
  })
  return { path, ...report, cells, problems }
}

function meaningOf(kind: CellReport["kind"], body: Uint8Array): unknown {
  const codec = CODECS[kind]
  return codec === undefined ? null : codec.decode(body)
}

export function storeText(shown: ShownStore): string {
  const { path, superblock, problems } = shown
  const lines: string[] = []
  if (superblock === undefined) lines.push(`${path}: a store whose superblock is damaged`)
  else {
    const end = superblock.isClean ? "closed cleanly" : "open, or not closed cleanly"
    lines.push(`${path}: a volume of ${sizeText(superblock.sizeBytes)}, ${end}`)
  }
  lines.push(...ownerLines(shown), ...superblockLines(shown), ...layoutLines(shown))
  lines.push(...logLines(shown), ...cellLines(shown), ...pageLines(shown))
  if (problems.length === 0) lines.push("nothing is wrong")
  else lines.push(`wrong (${problems.length}):`, ...problems.map((problem) => `  ${problem}`))
  return lines.join("\n")
}

function ownerLines({ cells }: ShownStore): string[] {
  const lines: string[] = []
  const identity = meaning<Meaning<typeof IDENTITY_CELL>>(cells, "identity")
  if (identity !== undefined) {
    const { memberId, poolName, poolUuid, storeUuid, chunkSizeBytes } = identity
    lines.push(`  member ${memberId} of pool ${poolName} (${poolUuid}), store ${storeUuid}`)
    lines.push(`  chunks of ${sizeText(chunkSizeBytes)}`)
  }
  const state = meaning<Meaning<typeof STATE_CELL>>(cells, "state")
  if (state !== undefined) {
    const { lifecycle, epoch, seen, normalThrough, incarnation } = state
    const views = `has seen view ${shownView(seen)}, was normal through ${shownView(normalThrough)}`
    lines.push(`  ${lifecycle}, epoch ${epoch}, opened ${incarnation} times`, `  ${views}`)
  }
  const saved = meaning<Meaning<typeof POOL_METADATA_CELL>>(cells, "pool-metadata")
  if (saved !== undefined) {
    const { mapVersion, ranges, members } = saved.metadata
    const rest = `${members.filter(Boolean).length} members, ${ranges.length} ranges`
    lines.push(`  view record ${shownView(mapVersion)} of history ${mapVersion.lineage}, ${rest}`)
  }
  return lines
}

function superblockLines({ superblock, superblocks }: ShownStore): string[] {
  const lines = ["superblocks:"]
  for (const { at, state, sequence, format } of superblocks) {
    const what = sequence === undefined ? "" : `, format ${format}, sequence ${sequence}`
    lines.push(`  at ${at}: ${state}${what}`)
  }
  if (superblock !== undefined) {
    const { uuid, extentBytes, hotExtentsSoft, hotExtentsMax, pending } = superblock
    lines.push(`  uuid ${uuid}, extents of ${sizeText(extentBytes)}`)
    lines.push(`  ${hotExtentsSoft} may be hot, with room for ${hotExtentsMax}`)
    if (pending !== "none") lines.push(`  not dealt with yet: ${PENDING[pending]}`)
  }
  return lines
}

const PENDING = { process: "its process died", "cache-lost": "a cache was lost" } as const

function layoutLines({ layout }: ShownStore): string[] {
  if (layout.length === 0) return []
  return ["layout:", ...layout.map(({ name, at, bytes }) => `  at ${at}: ${name}, ${bytes} bytes`)]
}

function logLines({ log, hotExtents }: ShownStore): string[] {
  if (log === undefined) return []
  const { tailSequence, lastSequence, frames, usedBytes } = log
  const hot = hotExtents === "unreadable" ? "cannot be read" : `${hotExtents.length}`
  return [
    `commit log: ${frames} frames, ${tailSequence} to ${lastSequence}, ${usedBytes} bytes`,
    `hot extents: ${hot}`,
  ]
}

function cellLines({ cells }: ShownStore): string[] {
  if (cells.length === 0) return []
  const lines = cells.map(({ kind, index, bytes, from, state, copies }) => {
    const where = from === "log" ? "newest in the log" : copies.map(copyText).join(", ")
    return `  ${kind} ${index}: ${state}, ${bytes} bytes, ${where}`
  })
  return ["cells:", ...lines]
}

function copyText({ at, state }: CopyReport): string {
  return `copy at ${at} ${state}`
}

function pageLines({ pages }: ShownStore): string[] {
  return pages.map(({ slot, pages: count, damaged }) => {
    const bad = damaged.length === 0 ? "" : `, ${damaged.length} of them damaged`
    return `map in slot ${slot}: ${count} pages${bad}`
  })
}

type Meaning<Codec> = Codec extends CellCodec<infer Value> ? Value : never

function meaning<Value>(cells: readonly ShownCell[], kind: CellReport["kind"]): Value | undefined {
  const found = cells.find((cell) => cell.kind === kind)
  return (found?.value ?? undefined) as Value | undefined
}
