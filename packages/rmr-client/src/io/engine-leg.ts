/** What the data path knows of a leg: where to submit, and what it has heard. */
import type { MemberId, Session } from "@rmr/core"

export class EngineLeg {
  readonly slot: number
  readonly memberId: MemberId
  /** There while the member is normal, enabled, and its session is up. */
  session: Session | undefined
  /** Counts the holder's sessions to this member (W5). */
  sessionGeneration = 0
  inFlight = 0
  /** The newest request that it has answered in this epoch (F7). */
  answeredNumber = 0
  lastAnswerMs = 0
  /** Signs of life that were asked for and did not come, since anything did. */
  silentCount = 0
  /** When its member began to take IO on this session. */
  enabledMs = 0
  /** Smoothed time between a request and its answer, for people. */
  latencyMs = 0
  /** The same of reads alone, for choosing whom to read from. */
  readMs = 0
  /** Mutations that it has carried out, and the time that they took together. */
  mutationCount = 0
  mutationMs = 0
  /** Chunks that it has dirty, as far as this client knows: a hint. */
  dirtyHint = 0

  constructor(slot: number, memberId: MemberId) {
    this.slot = slot
    this.memberId = memberId
  }
}

export const READ_POLICIES = ["round-robin", "least-inflight", "latency"] as const
/** How a read chooses among legs that are as good as each other. */
export type ReadPolicy = (typeof READ_POLICIES)[number]

const EXPLORE_EVERY = 64

/** A leg's turn is a run of reads of so many bytes together, unless somebody says otherwise. */
export const READ_RUN_BYTES: number = 64 * 1024

/**
 * Chooses the leg of a read.
 *
 * Reads go to the legs in runs: a member that gets sixteen small reads at once takes them in one
 * turn of its loop and answers them in one, which costs both sides less than sixteen turns, and a
 * reader with one read at a time finds its member awake. Large reads are a run each.
 */
export class ReadBalance {
  private readonly policy: ReadPolicy
  private readonly runBytesMax: number
  private turn = 0
  private runBytes = 0
  private count = 0
  private isExploring = false

  /** With a run of 0, each read is one. */
  constructor(policy: ReadPolicy, runBytesMax: number) {
    this.policy = policy
    this.runBytesMax = runBytesMax
  }

  /** One of the legs in `candidates` that is up, clean ones first; undefined where none is. */
  choose(
    legs: readonly (EngineLeg | undefined)[],
    candidates: number,
    bytes: number,
  ): EngineLeg | undefined {
    this.advance(bytes)
    let count = 0
    for (const leg of legs) if (isThere(leg, candidates)) count++
    // The turn goes round among those that are there: else who follows one that is not has two.
    const turn = this.isExploring ? Math.floor(this.count / EXPLORE_EVERY) : this.turn
    let skipped = count === 0 ? 0 : turn % count
    let first = 0
    for (; first < legs.length; first++)
      if (isThere(legs[first], candidates) && skipped-- === 0) break
    let best: EngineLeg | undefined
    for (let nth = 0; nth < legs.length; nth++) {
      const leg = legs[(first + nth) % legs.length]
      if (!isThere(leg, candidates)) continue
      if (best === undefined || this.isBetter(leg, best)) best = leg
    }
    return best
  }

  private advance(bytes: number): void {
    // Now and then another one is asked: a leg that was slow once may be quick again.
    this.isExploring = this.policy === "latency" && ++this.count % EXPLORE_EVERY === 0
    this.runBytes += bytes
    if (this.runBytes <= this.runBytesMax) return
    this.turn++
    this.runBytes = bytes
  }

  private isBetter(leg: EngineLeg, best: EngineLeg): boolean {
    const isCleaner = leg.dirtyHint === 0 && best.dirtyHint > 0
    const isDirtier = leg.dirtyHint > 0 && best.dirtyHint === 0
    if (isCleaner || isDirtier) return isCleaner
    switch (this.policy) {
      case "least-inflight":
        return leg.inFlight < best.inFlight
      case "latency":
        return !this.isExploring && leg.readMs < best.readMs
      default:
        return false
    }
  }
}

function isThere(leg: EngineLeg | undefined, candidates: number): leg is EngineLeg {
  return leg?.session !== undefined && (candidates & (1 << leg.slot)) !== 0
}
