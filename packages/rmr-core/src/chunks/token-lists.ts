/**
 * TokenLists: several queues of small numbers.
 *
 * A token names whoever waits: a request of a storage node, 0…tokensMax-1. A token is in one queue
 * at a time at most, so two columns of links serve all queues, and joining, leaving from the middle
 * and moving on cost a few writes. The columns are as long as the highest token so far needs.
 */
import { assert } from "../assert.js"
import { firstRows, longer, moreRows } from "../columns.js"

/** "No token", and "no list". */
export const NO_TOKEN = -1
export const NO_LIST = -1

export class TokenLists {
  readonly tokensMax: number
  private nextOf: Int32Array
  private previousOf: Int32Array
  private listOf: Int32Array
  private readonly firsts: Int32Array
  private readonly lasts: Int32Array
  private readonly counts: Int32Array

  constructor(tokensMax: number, listCount: number) {
    this.tokensMax = tokensMax
    const rows = firstRows(tokensMax)
    this.nextOf = new Int32Array(rows)
    this.previousOf = new Int32Array(rows)
    this.listOf = new Int32Array(rows).fill(NO_LIST)
    this.firsts = new Int32Array(listCount).fill(NO_TOKEN)
    this.lasts = new Int32Array(listCount).fill(NO_TOKEN)
    this.counts = new Int32Array(listCount)
  }

  countOf(list: number): number {
    return this.counts[list]!
  }

  first(list: number): number {
    return this.firsts[list]!
  }

  next(token: number): number {
    return this.nextOf[token]!
  }

  /** Which list the token is in, or `NO_LIST`. */
  placeOf(token: number): number {
    assert(token >= 0 && token < this.tokensMax, "a token is one of those that were planned for")
    return this.listOf[token] ?? NO_LIST
  }

  append(list: number, token: number): void {
    assert(this.placeOf(token) === NO_LIST, "a token waits in one place at a time")
    if (token >= this.listOf.length) this.grow(token)
    const last = this.lasts[list]!
    this.listOf[token] = list
    this.previousOf[token] = last
    this.nextOf[token] = NO_TOKEN
    if (last === NO_TOKEN) this.firsts[list] = token
    else this.nextOf[last] = token
    this.lasts[list] = token
    this.counts[list]!++
  }

  remove(token: number): void {
    const list = this.placeOf(token)
    assert(list !== NO_LIST, "a token that leaves a list is in one")
    const previous = this.previousOf[token]!
    const next = this.nextOf[token]!
    if (previous === NO_TOKEN) this.firsts[list] = next
    else this.nextOf[previous] = next
    if (next === NO_TOKEN) this.lasts[list] = previous
    else this.previousOf[next] = previous
    this.listOf[token] = NO_LIST
    this.counts[list]!--
  }

  private grow(token: number): void {
    const rows = moreRows(this.listOf.length, token + 1, this.tokensMax)
    this.nextOf = longer(this.nextOf, rows)
    this.previousOf = longer(this.previousOf, rows)
    this.listOf = longer(this.listOf, rows, NO_LIST)
  }
}
