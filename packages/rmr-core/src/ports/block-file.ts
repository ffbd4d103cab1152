/**
 * The block-file port: what a file-backed store needs of a file or block device, and no more.
 *
 * It is deliberately dumb: positioned block IO, a size, an exclusive lock. Everything a store promises
 * across a crash is built above it, so that a simulated file with lost, torn and reordered writes
 * can stand under the production code.
 */
import type { BlockEvents, BlockIo } from "./block-io.js"
import type { Env } from "./env.js"
import type { Memory } from "./memory.js"

export interface BlockFileCapabilities {
  /** `zero` with BLOCK_UNMAP gives space back. */
  readonly unmap: boolean
  /** BLOCK_FUA is honoured by the medium; where false, the caller flushes. */
  readonly forcedUnitAccess: boolean
  /** Bytes go past the kernel's cache. */
  readonly direct: boolean
}

export interface BlockFile extends BlockIo {
  readonly supports: BlockFileCapabilities
  /** Lets pending operations end, gives up the lock. Idempotent. */
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
  /** Names the boot of the machine whose caches are under this file; another one means they were lost. */
  bootId(): Promise<string>
}
