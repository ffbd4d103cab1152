/**
 * What a daemon asks of its client role, in whatever threads that runs: ClientRole does it all in
 * this one, ClientLoops shares its pools out among several.
 */
import type { ExportFacts } from "@rmr/brmr-client"
import type { MemberId, PoolMetadata, ViewNumber } from "@rmr/core"
import type { ClientStatus, Counts, DaemonStats, MapCheckShown } from "../control/status.js"

type Answer<T> = T | Promise<T>

/** What an admin said of an opening. */
export interface Asked {
  readonly isTakeover?: boolean
  readonly isForced?: boolean
  /** A member of the history to open, where there are several (R7). */
  readonly side?: MemberId
  readonly sizeBytes?: number
}

export interface ClientService {
  status(): Answer<ClientStatus>
  stats(): Answer<DaemonStats["client"]>
  nbdStats(): Answer<Counts>
  /** What NBD clients may choose from now. */
  exports(): Answer<readonly ExportFacts[]>
  recordOf(poolName: string): Answer<PoolMetadata | undefined>
  start(poolName: string, asked: Asked): Promise<unknown>
  takeOver(poolName: string): Promise<unknown>
  map(poolName: string, sizeBytes: number | undefined): Promise<unknown>
  unmap(poolName: string): Promise<unknown>
  resolve(poolName: string, keep: number, discard: number, view: ViewNumber): Promise<unknown>
  checkMaps(poolName: string): Promise<readonly MapCheckShown[]>
  reconnect(poolName: string, member: number): Promise<unknown>
  replaceStore(poolName: string, member: number, acceptsLoss: boolean): Promise<unknown>
  extendPool(poolName: string, member: number, address: string): Promise<unknown>
  moveMember(poolName: string, member: number, address: string): Promise<unknown>
  maintain(poolName: string, member: number, isOut: boolean): Promise<unknown>
  requireMembers(poolName: string, count: number): Promise<unknown>
  deleteMember(poolName: string, member: number, acceptsLoss: boolean): Promise<unknown>
  acceptChunk(
    poolName: string,
    chunk: number,
    from: MemberId | undefined,
    acceptsLoss: boolean,
  ): Promise<unknown>
  growPool(poolName: string, sizeBytes: number): Promise<unknown>
  /** Fails with `deadline` where requests were given up. */
  close(): Promise<void>
}
