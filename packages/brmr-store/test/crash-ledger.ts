/**
 * What a store may hold after a crash at this moment: the judge of crash sweeps.
 *
 * It is told what was asked of a store and what that ended with, and judges by the promises of
 * the port (ports/store.ts) alone: cells (S9), the hot set (S16), data (S6, S7), the size (S1) and
 * the restart class (S17). It knows nothing of a format.
 */
import { type CellWrite, RESTART_CLASSES, type RestartClass } from "@rmr/core"
import { DataLedger, type LifeEnd } from "./data-ledger.js"

/** Cells by name, "map-page 3". */
export type Cells = ReadonlyMap<string, Uint8Array>

/** What an opened store says of itself. */
export interface Found {
  readonly sizeBytes: number
  readonly restart: RestartClass
  readonly hot: readonly number[] | "unreadable"
  readonly cells: Cells
  /** Per atomic unit. */
  readonly tags: readonly number[]
}

export type LifePhase = "closed" | "opening" | "open" | "closing"

export class CrashLedger {
  phase: LifePhase = "closed"
  /** What the store may have to say of the past, once it is closed. */
  pending: readonly RestartClass[] = ["none"]
  sizes: number[]
  data: DataLedger = new DataLedger()
  /** Operations of the disk have failed in this life: a store may say worse than it must. */
  isUnsure = false
  /** A flush has lost data, and the process may not know it yet. */
  private isLossUnsaid = false
  private bases: Cells[] = [new Map()]
  private commits: (readonly CellWrite[])[] = []
  /** What reads see: what was told. */
  private current: Cells = new Map()
  private mustBeHot = new Set<number>()
  private mayBeHot = new Set<number>()

  constructor(sizeBytes: number) {
    this.sizes = [sizeBytes]
  }

  copy(): CrashLedger {
    const copy = new CrashLedger(0)
    copy.phase = this.phase
    copy.pending = this.pending
    copy.sizes = [...this.sizes]
    copy.isUnsure = this.isUnsure
    copy.isLossUnsaid = this.isLossUnsaid
    copy.data = this.data.copy()
    copy.bases = [...this.bases]
    copy.commits = [...this.commits]
    copy.current = this.current
    copy.mustBeHot = new Set(this.mustBeHot)
    copy.mayBeHot = new Set(this.mayBeHot)
    return copy
  }

  get cells(): Cells {
    return this.current
  }

  get hot(): ReadonlySet<number> {
    return this.mustBeHot
  }

  commitAsked(writes: readonly CellWrite[]): void {
    this.commits.push(writes)
  }

  /** Commits end in the order in which they were asked. */
  commitTold(isDone: boolean): void {
    const writes = this.commits.shift()!
    const after = this.bases.map((cells) => applied(cells, writes))
    this.bases = isDone ? after : [...this.bases, ...after]
    if (isDone) this.current = applied(this.current, writes)
  }

  heatAsked(extents: readonly number[]): void {
    for (const extent of extents) this.mayBeHot.add(extent)
  }

  heatTold(extents: readonly number[]): void {
    for (const extent of extents) this.mustBeHot.add(extent)
  }

  cooled(extents: readonly number[]): void {
    for (const extent of extents) this.mustBeHot.delete(extent)
  }

  settleAsked(): void {
    this.pending = [...new Set<RestartClass>([...this.pending, "none"])]
  }

  settleTold(): void {
    this.pending = this.isUnsure ? ["none", "cache-lost"] : ["none"]
  }

  flushFailed(): void {
    this.pending = ["cache-lost"]
  }

  /** An operation of the disk failed, whoever asked for it (S17: a flush loses what all wrote). */
  diskFailed(isFlush: boolean): void {
    this.isUnsure = true
    const { data, pending } = this
    // What the first flush of a close has made durable, a later one that fails cannot lose.
    const isCostly = isFlush && data.hasUnflushed && this.phase !== "closing"
    if (isFlush) data.flushed(data.coverage, false)
    if (isCostly) this.isLossUnsaid = true
    this.pending = [...new Set<RestartClass>([...pending, "process", "cache-lost"])]
  }

