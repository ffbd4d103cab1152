/**
 * What the holder does with data: issue a write, acknowledge it, flush, resume after a link blip.
 */
import type { MutationDecision, MutationProgress } from "@rmr/core"
import { progressOf, receiveMapAdd } from "./member-steps.js"
import type { RuleTable } from "./rule-table.js"
import {
  ACKNOWLEDGED,
  ALL,
  C_BASE,
  C_EPOCH,
  clientAt,
  F_HOT,
  F_NORMAL,
  F_RESUMED,
  FLOOR,
  FLUSH_BY,
  FLUSH_COVERS,
  FLUSH_ON,
  FLUSHED,
  FORGIVEN,
  GIVEN_UP,
  get,
  hasFlag,
  isGivenUp,
  M_CACHE,
  M_DISK,
  M_EPOCH,
  M_LAST_IO,
  M_MARKS,
  M_NONCE,
  M_OWN,
  M_RECORD,
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
  W_VIEW,
  WRITE_COUNT,
  writeAt,
  writeOrder,
} from "./state.js"
import { isSettled } from "./view-steps.js"

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
  if (w === 0 || !isSettled(s, c) || isGivenUp(s, w)) return false
  if (judgeMutation(rules, s, c, w).decide !== "acknowledge") return false
  const at = writeAt(w)
  s[at + W_FLAGS] = get(s, at + W_FLAGS) | ACKNOWLEDGED
  const isForgiven = (get(s, at + W_FLAGS) & FORGIVEN) !== 0
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
  const fenced = get(s, writeAt(w) + W_FENCED) & ALL
  const fencedMeans = rules.meaningOfAnswer("fenced")
  const known = progressOf(s, w)
  const progress: MutationProgress = {
    ...known,
    done: known.done | (fencedMeans === "done" ? fenced : 0),
    missed: known.missed | (fencedMeans === "missed" ? fenced : 0),
  }
  const base = viewOf(s, get(s, clientAt(c) + C_BASE))
  return rules.decideMutation(progress, base, ALL & ~base.normal)
}

/** W6: the caller gets an error; the range is uncertain until a view that says so is effective. */
export function giveUp(s: State, c: number): boolean {
  const w = unresolvedOf(s, c)
  if (w === 0 || isGivenUp(s, w)) return false
  s[writeAt(w) + W_FLAGS] = get(s, writeAt(w) + W_FLAGS) | GIVEN_UP
  return true
}

/** I5: a flush is sent only while every chunk has a clean copy in N, and nobody has rank 2. */
export function beginFlush(rules: RuleTable, s: State, c: number): boolean {
  if (!isSettled(s, c) || get(s, FLUSH_BY) === c + 1) return false
  const normal = get(s, viewAt(get(s, clientAt(c) + C_BASE)) + V_NORMAL)
  const bytes = [0, 1, 2].map((m) => get(s, memberAt(m) + M_OWN))
  if (rules.decideFlush(bytes, normal, ALL & ~normal) !== "callers") return false
  s[FLUSH_BY] = c + 1
  s[FLUSH_ON] = 0
  s[FLUSH_COVERS] = get(s, FLOOR)
  return true
}

/** One member carries the flush out: data and marks are durable. */
export function flushMember(rules: RuleTable, s: State, c: number, m: number): boolean {
  if (get(s, FLUSH_BY) !== c + 1 || !isSettled(s, c) || (get(s, FLUSH_ON) & (1 << m)) !== 0) {
    return false
  }
  const at = memberAt(m)
  const base = get(s, clientAt(c) + C_BASE)
  const normal = get(s, viewAt(base) + V_NORMAL)
  const isOurs = get(s, at + M_EPOCH) === get(s, clientAt(c) + C_EPOCH)
  if (!isOurs || !hasFlag(s, m, F_NORMAL) || get(s, at + M_RECORD) !== base) return false
  // After a view change the flush begins anew, with the same question (I5).
  const bytes = [0, 1, 2].map((x) => get(s, memberAt(x) + M_OWN))
  if (rules.decideFlush(bytes, normal, ALL & ~normal) !== "callers") return false
  s[at + M_DISK] = get(s, at + M_CACHE)
  s[at + M_MARKS] = (get(s, at + M_MARKS) & ALL) * 0x11
  s[FLUSH_ON] = get(s, FLUSH_ON) | (1 << m)
  return true
}

/** I2, I5: it succeeded on all of N; what it covers is durable, and extents cool. */
export function endFlush(rules: RuleTable, s: State, c: number): boolean {
  if (get(s, FLUSH_BY) !== c + 1 || !isSettled(s, c)) return false
  const base = viewOf(s, get(s, clientAt(c) + C_BASE))
  if (!rules.isFlushed(get(s, FLUSH_ON), base)) return false
  const covers = get(s, FLUSH_COVERS)
  if (writeOrder(s, covers) > writeOrder(s, get(s, FLUSHED))) s[FLUSHED] = covers
  for (let m = 0; m < MEMBERS; m++) {
    const at = memberAt(m)
    if ((base.normal & (1 << m)) === 0) continue
    const newest = Math.max(
      writeOrder(s, get(s, at + M_CACHE)),
      writeOrder(s, get(s, at + M_LAST_IO)),
    )
    if (newest <= writeOrder(s, covers)) setFlag(s, m, F_HOT, false)
  }
  s.fill(0, FLUSH_BY, FLUSH_COVERS + 1)
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
