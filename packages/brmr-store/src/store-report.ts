/** What `inspectStore` says of a place: what lies where, which copy is good, what is wrong. */
import type { CellKind } from "@rmr/core"
import type { Superblock } from "./superblock.js"

/** `none` is no copy, `older` a whole one that does not count. */
export type CopyState = "good" | "older" | "damaged" | "blank" | "removed" | "none"

export interface CopyReport {
  readonly at: number
  readonly state: CopyState
  /** Undefined where it cannot be read. */
  readonly sequence: number | undefined
}

export interface SuperblockReport extends CopyReport {
  readonly format: number | undefined
}

export interface RegionReport {
  readonly name: string
  readonly at: number
  readonly bytes: number
}

export interface LogReport {
  readonly tailSequence: number
  readonly lastSequence: number
  readonly frames: number
  readonly usedBytes: number
  /** Frames of which one copy is damaged. */
  readonly frameCopiesDamaged: readonly number[]
}

export interface CellReport {
  readonly kind: CellKind
  readonly index: number
  /** `log`: newer than what is at its place. */
  readonly from: "log" | "place"
  readonly state: "good" | "damaged"
  readonly bytes: number
  /** Undefined where it is damaged. */
  readonly body: Uint8Array | undefined
  readonly copies: readonly CopyReport[]
}

/** Map pages of one member slot. */
export interface PageReport {
  readonly slot: number
  readonly pages: number
  /** Pages whose bytes are not what was written. */
  readonly damaged: readonly number[]
}

export interface StoreReport {
  /** The one that counts; undefined where both are damaged. */
  readonly superblock: Superblock | undefined
  readonly superblocks: readonly SuperblockReport[]
  readonly layout: readonly RegionReport[]
  readonly log: LogReport | undefined
  /** Ascending; `unreadable` where the log does not say. */
  readonly hotExtents: readonly number[] | "unreadable"
  /** Everything but map pages. */
  readonly cells: readonly CellReport[]
  readonly pages: readonly PageReport[]
  /** What is wrong, in words; empty for a store in good order. */
  readonly problems: readonly string[]
}
