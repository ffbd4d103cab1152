/**
 * What a daemon asks of its storage role, in whatever threads that runs: StorageRole does it all in
 * this one, StorageLoops shares its pools out among several.
 */
import type { LastIoEntry, PoolMetadata } from "@rmr/core"
import type { DaemonStats, MapShown, ScrubShown, StorageStatus } from "../control/status.js"

type Answer<T> = T | Promise<T>

export interface StorageService {
  status(): Answer<StorageStatus>
  stats(): Answer<DaemonStats["storage"]>
  recordOf(poolName: string): Answer<PoolMetadata | undefined>
  mapSummary(poolName: string): Answer<string>
  /** Of each map at most `rangesMax` ranges from chunk `from` on. */
  showMaps(poolName: string, from: number, rangesMax: number): Answer<readonly MapShown[]>
  lastIo(poolName: string): Answer<readonly LastIoEntry[]>
  setSync(
    poolName: string,
    isOn: boolean,
  ): Answer<{ readonly pool: string; readonly isOn: boolean }>
  startScrub(poolName: string, bytesPerSecond: number): Answer<ScrubShown>
  stopScrub(poolName: string): Promise<ScrubShown>
  removeStore(poolName: string): Promise<{ readonly pool: string; readonly store: string }>
  addStore(poolName: string): Promise<{ readonly pool: string; readonly store: string }>
  /** Fails where a store was not closed cleanly; with `deadline` where it was not in time. */
  close(): Promise<void>
}

/** What is asked about one pool; its name is the first argument. */
export type PoolMethod = Exclude<keyof StorageService, "status" | "stats" | "close">
