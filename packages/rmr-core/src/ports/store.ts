/**
 * The store port: what is under a server pool (upstream: `io_store`, `brmr_srv_store_ops`).
 *
 * A store keeps three things and gives meaning to none. *Data* is block IO over the volume. *Cells*
 * are small records that change together: view record, state, map pages, last io are bytes here and
 * have one codec, in core. *The hot set* is the intent log: the extents that may hold mutations
 * which are not stable everywhere. Data is written nowhere else, so that after a crash everybody
 * knows where to look (I1, R3). See docs/adr/0003.
 *
 * Promises (every store; the contract suite has a test for each):
 * - **S1** Geometry is aligned, constant while open but for `grow`, and equal after reopening.
 * - **S2** Bytes that were never written read zero, those that `grow` added too.
 * - **S3** A read that is submitted after a write completed sees it, and no write touches other
 *   bytes.
 * - **S4** A misaligned or out-of-range operation completes with `invalid-range` and changes
 *   nothing.
 * - **S5** Overlapping writes in flight together leave every atomic unit whole: one of them, never
 *   a mixture.
 * - **S6** What a flush or `close` covered, and every FUA write, survives a power cut.
 * - **S7** After a power cut, or a flush that failed, each atomic unit holds what was durable last,
 *   or something that was written there since, never a mixture. A dying process loses nothing that
 *   completed.
 * - **S8** `zero` reads back zero; with BLOCK_UNMAP it gives space back where `supports.unmap` says
 *   so.
 * - **S9** `commit` is atomic and durable at completion, whatever power does at any step. Commits
 *   take effect in order, and cannot reach data. One that fails has changed nothing yet; after
 *   reopening it is found whole or not at all.
 * - **S10** Reopening finds the same data and cells.
 * - **S11** A second open is refused with `busy` and disturbs nothing; the lock dies with its
 *   holder.
 * - **S12** `close` waits for pending work and is idempotent; later operations complete with
 *   `closed`.
 * - **S13** A failed operation says its status, a media error its range, and the store stays open.
 * - **S14** Random operations match a plain-memory oracle (the seed is printed).
 * - **S15** A lease is held from submit to completion. After close nothing is left: no timer,
 *   lease, lock or pending operation.
 * - **S16** An extent is in the hot set found at open if its `heat` completed and no `cool` of it
 *   was asked since, by whichever process; one that was cooled may still be found hot. A write or
 *   `zero` outside the hot set is refused by assertion.
 * - **S17** `restart` tells the worst that happened since `settleRestart`: `process` after the
 *   process died, `cache-lost` after the machine did or a flush failed, `none` where there was only
 *   `close`.
 * - **S18** Every operation completes exactly once, never inside the call that submitted it.
 * - **S19** A damaged cell fails to be read with `corrupt`, and the others are read; a damaged
 *   intent log shows as `unreadable`. Neither is ever taken for absent or empty (Q24).
 */

import { assert } from "../assert.js"
import { QUEUE_DEPTH_MAX } from "../limits.js"
import type { BlockEvents, BlockIo } from "./block-io.js"
import type { Env } from "./env.js"
import type { Memory } from "./memory.js"

/** What happened to the store before this open (rule R2), from harmless to worst. */
export const RESTART_CLASSES = ["none", "process", "cache-lost"] as const
export type RestartClass = (typeof RESTART_CLASSES)[number]

/**
 * Kinds of cells, and what their index is.
 * `identity` (0): whose store this is, written at create. `state` (0): epoch, nonce, `seen`,
 * `normalThrough`, incarnation, lifecycle. `pool-metadata` (0): the view record with its ranges.
 * `last-io` (0). `map` (member slot): a map's stamp, and what its pages without a cell hold.
 * `map-page` (page × MEMBERS_MAX + member slot, so that a growing volume moves none).
 */
export const CELL_KINDS = [
  "identity",
  "state",
  "pool-metadata",
  "last-io",
  "map",
  "map-page",
] as const
export type CellKind = (typeof CELL_KINDS)[number]

/** The largest cell of each kind. Small ones leave a store 64 bytes of 4 KiB for its own header. */
export const CELL_BYTES_MAX: Readonly<Record<CellKind, number>> = {
  identity: 4032,
  state: 4032,
  "pool-metadata": 256 * 1024,
  "last-io": 256 * 1024,
  map: 4032,
  "map-page": 4032,
}

/** The cells of one commit together. A store has room for a few of this size at a time. */
export const COMMIT_BYTES_MAX: number = 4 * 1024 * 1024
/** … and how many they may be. */
export const COMMIT_CELLS_MAX = 4096

assert(CELL_BYTES_MAX["pool-metadata"] >= QUEUE_DEPTH_MAX * 33, "a record has room for all ranges")
assert(CELL_BYTES_MAX["last-io"] >= QUEUE_DEPTH_MAX * 48, "last io has room for all units")

export interface CellWrite {
  readonly kind: CellKind
  readonly index: number
  /** The new bytes, copied at the call; undefined removes the cell. */
  readonly bytes: Uint8Array | undefined
}

export interface StoreCapabilities {
  /** `zero` with BLOCK_UNMAP gives space back. */
  readonly unmap: boolean
  /** Data has checksums; what does not verify is a media error. */
  readonly dataChecked: boolean
}

export interface StoreGeometry {
  /** A power of two, and a multiple of VOLUME_BLOCK_BYTES. The last extent may be partial. */
  readonly extentBytes: number
  /** Hot extents that fit the log, spare slots included (rule I3). */
  readonly hotExtentsMax: number
  /** Hot extents above which a flush is wanted; a pool that needs more to spare asks earlier. */
  readonly hotExtentsSoft: number
  /** Pages of one map: indexes of `map-page` cells are below MEMBERS_MAX times this. */
  readonly mapPagesMax: number
}

/**
 * An open store. What only a mistake of ours can ask of it is refused by assertion, as in
 * block-io.ts: a cell index or size that does not exist, a cell twice in one commit, an extent
 * outside the volume.
 */
export interface Store extends BlockIo {
  readonly geometry: StoreGeometry
  readonly supports: StoreCapabilities
  readonly restart: RestartClass
  /**
   * The hot set as this open found it, ascending. It stays hot. `unreadable`: any extent may have
   * been, and so says every open until `settleRestart`; what is heated meanwhile is hot as ever.
   */
  readonly hotAtOpen: readonly number[] | "unreadable"

  /**
   * The cell's bytes as last committed, the caller's own copy; fails with `corrupt` or `closed`.
   */
  readCell(kind: CellKind, index: number): Promise<Uint8Array | undefined>
  /** Indexes of this kind that have a cell, damaged ones too. Ascending. */
  cellIndexes(kind: CellKind): readonly number[]
  /** All of these cells at once, or none; durable at completion. */
  commit(token: number, cells: readonly CellWrite[]): void

  /**
   * The extents are durably hot at completion, with one write for all calls of a turn. Hot ones
   * cost nothing. More than `hotExtentsMax` ends with `no-space`, and none of them is hot.
   */
  heat(token: number, extents: readonly number[]): void
  /** No mutation that is not stable is left in these. Lazy, without completion. */
  cool(extents: readonly number[]): void

  /**
   * What `restart` demands is durable (rule R3): the next open need not say it again. Until then a
   * second crash, or a clean close, leaves at least the same class.
   */
  settleRestart(token: number): void
  /** Makes the volume at least this large, durably; fails with `no-space` and changes nothing. */
  grow(sizeBytes: number): Promise<void>

  /** Ends pending work, marks the store cleanly closed. Never fails. Idempotent. */
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
