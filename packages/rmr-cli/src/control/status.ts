/** What `status` answers: the shape that programs and the demo's view read. */
export interface StateShown {
  readonly state: string
  readonly sinceMs: number
  readonly why: string
  readonly next: string
  readonly help: string
}

export interface StoragePoolStatus extends StateShown {
  readonly name: string
  readonly member: number
  readonly view: string | null
  readonly restart: string
  readonly dirtyChunks: number
  readonly chunkCount: number
  readonly copiedChunks: number
  readonly hotExtents: number
  readonly store: string
  readonly sizeBytes: number
  readonly failure: string | null
}

export interface StorageStatus {
  readonly listen: readonly string[]
  readonly pools: readonly StoragePoolStatus[]
}

export interface LegStatus extends StateShown {
  readonly member: number
  readonly address: string
  readonly inFlight: number
  readonly latencyMs: number
  readonly dirtyChunks: number
}

export interface ClientPoolStatus {
  readonly name: string
  /** `waiting` until it could be opened, `open`, or why it ended: `fenced`, `closed`. */
  readonly state: string
  readonly why: string | null
  readonly device: { readonly name: string; readonly sizeBytes: number } | null
  readonly view: string | null
  readonly sizeBytes: number | null
  readonly isFlushable: boolean
  readonly legs: readonly LegStatus[]
}

export interface ClientStatus {
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
  readonly storage: StorageStatus | null
  readonly client: ClientStatus | null
}
