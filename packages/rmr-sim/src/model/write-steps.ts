/**
 * What the holder does with data: issue a write, acknowledge it, flush, resume after a link blip.
 */
import type { MutationDecision, MutationProgress } from "@rmr/core"
import { receiveMapAdd } from "./member-steps.js"
import type { RuleTable } from "./rule-table.js"
import {
  ALL,
  C_BASE,
  C_EPOCH,
  clientAt,
  F_HOT,
  F_NORMAL,
  F_RESUMED,
  FLOOR,
  get,
  hasFlag,
  M_CACHE,
  M_DISK,
  M_MARKS,
  M_NONCE,
  MEMBERS,
  memberAt,
  type State,
  setFlag,
  unresolvedOf,
  V_NORMAL,
  viewAt,
  viewOf,
  W_CLIENT,
  W_DELIVERED,
  W_DONE,
  W_EPOCH,
  W_FENCED,
  W_FLAGS,
  W_MISSED,
  W_VIEW,
  WRITE_COUNT,
  writeAt,
  writeOrder,
} from "./state.js"
import { isBaseServing, isSettled } from "./view-steps.js"

export function issueWrite(s: State, c: number): boolean {
  if (!isSettled(s, c) || unresolvedOf(s, c) !== 0) return false
  const w = get(s, WRITE_COUNT) + 1
  s[WRITE_COUNT] = w
  const at = writeAt(w)
  s[at + W_CLIENT] = c
  s[at + W_EPOCH] = get(s, clientAt(c) + C_EPOCH)
  s[at + W_VIEW] = get(s, clientAt(c) + C_BASE)
  for (let m = 0; m < MEMBERS; m++) {
    // Where the client has resumed, nothing new can be on the session before.
    if (hasFlag(s, m, F_RESUMED)) s[at + W_DELIVERED] = get(s, at + W_DELIVERED) | (1 << m)
  }
  return true
}

/** W3: the write is good; from now on readers must see it. */
export function acknowledge(rules: RuleTable, s: State, c: number): boolean {
  const w = unresolvedOf(s, c)
  if (w === 0 || !isSettled(s, c)) return false
  if (judgeMutation(rules, s, c, w).decide !== "acknowledge") return false
  const at = writeAt(w)
  s[at + W_FLAGS] = get(s, at + W_FLAGS) | 1
  const isForgiven = (get(s, at + W_FLAGS) & 2) !== 0
  if (!isForgiven && writeOrder(s, w) > writeOrder(s, get(s, FLOOR))) s[FLOOR] = w
  return true
}

/**
 * W3: MAP_ADD to a member that missed what others have done, on its way until it is needed no more.
 */
export function sendMapAdd(rules: RuleTable, s: State, c: number, m: number): boolean {
  const w = unresolvedOf(s, c)
  if (w === 0 || !isSettled(s, c)) return false
  const decision = judgeMutation(rules, s, c, w)
  if (decision.decide !== "wait" || (decision.forMarks & (1 << m)) === 0) return false
  return receiveMapAdd(rules, s, w, m)
}

function judgeMutation(rules: RuleTable, s: State, c: number, w: number): MutationDecision {
  const at = writeAt(w)
  const fenced = get(s, at + W_FENCED) & ALL
  const fencedMeans = rules.meaningOfAnswer("fenced")
  const progress: MutationProgress = {
    sentTo: get(s, viewAt(get(s, at + W_VIEW)) + V_NORMAL),
    done: get(s, at + W_DONE) | (fencedMeans === "done" ? fenced : 0),
    missed: get(s, at + W_MISSED) | (fencedMeans === "missed" ? fenced : 0),
    carriedOut: get(s, at + W_FLAGS) >> 4,
    missedMarked: get(s, at + W_FENCED) >> 4,
  }
  const base = viewOf(s, get(s, clientAt(c) + C_BASE))
  return rules.decideMutation(progress, base, ALL & ~base.normal)
}

/** I2, I5: a flush that succeeds on all of N with nothing unresolved; extents cool. */
export function flush(s: State, c: number): boolean {
  if (!isSettled(s, c) || unresolvedOf(s, c) !== 0 || !isBaseServing(s, c)) return false
  const normal = get(s, viewAt(get(s, clientAt(c) + C_BASE)) + V_NORMAL)
  for (let m = 0; m < MEMBERS; m++) {
    if ((normal & (1 << m)) === 0) continue
    const at = memberAt(m)
    s[at + M_DISK] = get(s, at + M_CACHE)
    s[at + M_MARKS] = (get(s, at + M_MARKS) & ALL) * 0x11
    setFlag(s, m, F_HOT, false)
  }
  return true
}

/**
 * Q9: the link to a member blinked; the client resumes on a new session and sends again what is not
 * resolved. `isReplyLost`: what the member answered on the session before never arrived.
 */
export function resume(s: State, c: number, m: number, isReplyLost: boolean): boolean {
  const at = memberAt(m)
  if (!isSettled(s, c) || get(s, at + M_NONCE) !== c || !hasFlag(s, m, F_NORMAL)) return false
  if (hasFlag(s, m, F_RESUMED)) return false
  const unresolved = unresolvedOf(s, c)
  const done = unresolved === 0 ? 0 : get(s, writeAt(unresolved) + W_DONE)
  if (isReplyLost && (done & (1 << m)) === 0) return false
  setFlag(s, m, F_RESUMED, true)
  for (let w = 1; w <= get(s, WRITE_COUNT); w++) {
    const write = writeAt(w)
    const isAnswered = (get(s, write + W_DONE) & (1 << m)) !== 0
    if (w === unresolved && (isReplyLost || !isAnswered)) {
      s[write + W_DONE] = get(s, write + W_DONE) & ~(1 << m)
    } else {
      s[write + W_DELIVERED] = get(s, write + W_DELIVERED) | (1 << (m + 4))
    }
  }
  return true
}
