/** What a daemon answers: the shapes that programs and the demo's view read. */
import type { ForcedReport } from "@rmr/client"
import type {
  LineageClaim,
  LineageEntry,
  MapVersion,
  MemberMap,
  MemoryStats,
  PoolMetadata,
} from "@rmr/core"
import { dirtyRanges, rankName } from "@rmr/core"
import type { NativeStatus } from "@rmr/io"

export interface StateShown {
  readonly state: string
  readonly sinceMs: number
  readonly why: string
  readonly next: string
  readonly help: string
}

/** The last scrub of a store since it is served. */
export interface ScrubShown {
  readonly state: "running" | "done" | "stopped" | "failed"
  readonly error: string | null
  readonly bytesPerSecond: number
  readonly tookMs: number
  readonly totalBytes: number
  readonly doneBytes: number
  /** Of these: held against their checksums, and without any. */
  readonly checkedBytes: number
  readonly unknownBytes: number
  readonly damagedBytes: number
  /** The first ones, in bytes of the volume. */
  readonly damaged: readonly { readonly offset: number; readonly bytes: number }[]
}

export interface StoragePoolStatus extends StateShown {
  readonly name: string
  readonly member: number
  readonly view: string | null
  readonly restart: string
  readonly dirtyChunks: number
  readonly chunkCount: number
  readonly copiedChunks: number
  /** Of these, chunks that were equal already. */
  readonly equalChunks: number
  /** Of what is dirty: how fast it becomes clean, and for how long yet; null where unknown. */
  readonly chunksPerSecond: number
  readonly syncLeftMs: number | null
  /** Whether copies go easy on foreground IO, and how fast they may be (0: no limit). */
  readonly isSyncPaced: boolean
  readonly syncBytesPerSecondMax: number
  /** How many times as long requests take beside copies; null where unknown. */
  readonly foregroundSlowdown: number | null
  /** Whether an admin stopped copies that no request waits for. */
  readonly isSyncStopped: boolean
  readonly hotExtents: number
  readonly store: string
  readonly sizeBytes: number
  /** Whether its store keeps checksums of data. */
  readonly hasDataSums: boolean
  /** Null where there was none. */
  readonly scrub: ScrubShown | null
  readonly failure: string | null
  /** The view in which its pool goes on without this store; null where it heard of none. */
  readonly deletedIn: string | null
}

export interface StorageStatus {
  /** Of payload memory: what there is, and what is in use. */
  readonly memory: MemoryStats
  /** Threads among which pools are shared out. */
  readonly loops: number
  readonly listen: readonly string[]
  readonly pools: readonly StoragePoolStatus[]
}

export interface LegStatus extends StateShown {
  readonly member: number
  readonly address: string
  readonly inFlight: number
  readonly latencyMs: number
  readonly dirtyChunks: number
  /** Of a member that is out of the view: how far it is on its way back, and what it waits for. */
  readonly returning: {
    readonly phase: string
    readonly detail: string
    /** With the phase "split brain": the pool's history and the member's (R7). */
    readonly split: { readonly here: HistoryShown; readonly there: HistoryShown } | null
  } | null
}

/** A start by force: the history that was left, and what that cost (F6). */
export interface ForkShown {
  readonly lineage: string
  /** The last view of it that counts. */
  readonly fork: string
  readonly lostChunks: number
  /** Until then, it may become more. */
  readonly isSettled: boolean
}

export interface HistoryShown {
  readonly lineage: string
  /** The last view there that is known. */
  readonly view: string
  readonly forks: readonly Pick<ForkShown, "lineage" | "fork">[]
}

export interface ClientPoolStatus {
  readonly name: string
  /**
   * `waiting` until it could be opened, `open`, `unmapped` by an admin, or why it ended: `fenced`,
   * `closed`.
   */
  readonly state: string
  /** Why it waits, has ended, or has trouble now. */
  readonly why: string | null
  readonly device: { readonly name: string; readonly sizeBytes: number } | null
  readonly view: string | null
  /** The history that the view is of. */
  readonly lineage: string | null
  /** Starts by force that it comes from, the newest first. */
  readonly forks: readonly (ForkShown & { readonly lostBytes: number })[]
  readonly sizeBytes: number | null
  readonly isFlushable: boolean
  /** Chunks that nobody in the view has good, as ranges, the first ones (Q23). */
  readonly lost: readonly { readonly first: number; readonly count: number }[]
  readonly legs: readonly LegStatus[]
}

