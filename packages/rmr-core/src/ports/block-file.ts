/**
 * The block-file port: what a file-backed store needs of a file or block device, and no more.
 *
 * It is deliberately dumb: positioned block IO, a size, an exclusive lock. Everything a store
 * promises across a crash is built above it, so that a simulated file with lost, torn and reordered
 * writes can stand under the production code.
 *
 * Promises (every block file; the contract suite has a test for each):
 * - **B1** Geometry is aligned, constant while open but for `grow`, and equal after reopening.
 * - **B2** A read that is submitted after a write completed sees it, and no write touches other
 *   bytes.
 * - **B3** A misaligned or out-of-range operation completes with `invalid-range` and changes
 *   nothing.
 * - **B4** Overlapping writes in flight together leave every atomic unit whole: one of them, never
 *   a mixture.
 * - **B5** What a flush covered survives a power cut; so does a FUA write where
 *   `supports.forcedUnitAccess`, and elsewhere FUA is refused with `unsupported`. Each is told what
 *   became of its own bytes, whatever else is under way.
 * - **B6** After a power cut, or a flush that failed, each atomic unit holds what was durable last,
 *   or something that was written there since, never a mixture. A dying process loses nothing that
 *   completed.
 * - **B7** `zero` reads back zero; with BLOCK_UNMAP it gives space back where `supports.unmap` says
 *   so.
 * - **B8** Reopening finds the same bytes.
 * - **B9** A second open is refused with `busy` and disturbs nothing; the lock dies with its
 *   holder.
 * - **B10** `close` waits for pending work and is idempotent; later operations complete with
 *   `closed`.
 * - **B11** A failed operation says its status, a media error its range, and the file stays open.
 * - **B12** `grow` makes room, durably; where there is none it fails with `no-space` and changes
 *   nothing. A size that is there already is no change.
 * - **B13** Every operation completes exactly once, never inside the call that submitted it.
 * - **B14** A lease is held from submit to completion, and not longer.
 * - **B15** After close nothing is left: no timer, lease, lock or pending operation.
 * - **B16** `bootId` stays the same while the machine runs, and is another one after it went down.
 */
import type { BlockEvents, BlockIo } from "./block-io.js"
import type { Env } from "./env.js"
import type { Memory } from "./memory.js"

export interface BlockFileCapabilities {
  /** `zero` with BLOCK_UNMAP gives space back. */
  readonly unmap: boolean
  /** BLOCK_FUA is honoured by the medium; where false, it is refused and the caller flushes. */
  readonly forcedUnitAccess: boolean
  /** Bytes go past the kernel's cache. */
  readonly direct: boolean
}

export interface BlockFile extends BlockIo {
  readonly supports: BlockFileCapabilities
  /**
   * Makes the file at least this long, or takes up what an admin has already added to the device.
   * What the new bytes hold is not said: a device may have had another use before.
   */
  grow(sizeBytes: number): Promise<void>
  /** Lets pending operations end, gives up the lock. It does not flush. Idempotent. */
  close(): Promise<void>
}

export interface BlockFileOpen {
  readonly env: Env
  readonly memory: Memory
  readonly events: BlockEvents
}

/** A place where a block file can be opened: one open at a time, a second one fails with `busy`. */
export interface BlockFileSource {
  /** For messages: the path. */
  readonly name: string
  open(options: BlockFileOpen): Promise<BlockFile>
  /**
   * Names the boot of the machine whose caches are under this file; another one means they were
   * lost.
   */
  bootId(): Promise<string>
}
