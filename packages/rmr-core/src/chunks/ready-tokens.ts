/**
 * ReadyTokens: hands tokens whose wait is over to their owner, in batches and never in the middle
 * of a step.
 *
 * Releasing a lock or ending a sync decides at once who goes on, but does not call anybody: the
 * owner would come back into a structure that is half changed. It calls `deliver` where it stands
 * well, usually at the end of its turn. What the owner does during a delivery makes further batches
 * of the same one.
 */
import { firstRows, longer, moreRows } from "../columns.js"
import type { TokenLists } from "./token-lists.js"

/** Valid only during the call, and only as it was at its start. */
export interface TokenBatch {
  readonly count: number
  readonly tokens: Int32Array
  /** By place in the batch: STATUS_OK, or a status of errors.ts. */
  readonly statuses: Int32Array
}

export interface TokenEvents {
  /** These waits are over, in order. */
  onReady(batch: TokenBatch): void
}

export class ReadyTokens {
  private readonly lists: TokenLists
  private readonly list: number
  private readonly events: TokenEvents
  private statusOf: Int32Array
  private readonly batch: {
    count: number
    tokens: Int32Array
    statuses: Int32Array
  }
  private isDelivering = false

  /** `list` of `lists` is where ready tokens are until they are delivered. */
  constructor(lists: TokenLists, list: number, events: TokenEvents) {
    this.lists = lists
    this.list = list
    this.events = events
    const rows = firstRows(lists.tokensMax)
    this.statusOf = new Int32Array(rows)
    this.batch = { count: 0, tokens: new Int32Array(rows), statuses: new Int32Array(rows) }
  }

  get count(): number {
    return this.lists.countOf(this.list)
  }

  push(token: number, status: number): void {
    this.lists.append(this.list, token)
    if (token >= this.statusOf.length) {
      this.statusOf = longer(this.statusOf, this.rowsFor(this.statusOf, token + 1))
    }
    this.statusOf[token] = status
  }

  deliver(): void {
    if (this.isDelivering) return
    this.isDelivering = true
    try {
      while (this.count > 0) {
        this.fillBatch()
        this.events.onReady(this.batch)
      }
    } finally {
      this.isDelivering = false
    }
  }

  private fillBatch(): void {
    const { batch, count } = this
    batch.count = 0
    if (count > batch.tokens.length) {
      const rows = this.rowsFor(batch.tokens, count)
      batch.tokens = new Int32Array(rows)
      batch.statuses = new Int32Array(rows)
    }
    while (this.count > 0) {
      const token = this.lists.first(this.list)
      this.lists.remove(token)
      batch.tokens[batch.count] = token
      batch.statuses[batch.count] = this.statusOf[token]!
      batch.count++
    }
  }

  private rowsFor({ length: rows }: Int32Array, needed: number): number {
    return moreRows(rows, needed, this.lists.tokensMax)
  }
}
