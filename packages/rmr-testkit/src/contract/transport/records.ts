/**
 * What a party has sent and received, as objects: a suite may allocate.
 */
import type { Lane, Lease, PayloadDirection, RmrError, Session } from "@rmr/core"
import type { Sending } from "./sending.js"

/** One end of a request, as its sender was told. */
export interface Completion {
  readonly status: number
  readonly header: Uint8Array
  readonly payloadBytes: number
  /** What came into the room of a read. */
  readonly payload: Uint8Array
  readonly lane: number
  /** On its lane, when the completion was delivered. */
  readonly freeCredits: number
  /** Whether anybody but the sender still held its lease when the completion was delivered. */
  readonly isLeaseHeld: boolean
  /** Which of all things that the party was told, counted from 0. */
  readonly order: number
}

export class Sent implements Sending {
  readonly session: Session
  readonly token: number
  readonly lane: Lane
  readonly direction: PayloadDirection
  readonly header: Uint8Array
  readonly lease: Lease
  readonly at: number
  readonly bytes: number
  readonly isKept: boolean
  /** Exactly one, where T3 is kept. */
  readonly completions: Completion[] = []

  constructor(session: Session, sending: Sending) {
    this.session = session
    this.token = sending.token
    this.lane = sending.lane
    this.direction = sending.direction
    this.header = sending.header
    this.lease = sending.lease
    this.at = sending.at
    this.bytes = sending.bytes
    this.isKept = sending.isKept
  }

  get isDone(): boolean {
    return this.completions.length > 0
  }

  get completion(): Completion {
    const first = this.completions[0]
    if (first === undefined) throw new Error(`request ${this.token} has not completed`)
    return first
  }
}

/** A request as it arrived. */
export interface Delivered {
  readonly session: Session
  readonly ticket: number
  readonly lane: number
  readonly direction: number
  readonly header: Uint8Array
  readonly lease: Lease
  readonly payloadBytes: number
  /** A copy; the lease is still the receiver's. */
  readonly payload: Uint8Array
  readonly order: number
  isAnswered: boolean
  isLeaseOurs: boolean
}

export interface Down {
  readonly session: Session
  readonly cause: RmrError
  readonly order: number
}

export type CallKind = "completions" | "requests"

/** One call of the transport into the party. */
export interface Call {
  readonly kind: CallKind
  readonly turn: number
  readonly count: number
}
