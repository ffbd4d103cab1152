/**
 * Fencing: one writer, by epochs that stores keep durably (rules F1–F5, W5).
 *
 * A client opens a pool by raising the epoch on the stores. A store that has taken an epoch refuses
 * every lower one, including requests that were delayed in a network or a queue. So the old client
 * is stopped by the stores themselves, whatever it believes, and the clock plays no part in it.
 */
import { compareViews, type ViewNumber } from "./pool-metadata.js"

/** Who holds the pool at a store. The nonce is random per client process. */
export interface Holder {
  readonly epoch: number
  readonly nonce: string | number
}

export type OpenDecision =
  /**
   * Make (epoch, nonce) durable, stop admitting older epochs, drain, *then* read and answer (F1).
   */
  | "adopt"
  /** The same process asks again: answer afresh, nothing to persist. */
  | "again"
  | "fenced"

/** F1: what a store does with OPEN(epoch, nonce). */
export function decideOpen(stored: Holder, asked: Holder): OpenDecision {
  if (asked.epoch > stored.epoch) return "adopt"
  if (asked.epoch === stored.epoch && asked.nonce === stored.nonce) return "again"
  return "fenced"
}

/** F2: the epoch to try after a dry query of all present members. */
export function nextEpoch(seenEpochs: readonly number[]): number {
  return seenEpochs.reduce((highest, epoch) => Math.max(highest, epoch), 0) + 1
}

export interface HolderSighting {
  readonly host: string
  /** Since this store last heard from the holder. */
  readonly silentMs: number
}

/**
 * F5: may this client open now? While the holder is alive only by its own word (`--takeover`);
 * afterwards its own host by itself, another host by `--takeover`.
 */
export function decideHeld(
  holder: HolderSighting | undefined,
  askingHost: string,
  isTakeover: boolean,
  holderMs: number,
): "open" | "held" {
  if (holder === undefined || isTakeover) return "open"
  if (holder.silentMs < holderMs) return "held"
  return holder.host === askingHost ? "open" : "held"
}

/** What a member's process knows when a request arrives. */
export interface Admission extends Holder {
  /** This process has answered an OPEN or REJOIN of that epoch. */
  readonly isOpen: boolean
  /**
   * The server pool's state is normal: the member is in the view on its disk, and has joined it.
   */
  readonly isNormal: boolean
  /** It is emptying itself for an OPEN or REJOIN. */
  readonly isDraining: boolean
  /** The view in which this process became normal. */
  readonly joinedView: ViewNumber
  /** The view on its disk. */
  readonly currentView: ViewNumber
  /** Which of the holder's sessions it serves; an older one was given up by the holder. */
  readonly sessionGeneration: number
}

/** What every request of every kind carries (F3); the nonce is that of the session it came on. */
export interface RequestStamp extends Holder {
  readonly view: ViewNumber
  readonly sessionGeneration: number
}

export const VERDICTS = [
  "admit",
  "fenced",
  "not-open",
  "draining",
  "not-normal",
  "stale-view",
] as const
export type Verdict = (typeof VERDICTS)[number]

/**
 * F3 and W5: may this request be carried out? First match wins.
 *
 * | row | when | verdict |
 * |---|---|---|
 * | F3-lower | epoch below the store's, or the same epoch of another process | fenced |
 * | F3-higher | epoch above the store's, or not opened by this process | not-open |
 * | W5-drain | draining | draining |
 * | W5-state | not normal | not-normal |
 * | W5-session | sent on a session that the holder gave up before it resumed | stale-view |
 * | W5-before | view before this process joined | stale-view |
 * | W5-ahead | view above the one on disk: it cannot be effective | not-open |
 */
export function judgeRequest(member: Admission, request: RequestStamp): Verdict {
  if (isFenced(member, request)) return "fenced"
  if (request.epoch > member.epoch || !member.isOpen) return "not-open"
  if (member.isDraining) return "draining"
  if (!member.isNormal) return "not-normal"
  if (request.sessionGeneration < member.sessionGeneration) return "stale-view"
  if (compareViews(request.view, member.joinedView) < 0) return "stale-view"
  if (compareViews(request.view, member.currentView) > 0) return "not-open"
  return "admit"
}

function isFenced(stored: Holder, asked: Holder): boolean {
  if (asked.epoch !== stored.epoch) return asked.epoch < stored.epoch
  return asked.nonce !== stored.nonce
}

/** What a member's process knows when a view change arrives. */
export interface ProposalAdmission extends Holder {
  readonly isOpen: boolean
  /** The highest view it has persisted or was told of (V4). */
  readonly seen: ViewNumber
  /** The view on its disk. */
  readonly durable: ViewNumber
}

export type ProposalVerdict =
  | "persist"
  /** It is the view on this member's disk: the answer may count as durable here. */
  | "have"
  /** Older than what the member has seen, and not on its disk: nothing changes, nothing counts. */
  | "superseded"
  | "fenced"
  | "not-open"

/**
 * F3, V4 for a view change: it is persisted iff it is of the opened epoch, newer than the view on
 * the member's disk and not older than any view it has seen. REJOIN tells the joiner the view in
 * force, so that an older proposal, still on its way, cannot make the joiner normal beside members
 * that were expelled since (RT-37). A view that it was only told of by a peer is persisted when it
 * arrives; to answer that it is there already would let a view count that one member lacks (RT-51).
 */
export function judgeProposal(
  member: ProposalAdmission,
  proposal: ViewNumber & Holder,
): ProposalVerdict {
  if (isFenced(member, proposal)) return "fenced"
  if (proposal.epoch > member.epoch || !member.isOpen) return "not-open"
  if (compareViews(proposal, member.durable) === 0) return "have"
  const isNewer = compareViews(proposal, member.durable) > 0
  return isNewer && compareViews(proposal, member.seen) >= 0 ? "persist" : "superseded"
}
