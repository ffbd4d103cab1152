/**
 * What the suites for block files and stores ask of an implementation.
 *
 * A *place* is where a subject can be opened, with *powers* over it: ways to hurt it, and to look
 * at it from outside. Not everybody can cut the power of a disk. A power that an implementation
 * lacks is declared with the reason, before any clause runs; then what needs it is replaced by a
 * clause that says so and holds the place to the declaration, so that nothing is left out silently.
 */
import type { BlockEvents, BlockIo, CellKind, Env, Memory } from "@rmr/core"
import type { SeededRandom } from "../../world/seeded-random.js"
import type { Waiting } from "../waiting.js"

/** What both kinds of subjects have in common. */
export interface BlockSubject extends BlockIo {
  readonly supports: { readonly unmap: boolean }
  grow(sizeBytes: number): Promise<void>
  close(): Promise<void>
}

export interface BlockOpen {
  readonly env: Env
  readonly memory: Memory
  readonly events: BlockEvents
}

export interface BlockSource<Subject extends BlockSubject> {
  readonly name: string
  open(options: BlockOpen): Promise<Subject>
}

/** What a clause wants to test on; a place may be larger and finer, never smaller. */
export interface BlockShape {
  readonly sizeBytes: number
  /** The medium has room for this much; more is refused with `no-space`. */
  readonly mediumBytes: number
  /** Stores: a volume has 16 of these. */
  readonly extentBytes: number
  /** Stores: exactly so many. */
  readonly hotExtentsMax: number
}

export interface BlockPowers {
  /** The process that has it open dies. Its caches are the machine's and stay. */
  readonly kill: () => void | Promise<void>
  /** The machine loses power, and is there again. */
  readonly powerCut: () => void | Promise<void>
  /** Reads of these bytes fail with `media-error` until they are written anew. */
  readonly failReads: (offset: number, bytes: number) => void | Promise<void>
  /** Writes to these bytes fail with `media-error`. */
  readonly failWrites: (offset: number, bytes: number) => void | Promise<void>
  readonly failNextFlush: () => void | Promise<void>
  /** Bytes of the medium that the content occupies. */
  readonly allocatedBytes: () => number | Promise<number>
  /** Stores: the next commit fails with `io-error`. */
  readonly failNextCommit: () => void | Promise<void>
  readonly damageCell: (kind: CellKind, index: number) => void | Promise<void>
  readonly damageHotSet: () => void | Promise<void>
}

export type PowerName = keyof BlockPowers

/** Powers that an implementation lacks, each with the reason. */
export type AbsentPowers = Readonly<Partial<Record<PowerName, string>>>

export interface BlockPlace<Subject extends BlockSubject> {
  readonly source: BlockSource<Subject>
  readonly powers: Partial<BlockPowers>
}

export interface BlockProcess {
  readonly env: Env
  /** 4 MiB and 1024 leases are enough for any clause; it dies with its process. */
  readonly memory: Memory
}

export interface BlockHarness<Subject extends BlockSubject> {
  readonly waiting: Waiting
  /** Where clauses take chance from; its path names the seed. */
  readonly random: SeededRandom
  /** A new process: at the start, and after each `kill` or `powerCut`. */
  newProcess(): BlockProcess
  /** A place of this shape that nobody else uses, formatted and never opened. */
  fresh(shape: BlockShape): Promise<BlockPlace<Subject>>
}
