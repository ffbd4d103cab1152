/**
 * Mutations: when a write may be acknowledged (rules W3, W4, F4).
 *
 * A write is good when every member that counts has answered it, one of them has done it, and
 * whoever missed it is out of a view that remembers the range. Not before: an acknowledgement is a
 * promise that survives everything that can happen next.
 */
import type { ErrorCode } from "../errors.js"
import { has, isSubset, type MemberSet, slotsOf, without } from "./member-set.js"
import { CHUNK_CLEAN, CHUNK_REAL, CHUNK_SUSPECT_IN_FLIGHT } from "./rank.js"
import type { View } from "./view-change.js"

/** What a leg's answer means for the mutation. */
export type AnswerMeaning =
  | "done"
  /** The member marked the chunk in its own map; it counts as an answer, not as a copy. */
  | "missed"
  /** F4: somebody else has the pool. Nothing more is acknowledged, nothing more is proposed. */
  | "ends-client"
  /** The leg did not do it and did not record that: send again, or expel it. */
  | "unanswered"

/** F4, W2: how the client reads a status. The one place where `fenced` gets its meaning. */
export function meaningOfAnswer(status: "ok" | ErrorCode): AnswerMeaning {
  switch (status) {
    case "ok":
      return "done"
    case "media-error":
    case "no-clean-copy":
      return "missed"
    case "fenced":
      return "ends-client"
    default:
      return "unanswered"
  }
}

/**
 * W2: what a member answers to a mutation of a chunk that it has dirty and can get from nobody.
 * `missed` lets the mutation count without it, so it is said only where the member's own map says
 * for certain that it lacks something. Of a chunk that is only suspect it holds the mutation: an
 * election, a copy or the deadline ends that (RT-46).
 */
export function answerWithoutCopy(ownByte: number): "no-clean-copy" | "hold" {
  return ownByte === CHUNK_REAL ? "no-clean-copy" : "hold"
}

/**
 * V2: has a member whose chunk has this byte lost what it had done there (RT-48)? A read error
 * makes the chunk real. What was in flight beside a mutation that is done only makes it suspect:
 * the bytes are there, and no copy takes their place that does not hold them (S10). Were they
 * taken back too, a mutation that was given up would fail every other one of its chunk (RT-59).
 */
export function takesBackDone(ownByte: number): boolean {
  return ownByte !== CHUNK_CLEAN && ownByte !== CHUNK_SUSPECT_IN_FLIGHT
}

export interface MutationProgress {
  /** N of the view it was sent under. */
  readonly sentTo: MemberSet
  /** Members that replied `done`, and have not taken it back since (`progressAfterView`). */
  readonly done: MemberSet
  readonly missed: MemberSet
  /** Members put out by an effective view whose ranges contain this mutation (V2). */
  readonly carriedOut: MemberSet
  /**
   * Members that missed it and, in the view in force, have marked it, really and durably, for
   * everybody absent.
   */
  readonly missedMarked: MemberSet
}

export type MutationDecision =
  | { readonly decide: "acknowledge" }
  /** W4: nobody did it. The caller gets an error; the range stays uncertain (W6). */
  | { readonly decide: "fail-uncertain" }
  | {
      readonly decide: "wait"
      readonly forAnswers: MemberSet
      readonly forViewWithout: MemberSet
      /** Send these MAP_ADD with the range: they missed what others have done. */
      readonly forMarks: MemberSet
    }

/**
 * V2, W3: what is left of the progress when a view becomes effective. `carriesRange`: the view
 * lists the mutation. `takenBack`: members that said, in their answer to the view change, that a
 * read error has cost them what they had done (`takesBackDone`, RT-48). Marks for
 * the absent are asked for again, since more are absent now (RT-52).
 */
export function progressAfterView(
  progress: MutationProgress,
  effective: View,
  carriesRange: boolean,
  takenBack: MemberSet,
): MutationProgress {
  const left = without(progress.sentTo, effective.normal)
  return {
    sentTo: progress.sentTo,
    done: without(progress.done, takenBack),
    missed: progress.missed | (progress.done & takenBack),
    carriedOut: progress.carriedOut | (carriesRange ? left : 0),
    missedMarked: 0,
  }
}

/** Made once: a mutation that all have answered is decided without an allocation. */
const ACKNOWLEDGE: MutationDecision = { decide: "acknowledge" }
const FAIL_UNCERTAIN: MutationDecision = { decide: "fail-uncertain" }

/**
 * W3: `effective` is the view in force; no mutation is judged while a proposal is pending (V2).
 *
 * A member that missed the mutation cannot tell whether anybody did it, so its marks for absent
 * members only suspect. Once it is done elsewhere they must be real, and before the
 * acknowledgement: else the doer leaves, an absent member returns by the misser's marks, and is
 * elected without the write (RT-38).
 */
export function decideMutation(
  progress: MutationProgress,
  effective: View,
  absent: MemberSet,
): MutationDecision {
  const answered = progress.done | progress.missed
  const forAnswers = without(effective.normal, answered)
  const others = without(progress.sentTo, effective.normal)
  const forViewWithout = without(others, progress.carriedOut)
  if (forAnswers !== 0 || forViewWithout !== 0) {
    return { decide: "wait", forAnswers, forViewWithout, forMarks: 0 }
  }
  if ((progress.done & effective.normal) === 0) return FAIL_UNCERTAIN
  const missed = without(progress.missed, progress.done) & effective.normal
  const forMarks = absent === 0 ? 0 : without(missed, progress.missedMarked)
  if (forMarks !== 0) return { decide: "wait", forAnswers: 0, forViewWithout: 0, forMarks }
  return ACKNOWLEDGE
}

/**
 * I5, Q15: a flush is good when it succeeded on all normal members of the view in force at its end,
 * each of which carried it out in that view: `succeededOn` starts empty with every effective view.
 * It may be sent only while `decideFlush` says so for every chunk that is dirty anywhere in N.
 */
export function isFlushed(succeededOn: MemberSet, effective: View): boolean {
  return isSubset(effective.normal, succeededOn)
}

/** What a leg of the view owes at a deadline, for messages: who has not answered. */
export function unanswered(progress: MutationProgress): number[] {
  return slotsOf(progress.sentTo).filter((slot) => !has(progress.done | progress.missed, slot))
}
