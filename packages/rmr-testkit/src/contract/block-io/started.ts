/**
 * Operations that a clause has started, and what became of them: the receiving end of completions.
 *
 * It trusts nobody: a completion that comes twice, for a token nobody used, or inside the very call
 * that submitted it is kept here for the clauses that ask.
 */
import type { BlockBatch, BlockEvents, Lease } from "@rmr/core"
import {
  BLOCK_BAD_AT,
  BLOCK_BAD_BYTES,
  BLOCK_STATUS,
  BLOCK_STRIDE,
  BLOCK_TOKEN,
  NO_LEASE,
} from "@rmr/core"

export interface Outcome {
  readonly status: number
  readonly badAt: number
  readonly badBytes: number
}

export class Started {
  readonly token: number
  /** The memory of a read or write, still held by the clause; `NO_LEASE` where there is none. */
  readonly lease: Lease
  /** Exactly one, where S18 is kept. */
  readonly outcomes: Outcome[] = []

  constructor(token: number, lease: Lease = NO_LEASE) {
    this.token = token
    this.lease = lease
  }

  get isDone(): boolean {
    return this.outcomes.length > 0
  }
}

export class Completed implements BlockEvents {
  /** Tokens of completions that nobody has asked for. */
  readonly strayTokens: number[] = []
  /** Completions that were delivered inside a call of the submitter. */
  insideCallCount = 0
  batchCount = 0
  /** Set around every call into the subject. */
  isInsideCall = false
  private readonly startedByToken = new Map<number, Started>()

  expect(started: Started): void {
    this.startedByToken.set(started.token, started)
  }

  onCompletions(batch: BlockBatch): void {
    this.batchCount++
    if (this.isInsideCall) this.insideCallCount += batch.count
    for (let row = 0; row < batch.count; row++) {
      const at = row * BLOCK_STRIDE
      const started = this.startedByToken.get(batch.words[at + BLOCK_TOKEN]!)
      if (started === undefined) this.strayTokens.push(batch.words[at + BLOCK_TOKEN]!)
      else
        started.outcomes.push({
          status: batch.words[at + BLOCK_STATUS]!,
          badAt: batch.words[at + BLOCK_BAD_AT]!,
          badBytes: batch.words[at + BLOCK_BAD_BYTES]!,
        })
    }
  }
}
