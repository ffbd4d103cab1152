/**
 * MapUpdate: one map update, as its client carries it on (rules M3, I4).
 *
 * ```
 *   pages ─► delta, delta, …  each durable everywhere ─► freeze ─► last delta
 * ```
 *
 * The receiver gets all marks, then what was marked meanwhile, again and again while IO goes on. A
 * delta is as large as the time that the one before it took, so they become short quickly; how
 * large the volume is does not matter (P9). After each one, everybody makes durable what it has
 * marked: then the growing view, which comes while IO stands still, finds little left to write.
 */
import type { Clock, MapPhase, MapVersion } from "@rmr/core"
import type { Leg } from "./leg.js"

/** A delta that took no longer is short: another one would hardly be shorter. */
const SHORT_MS = 5
/** Nor would it where this one took more than so much of the time of the one before. */
const SHRINKS_TO = 0.75

export interface MapUpdateParts {
  readonly clock: Clock
  /** The member that returns. */
  readonly receiver: Leg
  readonly source: Leg
  /** All members of the view, the source too. */
  readonly members: readonly Leg[]
  /** Unique in the epoch. */
  readonly number: number
  readonly mapVersion: MapVersion
}

export class MapUpdate {
  private readonly parts: MapUpdateParts

  constructor(parts: MapUpdateParts) {
    this.parts = parts
  }

  /** Whatever is marked now, except what is marked while it is sent. */
  pages(withinMs: number): Promise<void> {
    return this.send("pages", withinMs)
  }

  /** Deltas, until one is short; each step of them within this time. */
  async deltas(countMax: number, withinMs: number): Promise<void> {
    const { clock } = this.parts
    let beforeMs = Number.POSITIVE_INFINITY
    for (let nth = 0; nth < countMax; nth++) {
      const sinceMs = clock.nowMs()
      await Promise.all([this.delta(withinMs), this.save(withinMs)])
      const tookMs = clock.nowMs() - sinceMs
      if (tookMs <= SHORT_MS || tookMs > beforeMs * SHRINKS_TO) return
      beforeMs = tookMs
    }
  }

  /** While nothing is marked: the receiver has all that the source has, and has compared it. */
  lastDelta(withinMs: number): Promise<void> {
    return this.send("last-delta", withinMs)
  }

  private async delta(withinMs: number): Promise<void> {
    const { receiver } = this.parts
    await this.send("delta", withinMs)
    receiver.io.dirtyHint = await this.makeDurable(receiver, withinMs)
  }

  private async save(withinMs: number): Promise<void> {
    await Promise.all(this.parts.members.map((leg) => this.makeDurable(leg, withinMs)))
  }

  private async send(phase: MapPhase, withinMs: number): Promise<void> {
    const { source, receiver, number: update, mapVersion } = this.parts
    const body = { update, phase, receiver: receiver.memberId }
    await source.ask("map-send", mapVersion, body, undefined, withinMs)
  }

  /** Its dirty chunks. */
  private async makeDurable(leg: Leg, withinMs: number): Promise<number> {
    const { number: update, mapVersion } = this.parts
    const { result } = await leg.ask("map-done", mapVersion, { update }, undefined, withinMs)
    return result.dirtyChunks
  }
}
