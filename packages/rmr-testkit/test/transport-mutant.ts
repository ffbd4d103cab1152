/**
 * What a broken transport is made of, and the tables that most defects change.
 */
import type { Lease, Memory, Session } from "@rmr/core"
import { AssertionError, COMPLETION_STRIDE, leaseBytes, NO_LEASE, REQUEST_STRIDE } from "@rmr/core"
import type { SimNetwork, SimTransportOptions } from "../src/world/index.js"
import type { Defect, Inside } from "./transport-wrap.js"
import { batchOf, rowsOf } from "./transport-wrap.js"

export interface TransportMutant {
  /** The promise whose clauses must notice. */
  readonly promise: string
  /** What it does wrong, as a verb phrase. */
  readonly does: string
  /** Called for each process, so that no defect remembers another one's harm. */
  readonly make: (network: SimNetwork) => Defect
  /** Where the defect needs other options of the simulated transport beneath. */
  readonly options?: Partial<SimTransportOptions>
}

export function mutant(
  promise: string,
  does: string,
  make: TransportMutant["make"],
  options: Partial<SimTransportOptions> = {},
): TransportMutant {
  return { promise, does, make, options }
}

/** Changes the table of completions. */
export function completions(
  change: (rows: number[][], inside: Inside) => readonly number[][],
): () => Defect {
  return () => ({
    events: (inside) => ({
      onCompletions: (batch) => {
        const rows = change(rowsOf(batch, COMPLETION_STRIDE), inside)
        if (rows.length > 0) inside.user.onCompletions(batchOf(rows, batch.headers))
      },
    }),
  })
}

/** Changes the table of requests. */
export function requests(
  change: (rows: number[][], inside: Inside) => readonly number[][],
): () => Defect {
  return () => ({
    events: (inside) => ({
      onRequests: (batch) => {
        const rows = change(rowsOf(batch, REQUEST_STRIDE), inside)
        if (rows.length > 0) inside.user.onRequests(batchOf(rows, batch.headers))
      },
    }),
  })
}

/** Changes what submit is called with, or does something beside it. */
export function submits(
  change: (inside: Inside, inner: Session, ...args: Parameters<Session["submit"]>) => void,
): () => Defect {
  return () => ({
    session: (inner, inside) => ({
      submit: (...args) => change(inside, inner, ...args),
    }),
  })
}

/** Changes a byte of a lease, if there still is one: a leak of nothing does no harm. */
export function scribble(memory: Memory, lease: Lease, at: number): void {
  whileLive(() => {
    leaseBytes(memory, lease, at, 1)[0]! ^= 0xff
  })
}

/** Keeps a reference on a lease for ever, if there still is one. */
export function leak(memory: Memory, lease: Lease): void {
  if (lease !== NO_LEASE) whileLive(() => memory.retain(lease))
}

function whileLive(act: () => void): void {
  try {
    act()
  } catch (thrown) {
    if (!(thrown instanceof AssertionError)) throw thrown
  }
}
