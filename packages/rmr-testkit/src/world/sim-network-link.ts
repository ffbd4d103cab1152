/**
 * One direction between two hosts: how long a message takes, and whether it gets through at all.
 *
 * A link loses no single message: what runs over it is a reliable session, which is either there or
 * lost as a whole. A link can be *cut*: nothing passes, so both ends grow silent to each other, and
 * what was sent waits for the heal as a retransmission would. Or it can be *clogged*: data waits,
 * but signs of life pass, so nobody is reported down while requests take for ever.
 *
 * What is on its way when a link gets stuck waits too; it is looked at again when it should arrive.
 */
import type { Clock } from "@rmr/core"
import { assert } from "@rmr/core"
import type { SeededRandom } from "./seeded-random.js"

/** How a link behaves by itself. Chances are per message, 0…1. */
export interface LinkOptions {
  /** Every message takes at least this long … */
  readonly delayMsMin: number
  /** … and at most this, plus what bandwidth, order and slowness add. */
  readonly delayMsMax: number
  /** `even`: every delay is equally likely. `tailed`: most are short, a few are long. */
  readonly delaySpread: "even" | "tailed"
  /** A message may overtake those that were sent before it. */
  readonly overtakeChance: number
  /** A message takes up to `slowMsMax` longer. */
  readonly slowChance: number
  readonly slowMsMax: number
  /** The link clogs for up to `clogMsMax`. */
  readonly clogChance: number
  readonly clogMsMax: number
  /** The session that a message belongs to is lost. */
  readonly sessionLossChance: number
  /** A byte of a message is changed. */
  readonly corruptChance: number
  /** Of the end of a session the other side hears at once, not only by silence. */
  readonly resetChance: number
  /** Messages share this; one after the other takes its time. */
  readonly bytesPerMs: number
}

/** Short delays, strict order, no faults: for stories in which the network is not the point. */
export const CALM_LINK: LinkOptions = {
  delayMsMin: 0.05,
  delayMsMax: 0.1,
  delaySpread: "even",
  overtakeChance: 0,
  slowChance: 0,
  slowMsMax: 0,
  clogChance: 0,
  clogMsMax: 0,
  sessionLossChance: 0,
  corruptChance: 0,
  resetChance: 1,
  bytesPerMs: Number.POSITIVE_INFINITY,
}

/** No faults either, but no accidental kindness: order and timing mean nothing. */
export const WEAK_LINK: LinkOptions = {
  ...CALM_LINK,
  delayMsMin: 0.02,
  delayMsMax: 2,
  delaySpread: "tailed",
  overtakeChance: 0.5,
  slowChance: 0.01,
  slowMsMax: 20,
  resetChance: 0.5,
}

interface Parcel {
  readonly bytes: number
  readonly arrive: () => void
}

export class Link {
  options: LinkOptions
  isCut = false
  /** By a verb; a clog that the link drew itself ends by itself. */
  isClogged = false
  /** Added to the next messages, one each. */
  readonly extraDelaysMs: number[] = []
  private readonly clock: Clock
  private readonly random: SeededRandom
  private isJammed = false
  private held: Parcel[] = []
  private busyUntilMs = 0
  private latestArrivalMs = 0

  constructor(clock: Clock, random: SeededRandom, options: LinkOptions) {
    this.clock = clock
    this.random = random
    this.options = options
  }

  get isStuck(): boolean {
    return this.isCut || this.isClogged || this.isJammed
  }

  send(bytes: number, arrive: () => void): void {
    if (this.random.chance(this.options.clogChance)) this.jam()
    const parcel = { bytes, arrive }
    if (this.isStuck) this.held.push(parcel)
    else this.forward(parcel)
  }

  /** What was held goes on. */
  heal(): void {
    this.isCut = false
    this.isClogged = false
    this.isJammed = false
    this.releaseHeld()
  }

  private releaseHeld(): void {
    if (this.isStuck) return
    const held = this.held
    this.held = []
    for (const parcel of held) this.forward(parcel)
  }

  private forward(parcel: Parcel): void {
    const delayMs = this.arrivalOf(parcel.bytes) - this.clock.nowMs()
    this.clock.schedule(delayMs, () => {
      if (this.isStuck) this.held.push(parcel)
      else parcel.arrive()
    })
  }

  private arrivalOf(bytes: number): number {
    const { random, options } = this
    const startMs = Math.max(this.clock.nowMs(), this.busyUntilMs)
    this.busyUntilMs = startMs + bytes / options.bytesPerMs
    let atMs = this.busyUntilMs + this.drawDelay() + (this.extraDelaysMs.shift() ?? 0)
    if (random.chance(options.slowChance)) atMs += options.slowMsMax * random.unit()
    if (!random.chance(options.overtakeChance)) atMs = Math.max(atMs, this.latestArrivalMs)
    this.latestArrivalMs = Math.max(this.latestArrivalMs, atMs)
    return atMs
  }

  private drawDelay(): number {
    const { delayMsMin, delayMsMax, delaySpread } = this.options
    const unit = this.random.unit()
    // Products, not powers: every engine gives the same digits, so a seed means the same
    // everywhere.
    const share = delaySpread === "even" ? unit : unit * unit * unit * unit
    return delayMsMin + (delayMsMax - delayMsMin) * share
  }

  private jam(): void {
    if (this.isJammed) return
    this.isJammed = true
    this.clock.schedule(this.options.clogMsMax * this.random.unit(), () => {
      this.isJammed = false
      this.releaseHeld()
    })
  }
}

const CHANCES = [
  "overtakeChance",
  "slowChance",
  "clogChance",
  "sessionLossChance",
  "corruptChance",
  "resetChance",
] as const

export function assertLinkOptions(options: LinkOptions): void {
  for (const name of CHANCES) {
    const chance = options[name]
    assert(chance >= 0 && chance <= 1, `${name} ${chance} is not in 0…1`)
  }
  const { delayMsMin, delayMsMax } = options
  assert(delayMsMin >= 0 && delayMsMin <= delayMsMax, `delays ${delayMsMin}…${delayMsMax} ms`)
  assert(Number.isFinite(delayMsMax), "a message that never arrives is a cut, not a delay")
  assert(options.bytesPerMs > 0, "a link that carries nothing is a cut")
}
