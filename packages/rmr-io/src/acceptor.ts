/** Where the connections of a listener come from: a socket of this thread, or another thread. */
import type { StreamAddress } from "./socket-address.js"

/** A handle of Node's, what was read from it before it came here, and what was agreed with it. */
export type OnHandle = (handle: unknown, first: Uint8Array, note: unknown) => void

export interface Acceptor {
  readonly address: StreamAddress
  /** Fails with `busy` or `invalid-argument`. */
  open(at: StreamAddress): Promise<void>
  /** Connections that it has accepted stay. Idempotent. */
  close(): void
}

export type AcceptorSource = (onHandle: OnHandle) => Acceptor

export const NOTHING_READ: Uint8Array = new Uint8Array(0)
