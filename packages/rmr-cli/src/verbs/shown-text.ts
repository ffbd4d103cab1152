/** What `stats`, `pool show`, `pool last-io`, `map show` and `map check` answer, for people. */
import type { LastIoEntry } from "@rmr/core"
import { sizeText } from "../config/sizes.js"
import type {
  DaemonStats,
  MapCheckShown,
  MapShown,
  PoolShown,
  ScrubShown,
} from "../control/status.js"

import { forksText } from "./history-text.js"

export function statsText({ storage, client, nbd }: DaemonStats): string {
  const lines: string[] = []
  for (const { name, member, counts } of storage) {
    lines.push(`pool ${name}, member ${member}`, ...countLines(counts))
  }
  for (const { name, counts } of client) lines.push(`pool ${name}`, ...countLines(counts))
  if (nbd !== null) lines.push("NBD", ...countLines(nbd))
  return lines.length === 0 ? "nothing is served or open" : lines.join("\n")
}

function countLines(counts: Readonly<Record<string, number>>): string[] {
  return Object.entries(counts).map(([name, value]) => {
    const isBytes = name.endsWith("Bytes")
    return `  ${wordsOf(name)}: ${isBytes ? sizeText(value) : value.toLocaleString("en")}`
  })
}

/** `readRetries`: read retries. What counts bytes says so by its unit. */
function wordsOf(name: string): string {
  return name.replace(/Bytes$/, "").replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
}

export function poolText(pool: PoolShown): string {
  const lines = [
    `pool ${pool.name}, ${pool.uuid}`,
    `  volume of ${sizeText(pool.sizeBytes)}, chunks of ${sizeText(pool.chunkSizeBytes)}`,
    `  view ${pool.view} of history ${pool.lineage}`,
    ...forksText(pool.forks).map((line) => `    ${line}`),
    `  up to ${pool.queueDepth} writes in flight; at least ${pool.minNormal} members serve`,
  ]
  for (const { member, store, address, isNormal } of pool.members) {
    const standing = isNormal ? "normal" : "absent"
    lines.push(`  member ${member}: ${standing}, store ${store}${at(address)}`)
  }
  return lines.join("\n")
}

function at(address: string): string {
  return address === "" ? "" : `, at ${address}`
}

export function mapCheckText(checks: readonly MapCheckShown[]): string {
  return checks.map(lineOf).join("\n")
}

function lineOf({ member, isNormal, dirtyChunks, suspectChunks, error }: MapCheckShown): string {
  if (error !== null) return `member ${member}: ${error}`
  const standing = isNormal ? "normal" : "not normal"
  if (dirtyChunks === 0) return `member ${member}: ${standing}, clean`
  const suspects = suspectChunks === 0 ? "" : `, of which it only suspects ${suspectChunks}`
  return `member ${member}: ${standing}, lacks ${dirtyChunks} chunks${suspects}`
}

/** A line for each range: chunks, and how certain it is that they lack something. */
export function mapsText(maps: readonly MapShown[]): string {
  return maps.flatMap(linesOfMap).join("\n")
}

function linesOfMap(map: MapShown): string[] {
  const { member, absentSince, chunkCount, dirtyChunks, ranges, next } = map
  const absence = absentSince === null ? "" : `, absent since view ${absentSince}`
  const facts = dirtyChunks === 0 ? "clean" : `${dirtyChunks} of ${chunkCount} chunks dirty`
  const lines = [`member ${member}: ${facts}${absence}`]
  for (const { first, count, rank } of ranges) {
    const chunks = count === 1 ? `${first}` : `${first}-${first + count - 1}`
    lines.push(`  ${chunks} ${rank}`)
  }
  if (next !== null) lines.push(`  more from chunk ${next} on: --from ${next}`)
  return lines
}

export function lastIoText(entries: readonly LastIoEntry[]): string {
  if (entries.length === 0) return "nothing is recorded"
  return entries
    .map(({ unit, operation, epoch, sequence, offset, length }) => {
      return `unit ${unit}: ${operation} ${epoch}.${sequence}, ${length} bytes at ${offset}`
    })
    .join("\n")
}

const RANGES_SHOWN = 20

/** How far a scrub is, or how it ended, and what it has found. */
export function scrubText(scrub: ScrubShown): string {
  const { state, doneBytes, totalBytes, bytesPerSecond, error } = scrub
  const far = `${sizeText(doneBytes)} of ${sizeText(totalBytes)}`
  const left = Math.ceil((totalBytes - doneBytes) / bytesPerSecond)
  const rest = state === "running" ? `, about ${left} s left` : ""
  const why = error === null ? "" : `: ${error}`
  return [`scrub ${state}${why}, ${far}${rest}`, ...foundLines(scrub)].join("\n      ")
}

export function foundLines(
  found: Pick<ScrubShown, "checkedBytes" | "unknownBytes" | "damagedBytes" | "damaged">,
): string[] {
  const { checkedBytes, unknownBytes, damagedBytes, damaged } = found
  const lines = [
    `${sizeText(checkedBytes)} checked, ${sizeText(unknownBytes)} without checksums`,
    damagedBytes === 0 ? "nothing is damaged" : `damaged: ${sizeText(damagedBytes)}`,
    ...damaged.slice(0, RANGES_SHOWN).map(({ offset, bytes }) => `  ${bytes} bytes at ${offset}`),
  ]
  const hidden = damaged.length - RANGES_SHOWN
  if (hidden > 0) lines.push(`  and ${hidden} more; --json shows them`)
  return lines
}
