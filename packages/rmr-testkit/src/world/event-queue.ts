/**
 * What is still to happen, ordered by (time, insertion): a binary heap with removal.
 *
 * Cancelled events leave at once. A pool arms a deadline for every IO and cancels nearly all of
 * them, so tombstones would soon be most of the heap.
 */
import { assert } from "@rmr/core"

/**
 * One thing to happen. The queue owns `place`; `order` makes equal times run in order of insertion.
 */
export interface QueuedEvent {
  atMs: number
  order: number
  /** Where it is in the heap, or `NOT_QUEUED`. */
  place: number
}

export const NOT_QUEUED = -1

export class EventQueue<E extends QueuedEvent> {
  private readonly heap: E[] = []

  get count(): number {
    return this.heap.length
  }

  /** The next one to happen; it stays queued. */
  peek(): E | undefined {
    return this.heap[0]
  }

  push(event: E): void {
    assert(event.place === NOT_QUEUED, "an event is queued once at a time")
    this.heap.push(event)
    this.rise(event, this.heap.length - 1)
  }

  pop(): E | undefined {
    const first = this.heap[0]
    if (first !== undefined) this.remove(first)
    return first
  }

  /** Takes an event out, wherever it is. Does nothing for one that is not queued. */
  remove(event: E): void {
    const place = event.place
    if (place === NOT_QUEUED) return
    assert(this.heap[place] === event, "an event knows its place")
    event.place = NOT_QUEUED
    const last = this.heap.pop()!
    if (last === event) return
    if (place > 0 && isBefore(last, this.heap[parentOf(place)]!)) this.rise(last, place)
    else this.sink(last, place)
  }

  /** All events, in the order they will happen. Allocates: for messages and tests. */
  inOrder(): E[] {
    return [...this.heap].sort((a, b) => (isBefore(a, b) ? -1 : 1))
  }

  private rise(event: E, from: number): void {
    let place = from
    while (place > 0) {
      const above = this.heap[parentOf(place)]!
      if (!isBefore(event, above)) break
      this.put(above, place)
      place = parentOf(place)
    }
    this.put(event, place)
  }

  private sink(event: E, from: number): void {
    const count = this.heap.length
    let place = from
    for (;;) {
      let child = 2 * place + 1
      if (child >= count) break
      if (child + 1 < count && isBefore(this.heap[child + 1]!, this.heap[child]!)) child++
      const below = this.heap[child]!
      if (!isBefore(below, event)) break
      this.put(below, place)
      place = child
    }
    this.put(event, place)
  }

  private put(event: E, place: number): void {
    this.heap[place] = event
    event.place = place
  }
}

function parentOf(place: number): number {
  return (place - 1) >> 1
}

function isBefore(a: QueuedEvent, b: QueuedEvent): boolean {
  return a.atMs !== b.atMs ? a.atMs < b.atMs : a.order < b.order
}
