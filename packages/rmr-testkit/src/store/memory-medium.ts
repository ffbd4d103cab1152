/**
 * What outlives a process: data under a cache, durable cells, the durable hot set, and the marks
 * from which the next open learns what happened (rule R2).
 *
 * Every method is one atomic step. Whatever dies, dies between two of them; chance decides only
 * where the cache is concerned. So the medium itself can say in a few lines what a real format
 * needs journals, sequence numbers and checksums for, and a store above it is as right as these
 * lines are.
 */
import type { CellKind, CellWrite, Random, RestartClass } from "@rmr/core"
import { RESTART_CLASSES, RmrError } from "@rmr/core"
import { BadSpots } from "./bad-spots.js"
import { CachedBytes } from "./cached-bytes.js"

export interface MediumOptions {
  readonly random: Random
  readonly sizeBytes: number
  /** Up to here a volume can grow. */
  readonly mediumBytes: number
  readonly atomicBytes: number
}

interface Cell {
  readonly bytes: Uint8Array
  readonly isDamaged: boolean
}

/** What an open finds. */
export interface OpenFindings {
  readonly restart: RestartClass
  /** Ascending. */
  readonly hot: readonly number[]
  /** `hot` is only what was heated since the damage. */
  readonly isHotDamaged: boolean
}

export class MemoryMedium {
  readonly random: Random
  readonly data: CachedBytes
  /** Reads of these fail until they are written anew. */
  readonly badReads: BadSpots
  /** Writes of these fail. */
  readonly badWrites: BadSpots
  sizeBytes: number
  /** How many flushes and commits are still to fail. */
  flushFailuresLeft = 0
  commitFailuresLeft = 0
  private readonly mediumBytes: number
  private cellsByKind = new Map<CellKind, Map<number, Cell>>()
  /** The intent log. What was cooled leaves it with the next record that is written. */
  private hot = new Set<number>()
  private isHotDamaged = false
  /** A commit that failed and yet reached the medium: the next open finds it. */
  private hidden: readonly CellWrite[] = []
  /** The worst that happened since it was last settled. */
  private unsettled: RestartClass = "none"
  protected isOpen = false

  constructor(options: MediumOptions) {
    this.random = options.random
    this.sizeBytes = options.sizeBytes
    this.mediumBytes = options.mediumBytes
    this.data = this.cacheOf(options.atomicBytes)
    this.badReads = new BadSpots(options.atomicBytes)
    this.badWrites = new BadSpots(options.atomicBytes)
  }

  protected cacheOf(unitBytes: number): CachedBytes {
    return new CachedBytes(unitBytes)
  }

  /** Begins a new life, and says how the one before it ended. */
  open(): OpenFindings {
    if (this.isOpen) this.suffer("process")
    this.isOpen = true
    this.put(this.hidden)
    const hot = [...this.hot].sort((a, b) => a - b)
    return { restart: this.unsettled, hot, isHotDamaged: this.isHotDamaged }
  }

  /** A clean end: nothing is left in the cache, so that the mark tells the truth for ever. */
  closeCleanly(): void {
    this.flush()
    this.isOpen = false
  }

  /** Whatever was not flushed is old or new, and an unfinished life has lost its cache. */
  losePower(): void {
    this.data.loseCache(this.random)
    if (this.isOpen) this.suffer("cache-lost")
  }

  /**
   * False when it failed: the cache is then left to chance, as by a kernel that drops its pages.
   */
  flush(): boolean {
    if (this.flushFailuresLeft === 0) {
      this.data.flush()
      return true
    }
    this.flushFailuresLeft--
    this.data.loseCache(this.random)
    this.suffer("cache-lost")
    return false
  }

  settle(): void {
    this.unsettled = "none"
    this.isHotDamaged = false
  }

  readCell(kind: CellKind, index: number): Uint8Array | undefined {
    const cell = this.cellsByKind.get(kind)?.get(index)
    if (cell?.isDamaged) throw new RmrError("corrupt", `cell ${kind} ${index} is damaged`)
    return cell?.bytes.slice()
  }

  cellIndexes(kind: CellKind): readonly number[] {
    return [...(this.cellsByKind.get(kind)?.keys() ?? [])].sort((a, b) => a - b)
  }

  /** False when it failed; whether the cells were written all the same, chance knows. */
  commit(cells: readonly CellWrite[]): boolean {
    if (this.commitFailuresLeft > 0) {
      this.commitFailuresLeft--
      this.hidden = this.random.below(2) === 0 ? cells : []
      return false
    }
    this.put(cells)
    return true
  }

  heat(extents: readonly number[]): void {
    for (const extent of extents) this.hot.add(extent)
  }

  cool(extent: number): void {
    this.hot.delete(extent)
  }

  grow(sizeBytes: number): void {
    if (sizeBytes > this.mediumBytes) {
      throw new RmrError("no-space", `there is room for ${this.mediumBytes} bytes only`)
    }
    this.sizeBytes = Math.max(this.sizeBytes, sizeBytes)
  }

  /**
   * A copy of what is durable; the result puts it back, as a backup of a disk would. Of a life that
   * went on then, it is the power cut.
   */
  snapshot(): () => void {
    const restoreData = this.data.snapshot()
    const cells = copyCells(this.cellsByKind)
    const hot = [...this.hot]
    const { sizeBytes, isHotDamaged, isOpen, unsettled } = this
    return () => {
      restoreData()
      this.cellsByKind = copyCells(cells)
      this.hot = new Set(hot)
      this.sizeBytes = sizeBytes
      this.isHotDamaged = isHotDamaged
      this.isOpen = false
      this.unsettled = isOpen ? "cache-lost" : unsettled
    }
  }

  damageCell(kind: CellKind, index: number): void {
    const cells = this.cellsByKind.get(kind)
    const cell = cells?.get(index)
    if (cell !== undefined) cells?.set(index, { ...cell, isDamaged: true })
  }

  damageHotSet(): void {
    this.hot.clear()
    this.isHotDamaged = true
  }

  protected put(cells: readonly CellWrite[]): void {
    for (const { kind, index, bytes } of cells) this.putCell(kind, index, bytes)
    this.hidden = []
  }

  private putCell(kind: CellKind, index: number, bytes: Uint8Array | undefined): void {
    const cells = this.cellsByKind.get(kind) ?? new Map<number, Cell>()
    this.cellsByKind.set(kind, cells)
    if (bytes === undefined) cells.delete(index)
    else cells.set(index, { bytes, isDamaged: false })
  }

  private suffer(what: RestartClass): void {
    const isWorse = RESTART_CLASSES.indexOf(what) > RESTART_CLASSES.indexOf(this.unsettled)
    if (isWorse) this.unsettled = what
  }
}

type Cells = Map<CellKind, Map<number, Cell>>

function copyCells(cells: Cells): Cells {
  return new Map([...cells].map(([kind, byIndex]) => [kind, new Map(byIndex)]))
}