export interface ClientStatus {
  /** As those of a storage node. */
  readonly memory: MemoryStats
  readonly loops: number
  readonly nbd: {
    readonly uris: readonly string[]
    readonly clientCount: number
    readonly requestCount: number
    readonly errorCount: number
    readonly openRequestCount: number
    readonly readBytes: number
    readonly writtenBytes: number
  }
  readonly pools: readonly ClientPoolStatus[]
}

export interface DaemonStatus {
  readonly name: string
  readonly version: string
  readonly pid: number
  readonly residentBytes: number
  /** Whether bytes are moved by native code, from which file, or why not. */
  readonly native: NativeStatus
  readonly storage: StorageStatus | null
  readonly client: ClientStatus | null
}

/** What `stats` answers: counters by name; those that end in `Bytes` count bytes. */
export type Counts = Readonly<Record<string, number>>

export interface DaemonStats {
  readonly storage: readonly {
    readonly name: string
    readonly member: number
    readonly counts: Counts
  }[]
  readonly client: readonly { readonly name: string; readonly counts: Counts }[]
  readonly nbd: Counts | null
}

/** What `pool show` answers. */
export interface PoolShown {
  readonly name: string
  readonly uuid: string
  readonly lineage: string
  readonly view: string
  readonly forks: readonly ForkShown[]
  readonly sizeBytes: number
  readonly chunkSizeBytes: number
  readonly queueDepth: number
  readonly minNormal: number
  readonly members: readonly {
    readonly member: number
    readonly store: string
    readonly address: string
    readonly isNormal: boolean
  }[]
}

/** What `pool start` answers: the status, and what was forced. */
export interface StartShown extends ClientPoolStatus {
  readonly forced: ForcedReport | null
}

/** What `map check` answers of each member. */
export interface MapCheckShown {
  readonly member: number
  readonly isNormal: boolean
  readonly dirtyChunks: number
  readonly suspectChunks: number
  readonly error: string | null
}

/** As people say it, and as commands take it. */
export function shownView({ epoch, version }: Pick<MapVersion, "epoch" | "version">): string {
  return `${epoch}.${version}`
}

export function shownForks({
  history,
  chunkSizeBytes,
}: PoolMetadata): readonly (ForkShown & { readonly lostBytes: number })[] {
  return history.map(({ lineage, fork, lostChunks, isSettled }) => ({
    lineage,
    fork: shownView(fork),
    lostChunks,
    lostBytes: lostChunks * chunkSizeBytes,
    isSettled,
  }))
}

export function shownClaim({ lineage, seen, history }: LineageClaim): HistoryShown {
  const forks = history.map((entry: LineageEntry) => ({
    lineage: entry.lineage,
    fork: shownView(entry.fork),
  }))
  return { lineage, view: shownView(seen), forks }
}

export function shownPool(name: string, record: PoolMetadata): PoolShown {
  const { mapVersion, normal } = record
  return {
    name,
    uuid: record.poolUuid,
    lineage: mapVersion.lineage,
    view: shownView(mapVersion),
    forks: shownForks(record),
    sizeBytes: record.mappedSizeBytes,
    chunkSizeBytes: record.chunkSizeBytes,
    queueDepth: record.queueDepth,
    minNormal: record.minNormal,
    members: record.members.flatMap((entry, slot) =>
      entry === undefined
        ? []
        : [
            {
              member: entry.memberId,
              store: entry.storeUuid,
              address: entry.address,
              isNormal: (normal & (1 << slot)) !== 0,
            },
          ],
    ),
  }
}

/** `map show`: what one member lacks, as this storage node knows it. */
export interface MapShown {
  readonly member: number
  /** Of an absent member: the view since which its marks are kept here. */
  readonly absentSince: string | null
  readonly chunkCount: number
  readonly dirtyChunks: number
  readonly ranges: readonly {
    readonly first: number
    readonly count: number
    readonly rank: ReturnType<typeof rankName>
  }[]
  /** Where to go on; null behind the last range. */
  readonly next: number | null
}

export function shownMap({ memberId, map }: MemberMap, from: number, rangesMax: number): MapShown {
  const { ranges, next } = dirtyRanges(map, from, rangesMax)
  return {
    member: memberId,
    absentSince: map.isOwn ? null : shownView(map.stamp),
    chunkCount: map.chunkCount,
    dirtyChunks: map.count,
    ranges: ranges.map(({ first, count, rank }) => ({ first, count, rank: rankName(rank) })),
    next: next ?? null,
  }
}
