/**
 * A path: a link and a line per lane, between one pair of addresses, with what their device has of
 * our memory. A session has one at least.
 *
 * A path that is lost is not mended: another one of a higher number takes its place.
 */
import type { SessionLimits } from "@rmr/core"
import type { Choosable } from "./choosing.js"
import { Lines } from "./lines.js"
import type { Verbs } from "./verbs.js"

/** What one measurement adds to what was known before. */
const LATENCY_SHARE = 0.25
export const NO_SAMPLE = -1

export class Path implements Choosable {
  readonly number: number
  readonly lines: Lines
  /** Frames may come and go. */
  isUp = false
  /** Requests that went this way and are not complete. */
  inFlight = 0
  latencyMs = 0
  /** The request that is measured, and since when. */
  sampleId: number = NO_SAMPLE
  sampledAtMs = 0
  private readonly verbs: Verbs
  /** Heads that leave, and frames that come. */
  private readonly regions: number[] = []

  constructor(verbs: Verbs, number: number, limits: SessionLimits) {
    this.verbs = verbs
    this.number = number
    this.lines = new Lines(verbs, limits)
  }

  addRegion(region: number): void {
    this.regions.push(region)
  }

  /** The request that is measured is complete. */
  endSample(nowMs: number): void {
    const ms = nowMs - this.sampledAtMs
    this.sampleId = NO_SAMPLE
    this.latencyMs =
      this.latencyMs === 0 ? ms : this.latencyMs + (ms - this.latencyMs) * LATENCY_SHARE
  }

  get isBroken(): boolean {
    return this.lines.all.every((line) => line.isBroken)
  }

  /** Each line is told to be over, behind what had come by it. */
  breakLines(): void {
    const { native, engine } = this.verbs
    for (const line of this.lines.all) if (!line.isBroken) native.breakLine(engine, line.number)
  }

  /** Queue pairs first: what they could reach is closed when nothing reaches it any more. */
  end(): void {
    this.isUp = false
    this.lines.end()
    for (const region of this.regions.splice(0)) {
      this.verbs.native.closeRegion(this.verbs.engine, region)
    }
  }
}
