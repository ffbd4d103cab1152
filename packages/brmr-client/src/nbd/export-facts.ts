/**
 * What the handshake says of an export, and which names it goes by. An export is found by its name;
 * the empty name stands for the one that was added first.
 */
import * as nbd from "./protocol.js"

export interface ExportFacts {
  readonly name: string
  readonly description: string
  readonly sizeBytes: number
  readonly isReadOnly: boolean
  readonly canUnmap: boolean
  /** Requests that are multiples of this take the short way; all others are served as well. */
  readonly blockBytes: number
  readonly optimalBytes: number
  /** The longest read and write. */
  readonly requestBytesMax: number
}

/** What a client finds when it looks around. */
export interface ExportCatalog {
  /** `undefined`: there is none of that name. */
  find(name: string): ExportFacts | undefined
  all(): Iterable<ExportFacts>
  /** It is being closed: nobody gets in. */
  isClosing(facts: ExportFacts): boolean
}

export function transmissionFlags({ isReadOnly, canUnmap }: ExportFacts): number {
  const always =
    nbd.HAS_FLAGS |
    nbd.SEND_FLUSH |
    nbd.SEND_FUA |
    nbd.SEND_DF |
    nbd.CAN_MULTI_CONN |
    nbd.SEND_CACHE
  if (isReadOnly) return always | nbd.READ_ONLY
  const trim = canUnmap ? nbd.SEND_TRIM : 0
  return always | trim | nbd.SEND_WRITE_ZEROES | nbd.SEND_FAST_ZERO
}

/** Contexts of BLOCK_STATUS; the number is the bit in the set of a connection, and their id. */
export const CONTEXT_ALLOCATION = 1
export const CONTEXT_DIRTY = 2
export const CONTEXTS: readonly { readonly id: number; readonly name: string }[] = [
  { id: CONTEXT_ALLOCATION, name: "base:allocation" },
  { id: CONTEXT_DIRTY, name: "rmr:dirty" },
]

/** A query is a name, or for a listing a namespace alone. */
export function isAsked(name: string, query: string, isListing: boolean): boolean {
  return query === name || (isListing && query.endsWith(":") && name.startsWith(query))
}
