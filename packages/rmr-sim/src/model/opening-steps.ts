/**
 * How a client opens a pool: OPEN to everybody it reaches, then V5, then the opening view (F1, F2,
 * R4).
 */
import type { OpenAnswer, UnitDecision, UnitRecord } from "@rmr/core"
import { readForOpen } from "./member-steps.js"
import type { RuleTable } from "./rule-table.js"
import {
  ALL,
  addView,
  C_ANSWER_LAST_IO,
  C_ANSWER_OWN,
  C_ANSWER_RECORD,
  C_ANSWER_SEEN,
  C_ANSWERED,
  C_BASE,
  C_EPOCH,
  C_LIMIT,
  C_PHASE,
  clientAt,
  get,
  laterView,
  M_EPOCH,
  MEMBERS,
  memberAt,
  NONE,
  numberOf,
  PHASE_HOLDER,
  PHASE_IDLE,
  PHASE_OPENING,
  type State,
  UNNAMED,
  V_CREATOR,
  V_EPOCH,
  V_LISTED,
  V_THROUGH,
  V_VERSION,
  VIEW_COUNT,
  viewAt,
  viewOf,
  W_EPOCH,
  writeAt,
} from "./state.js"

/** F2: after a dry query of everybody, take the next epoch. */
export function beginOpening(s: State, c: number): boolean {
  const client = clientAt(c)
  if (get(s, client + C_PHASE) !== PHASE_IDLE) return false
  let epoch = 0
  for (let m = 0; m < MEMBERS; m++) epoch = Math.max(epoch, get(s, memberAt(m) + M_EPOCH))
  s[client + C_PHASE] = PHASE_OPENING
  s[client + C_EPOCH] = epoch + 1
  return true
}

/** Only a mutant reads the answer of OPEN before the member has adopted the epoch. */
export function readTooEarly(s: State, c: number, m: number): boolean {
  if ((get(s, clientAt(c) + C_ANSWERED) & (1 << m)) !== 0) return false
  readForOpen(s, c, m)
  return true
}

/** V5: with the answers that are here, make the opening view. */
export function decideOpening(rules: RuleTable, s: State, c: number, minNormal: number): boolean {
  const client = clientAt(c)
  if (get(s, client + C_PHASE) !== PHASE_OPENING) return false
  const answers = openAnswers(s, c)
  const decision = rules.decideStart(answers, minNormal)
  if (decision.decide !== "start") return false
  const normal = decision.normal
  const records: (UnitRecord | undefined)[] = []
  let isAnySuspect = false
  for (let m = 0; m < MEMBERS; m++) {
    if ((normal & (1 << m)) === 0) continue
    const w = get(s, client + C_ANSWER_LAST_IO + m)
    if (w > 0) {
      records[m] = { epoch: get(s, writeAt(w) + W_EPOCH), sequence: w }
    }
    if (get(s, client + C_ANSWER_OWN + m) > 1) isAnySuspect = true
  }
  const unit = rules.decideUnit(records, normal, ALL & ~normal)
  const through = [0, 1, 2].map((m) => throughAtOpening(rules, s, c, m, answers, decision.limit))
  let star = NONE
  for (const answer of answers)
    star = laterView(s, star, get(s, client + C_ANSWER_SEEN + answer.slot))
  const isHeld = answers.some(({ slot }) => get(s, client + C_ANSWER_RECORD + slot) === star)
  addView(s, {
    creator: c,
    epoch: get(s, client + C_EPOCH),
    version: decision.star.version + 1,
    normal,
    listed: listedAtOpening(rules, s, unit, star, isAnySuspect, isHeld),
    suspects: unit.suspects,
    through,
    joiners: 0,
  })
  s[client + C_PHASE] = PHASE_HOLDER
  s[client + C_BASE] = star
  s[client + C_LIMIT] = decision.limit
  s.fill(0, client + C_ANSWERED, client + C_ANSWER_OWN + MEMBERS)
  return true
}

/**
 * R4: ranges of units, of R3, and those that V* lists: it may not have reached every member, and
 * where it did the members have turned their last io into suspicion and forgotten it.
 */
function listedAtOpening(
  rules: RuleTable,
  s: State,
  unit: UnitDecision,
  star: number,
  isAnySuspect: boolean,
  isHeld: boolean,
): number {
  if (unit.isListed && unit.newest !== undefined) return unit.newest.sequence
  // Who is here may only have been told of V*; then it was never effective, and nobody forgot.
  const carried = isHeld ? get(s, viewAt(star) + V_LISTED) & 15 : 0
  if (rules.openingCarriesRanges && carried !== 0) return carried
  return isAnySuspect ? UNNAMED : 0
}

function openAnswers(s: State, c: number): OpenAnswer[] {
  const client = clientAt(c)
  const answered = get(s, client + C_ANSWERED)
  const complete = answered & (answered >> 4) & ALL
  const answers: OpenAnswer[] = []
  for (let m = 0; m < MEMBERS; m++) {
    if ((complete & (1 << m)) === 0) continue
    const record = get(s, client + C_ANSWER_RECORD + m)
    answers.push({
      slot: m,
      view: viewOf(s, record),
      seen: viewOf(s, get(s, client + C_ANSWER_SEEN + m)),
      normalThrough: [0, 1, 2].map((x) => numberOf(s, get(s, viewAt(record) + V_THROUGH + x))),
    })
  }
  return answers
}

/** The view index that the rule's view number names. */
function throughAtOpening(
  rules: RuleTable,
  s: State,
  c: number,
  slot: number,
  answers: readonly OpenAnswer[],
  limit: number,
): number {
  let star = answers[0]?.seen
  for (const answer of answers) {
    const seen = answer.seen
    if (star === undefined || seen.epoch > star.epoch) star = seen
    else if (seen.epoch === star.epoch && seen.version > star.version) star = seen
  }
  if (star === undefined) return NONE
  const number = rules.openingNormalThrough(slot, star, limit, answers)
  for (let v = 0; v < get(s, VIEW_COUNT); v++) {
    const isIt =
      get(s, viewAt(v) + V_EPOCH) === number.epoch &&
      get(s, viewAt(v) + V_VERSION) === number.version
    if (isIt && get(s, viewAt(v) + V_CREATOR) !== c) return v
  }
  return NONE
}