  /** Somebody was told something: a process that had died before that could say nothing of it. */
  somethingTold(): void {
    if (this.isLossUnsaid) this.pending = ["cache-lost"]
    this.isLossUnsaid = false
  }

  /** The process is gone, and this is what the next one may be told. */
  died(end: LifeEnd): void {
    this.pending = this.classesAfter(end)
    this.phase = "closed"
    if (end === "power") this.data.cacheLost()
  }

  classesAfter(end: LifeEnd): readonly RestartClass[] {
    const { pending, phase } = this
    const least = end === "power" ? "cache-lost" : "process"
    const crashed = pending.map((one) => worse(one, least))
    if (phase === "closed") return pending
    return phase === "open" ? crashed : [...new Set([...pending, ...crashed])]
  }

  /** What this breaks; empty for what may be found. */
  complaints(found: Found, end: LifeEnd, unitBytes: number): string[] {
    const classes = this.classesAfter(end)
    const wrong: string[] = []
    const say = (isRight: boolean, what: string): void => {
      if (!isRight) wrong.push(what)
    }
    say(this.sizes.includes(found.sizeBytes), `S1: size ${found.sizeBytes}`)
    say(classes.includes(found.restart), `S17: ${found.restart}, not ${classes.join(" or ")}`)
    say(this.hasCells(found.cells), `S9: cells ${describeCells(found.cells)}`)
    if (found.hot === "unreadable") wrong.push("S19: the hot set is unreadable")
    else {
      const hot = new Set(found.hot)
      for (const extent of this.mustBeHot) say(hot.has(extent), `S16: ${extent} is not hot`)
      for (const extent of hot) say(this.mayBeHot.has(extent), `S16: ${extent} was never heated`)
    }
    say(found.tags.length * unitBytes === found.sizeBytes, "S10: the whole volume is read")
    for (const [unit, tag] of found.tags.entries()) {
      const tags = this.data.allowed(unit, end)
      say(tags.has(tag), `S7: unit ${unit} is ${tag}, not ${[...tags].join(" or ")}`)
    }
    return wrong
  }

  /** What was found is the truth from now on. */
  settle(found: Found, isDataDurable = true): void {
    this.bases = [found.cells]
    this.current = found.cells
    this.commits = []
    this.pending = [found.restart]
    this.sizes = [found.sizeBytes]
    if (found.hot !== "unreadable") {
      this.mustBeHot = new Set(found.hot)
      this.mayBeHot = new Set(found.hot)
    }
    this.data.settle(found.tags, isDataDurable)
    this.isUnsure = false
    this.isLossUnsaid = false
  }

  /** S9: whole, and in order. */
  private hasCells(found: Cells): boolean {
    let possible = this.bases
    if (possible.some((cells) => isSameCells(cells, found))) return true
    return this.commits.some((writes) => {
      possible = possible.map((cells) => applied(cells, writes))
      return possible.some((cells) => isSameCells(cells, found))
    })
  }
}

export function applied(cells: Cells, writes: readonly CellWrite[]): Cells {
  const after = new Map(cells)
  for (const { kind, index, bytes } of writes) {
    if (bytes === undefined) after.delete(`${kind} ${index}`)
    else after.set(`${kind} ${index}`, bytes)
  }
  return after
}

export function isSameCells(a: Cells, b: Cells): boolean {
  if (a.size !== b.size) return false
  return [...a].every(([name, bytes]) => isSameBytes(bytes, b.get(name)))
}

export function isSameBytes(a: Uint8Array, b: Uint8Array | undefined): boolean {
  if (b === undefined || a.length !== b.length) return false
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false
  return true
}

export function describeCells(cells: Cells): string {
  const words = [...cells].map(([name, { 0: first, length }]) => `${name}=${first}×${length}`)
  return words.length === 0 ? "none" : words.join(", ")
}

function worse(a: RestartClass, b: RestartClass): RestartClass {
  return RESTART_CLASSES.indexOf(a) >= RESTART_CLASSES.indexOf(b) ? a : b
}
