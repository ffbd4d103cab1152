/**
 * The store port: what is under a server pool (upstream: `io_store`, `brmr_srv_store_ops`).
 *
 * A store has two parts. *Data* is block IO over the volume. *Metadata* is a set of small cells that
 * change together: the store keeps their bytes, core gives them meaning (view record, state, map
 * pages, last io), so that every store persists the same format and none can interpret it wrong.
 * Between them is the intent log: a set of extents that may hold mutations which are not stable
 * everywhere yet.
 *
 * Promises (every store; the contract suite has a test for each):
 * - **S1** Geometry is constant while open, equal after reopening, and aligned.
 * - **S2** Bytes that were never written read zero.
 * - **S3** A read that is submitted after a write completed sees it.
 * - **S4** A misaligned or out-of-range operation completes with `invalid-range` and changes nothing.
 * - **S5** Overlapping writes in flight together leave every block whole: one of them, never a mixture.
 * - **S6** What a flush covered, and every FUA write, survives a power cut.
 * - **S7** After a power cut each unflushed block is old or new, never a mixture.
 * - **S8** `zero` reads back zero; with BLOCK_UNMAP it gives space back where `supports.unmap` says so.
 * - **S9** `commit` is atomic and durable at completion, whatever power does at any step, and cannot
 *   reach data.
 * - **S10** Reopening finds the same data and cells.
 * - **S11** A second open is refused with `busy` and disturbs nothing.
 * - **S12** `close` waits for pending work and is idempotent; later operations complete with `closed`.
 * - **S13** A failed operation says its status, a media error its range, and the store stays open.
 * - **S14** Random operations match a plain-memory oracle (the seed is printed).
 * - **S15** After close nothing is left: no timer, lease, lock or pending operation.
 * - **S16** An extent is in the hot set found at open if its `heat` completed and no `cool` was asked;
 *   one that was cooled may still be found hot.
 * - **S17** `restart` tells the truth: `none` after `close`, `process` after the process died,
 *   `cache-lost` after the machine did.
 * - **S18** Every operation completes exactly once.
 */
import type { BlockEvents, BlockIo } from "./block-io.js"
import type { Env } from "./env.js"
import type { Memory } from "./memory.js"

/** What happened to the store before this open (rule R2). */
export type RestartClass = "none" | "process" | "cache-lost"

/**
 * Kinds of metadata cells. A kind has one cell, or one per index:
 * `identity` (written at create), `state` (epoch, nonce, seen, normalThrough, …), `pool-metadata`
 * (the view record with its ranges), `last-io`, `map-page` (index = member slot and page).
 */
export const CELL_KINDS = ["identity", "state", "pool-metadata", "last-io", "map-page"] as const
export type CellKind = (typeof CELL_KINDS)[number]

export interface CellWrite {
  readonly kind: CellKind
  readonly index: number
  /** The new bytes, copied at the call; undefined removes the cell. */
  readonly bytes: Uint8Array | undefined
}

export interface StoreCapabilities {
  /** `zero` with BLOCK_UNMAP gives space back. */
  readonly unmap: boolean
  /** Each block has a checksum; what does not verify is a media error. */
  readonly dataChecked: boolean
}

export interface StoreGeometry {
  readonly sizeBytes: number
  readonly blockBytes: number
  readonly extentBytes: number
  /** Hot extents that fit the log, spare slots included (rule I3). */
  readonly hotExtentsMax: number
  readonly cellBytesMax: number
  /** Indexes of `map-page` cells are below this. */
  readonly mapPageCellsMax: number
}

export interface Store extends BlockIo {
  readonly geometry: StoreGeometry
  readonly supports: StoreCapabilities
  readonly restart: RestartClass
  /** Extents that were hot when the store was last open. Ascending. */
  readonly hotAtOpen: readonly number[]

  /** The cell's bytes as last committed; the caller must not change them. */
  readCell(kind: CellKind, index: number): Uint8Array | undefined
  /** Indexes of this kind that have a cell. Ascending. */
  cellIndexes(kind: CellKind): readonly number[]
  /** All of these cells at once, or none; durable at completion. Commits take effect in order. */
  commit(token: number, cells: readonly CellWrite[]): void

  /** The extents are durably hot at completion. Hot ones already cost nothing. */
  heat(token: number, extents: readonly number[]): void
  /** No mutation that is not stable is left in these. Lazy, without completion. */
  cool(extents: readonly number[]): void

  /** Ends pending work, marks the store cleanly closed. Idempotent. */
  close(): Promise<void>
}

export interface StoreOpen {
  readonly env: Env
  readonly memory: Memory
  readonly events: BlockEvents
}

/** A place where a store lives: a path, a simulated disk, a piece of memory. */
export interface StoreSource {
  readonly name: string
  open(options: StoreOpen): Promise<Store>
}
