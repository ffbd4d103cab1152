/**
 * The volume port: a pool's bytes as the layer above sees them, one handle per user.
 *
 * A client pool offers volumes; an NBD server, a test or a program of yours uses them. A handle is
 * block IO (block-io.ts) with tokens and completions of its own, so that many connections share one
 * pool without knowing of each other. Beside the statuses of block IO an operation may end with
 * `no-leg`, `no-clean-copy`, `lost` or `fenced`.
 *
 * A flush covers everything that had completed on *any* handle of the pool when it was submitted.
 */
import type { BlockEvents, BlockIo } from "./block-io.js"

/** A part of a volume that is alike. */
export interface VolumeRange {
  readonly bytes: number
  /** Some member of the pool lacks these bytes, or is absent and missed a mutation of them. */
  readonly isDirty: boolean
}

export interface Volume extends BlockIo {
  readonly name: string
  /** Sizes and offsets that are multiples of this move the fewest bytes. */
  readonly optimalIoBytes: number
  /** `zero` with BLOCK_UNMAP gives space back on the members. */
  readonly canUnmap: boolean
  /**
   * What is not complete on every member, from `offset` on: ranges that follow each other, at most
   * `countMax`, and together no longer than `bytes`. Chunks decide: ranges may be wider than what
   * was missed. It is the client's knowledge, and may be older than the members' own.
   */
  ranges(offset: number, bytes: number, countMax: number): readonly VolumeRange[]
  /**
   * Ends within a bound: what is asked from now on ends with `closed`, and so does what was asked
   * before and is not over after `withinMs`, which may have happened or not. Default: what the
   * source of the volume says. Idempotent; the earliest end counts.
   */
  close(withinMs?: number): Promise<void>
}

export interface VolumeOpen {
  readonly events: BlockEvents
  /** Operations that this user may have in flight; more are refused by assertion. */
  readonly inFlightMax: number
}

/** Where a volume comes from. A mapped device is one. */
export interface VolumeSource {
  readonly name: string
  open(options: VolumeOpen): Volume
}
