/**
 * What the holder does with views: expel, notice, elect, let a member join.
 *
 * A client may suspect anybody at any time (that is what deadlines amount to), so proposals are
 * limited by the rules alone. What it knows are its own view chain and replies, which are
 * historical facts.
 */
import {
  CHUNK_CLEAN,
  CHUNK_REAL,
  CHUNK_SUSPECT_IN_FLIGHT,
  compareViews,
  slotsOf,
  type ViewChain,
} from "@rmr/core"
import { becomeReal, markAbsent, markByteOf, progressOf } from "./member-steps.js"
import type { RuleTable } from "./rule-table.js"
import {
  addView,
  BROKEN,
  C_BASE,
  C_EPOCH,
  C_LIMIT,
  C_PHASE,
  clientAt,
  dropCopy,
  ENDED,
  F_NORMAL,
  F_OPEN,
  FLOOR,
  FLUSH_ON,
  FLUSHED,
  FORGIVEN,
  get,
  hasFlag,
  isGivenUp,
  laterView,
  M_CACHE,
  M_DISK,
  M_EPOCH,
  M_LAST_IO,
  M_MARKS,
  M_NONCE,
  M_OWN,
  M_RECORD,
  M_SEEN,
  M_STAMPS,
  M_WEAK,
  MEMBERS,
  memberAt,
  NONE,
  numberOf,
  PHASE_HOLDER,
  proposalsOf,
  type State,
  setFlag,
  UNCERTAIN,
  unresolvedOf,
  V_CREATOR,
  V_LISTED,
  V_NORMAL,
  V_PERSISTED,
  V_SUSPECTS,
  V_THROUGH,
  V_VERSION,
  viewAt,
  viewOf,
  W_FENCED,
  W_FLAGS,
  WRITE_COUNT,
  writeAt,
  writeOrder,
} from "./state.js"

export function chainOf(s: State, c: number): ViewChain {
  const client = clientAt(c)
  return {
    base: viewOf(s, get(s, client + C_BASE)),
    limit: get(s, client + C_LIMIT),
    proposals: proposalsOf(s, c).map((v) => viewOf(s, v)),
  }
}

/** The client holds the pool: its base is effective and nothing is pending. */
export function isSettled(s: State, c: number): boolean {
  return (
    get(s, clientAt(c) + C_PHASE) === PHASE_HOLDER &&
    get(s, viewAt(get(s, clientAt(c) + C_BASE)) + V_CREATOR) === c &&
    proposalsOf(s, c).length === 0
  )
}

/** V3, V6: go on with these members only. */
export function proposeShrink(
  rules: RuleTable,
  s: State,
  c: number,
  wanted: number,
  minNormal: number,
): boolean {
  const client = clientAt(c)
  if (get(s, client + C_PHASE) !== PHASE_HOLDER) return false
  const proposals = proposalsOf(s, c)
  const last = proposals[proposals.length - 1] ?? get(s, client + C_BASE)
  const w = unresolvedOf(s, c)
  const range = isGivenUp(s, w) ? w | UNCERTAIN : w
  // The same members once more: only to say that a mutation was given up (W6).
  const isToldAlready = !isGivenUp(s, w) || get(s, viewAt(last) + V_LISTED) === range
  if (get(s, viewAt(last) + V_NORMAL) === wanted && isToldAlready) return false
  const decision = rules.decideShrink(chainOf(s, c), wanted, minNormal)
  if (decision.decide !== "propose" || decision.normal !== wanted) return false
  const isOpening = get(s, viewAt(get(s, client + C_BASE)) + V_CREATOR) !== c
  const opening = proposals[0]
  const carried = isOpening && opening !== undefined ? get(s, viewAt(opening) + V_LISTED) & 15 : 0
  // A view that supersedes an opening view carries what that one carried.
  addView(s, {
    creator: c,
    epoch: get(s, client + C_EPOCH),
    version: get(s, viewAt(last) + V_VERSION) + 1,
    normal: wanted,
    listed: (rules.listsRanges ? range : 0) || carried,
    suspects: isOpening && opening !== undefined ? suspectsOf(s, opening) : 0,
    through: [0, 1, 2].map((m) => throughOf(s, c, m)),
    joiners: 0,
  })
  return true
}

const suspectsOf = (s: State, v: number): number => get(s, viewAt(v) + V_SUSPECTS)

/**
 * `normalThrough` of a member that the next view leaves out: the last effective view that named it.
 */
function throughOf(s: State, c: number, slot: number): number {
  const client = clientAt(c)
  const base = get(s, client + C_BASE)
  if ((get(s, viewAt(base) + V_NORMAL) & get(s, client + C_LIMIT) & (1 << slot)) !== 0) return base
  if (get(s, viewAt(base) + V_CREATOR) === c) return get(s, viewAt(base) + V_THROUGH + slot)
  const opening = proposalsOf(s, c)[0]
  return opening === undefined ? NONE : get(s, viewAt(opening) + V_THROUGH + slot)
}

/** The client learns that its last proposal is durable on all of its normal set. */
export function noticeEffective(rules: RuleTable, s: State, c: number): boolean {
  const client = clientAt(c)
  if (get(s, client + C_PHASE) !== PHASE_HOLDER) return false
  const proposals = proposalsOf(s, c)
  const v = proposals[proposals.length - 1]
  if (v === undefined) return false
  const view = viewOf(s, v)
  if (!rules.isEffective(view, get(s, viewAt(v) + V_PERSISTED))) return false
  s[client + C_BASE] = v
  s[client + C_LIMIT] = view.normal
  if (rules.flushEndsWithView) s[FLUSH_ON] = 0
  const w = unresolvedOf(s, c)
  if (w === 0) return true
  const write = writeAt(w)
  const listed = get(s, viewAt(v) + V_LISTED)
  const isCarried = (listed & 15) === w || !rules.listsRanges
  const after = rules.progressAfterView(progressOf(s, w), view, isCarried, 0)
  s[write + W_FLAGS] = (get(s, write + W_FLAGS) & 15) | (after.carriedOut << 4)
  s[write + W_FENCED] = (get(s, write + W_FENCED) & 15) | (after.missedMarked << 4)
  if (listed === (w | UNCERTAIN)) s[write + W_FLAGS] = get(s, write + W_FLAGS) | ENDED
  return true
}

/** Every member of the base view answers this client as a normal member of it. */
export function isBaseServing(s: State, c: number): boolean {
  const base = get(s, clientAt(c) + C_BASE)
  const normal = get(s, viewAt(base) + V_NORMAL)
  for (let m = 0; m < MEMBERS; m++) {
    if ((normal & (1 << m)) === 0) continue
    const at = memberAt(m)
    if (!hasFlag(s, m, F_NORMAL) || get(s, at + M_RECORD) !== base) return false
    if (get(s, at + M_EPOCH) !== get(s, clientAt(c) + C_EPOCH)) return false
  }
  return true
}

/**
 * R6, with `preferred` among those that are as little suspect as the rule's choice: a tie may be
 * broken by any order that all agree on. Of an acknowledged write, P1 excuses the loss only by a
 * power cut, and only while no successful flush has covered it.
 */
export function elect(rules: RuleTable, s: State, c: number, preferred: number): boolean {
  if (!isSettled(s, c) || !isBaseServing(s, c)) return false
  const normal = get(s, viewAt(get(s, clientAt(c) + C_BASE)) + V_NORMAL)
  const bytes = [0, 1, 2].map((m) => get(s, memberAt(m) + M_OWN))
  const decision = rules.decideElection(bytes, normal)
  if (decision.decide !== "elect") return false
  if ((normal & (1 << preferred)) === 0 || bytes[preferred] !== bytes[decision.slot]) return false
  const elected = memberAt(preferred)
  const value = get(s, elected + M_CACHE)
  if (writeOrder(s, value) < writeOrder(s, get(s, FLOOR))) {
    if (decision.rank !== 2) s[BROKEN] = 2
    s[FLOOR] = value
  }
  if (writeOrder(s, value) < writeOrder(s, get(s, FLUSHED))) s[BROKEN] = 1
  if (decision.rank === 2) forgive(s, normal, value)
  for (let m = 0; m < MEMBERS && rules.electionMarksAbsent; m++) {
    // Whoever is absent may hold what was just decided against.
    if ((normal & (1 << m)) !== 0) markAbsent(s, m, normal, true)
  }
  s[elected + M_OWN] = 0
  return true
}

/**
 * A write that a power cut took, and nobody here surely kept, may still be acknowledged by a late
 * reply.
 */
function forgive(s: State, normal: number, value: number): void {
  for (let w = get(s, WRITE_COUNT); w > 0; w--) {
    if (writeOrder(s, w) <= writeOrder(s, value)) continue
    let isKept = false
    for (let m = 0; m < MEMBERS; m++) {
      const own = get(s, memberAt(m) + M_OWN)
      const isSure = own === CHUNK_CLEAN || own === CHUNK_SUSPECT_IN_FLIGHT
      const holds = get(s, memberAt(m) + M_CACHE) === w
      if ((normal & (1 << m)) !== 0 && isSure && holds) isKept = true
    }
    if (!isKept) s[writeAt(w) + W_FLAGS] = get(s, writeAt(w) + W_FLAGS) | FORGIVEN
  }
}

/** R6: beside a clean copy, who lost its cache gives its suspicion up for certainty. */
export function yieldRank(rules: RuleTable, s: State, c: number, m: number): boolean {
  if (!isSettled(s, c) || !isBaseServing(s, c)) return false
  const normal = get(s, viewAt(get(s, clientAt(c) + C_BASE)) + V_NORMAL)
  const bytes = [0, 1, 2].map((x) => get(s, memberAt(x) + M_OWN))
  if ((rules.decideYield(bytes, normal) & (1 << m)) === 0) return false
  becomeReal(s, m)
  return true
}

/** Does the record in force show somebody absent that was normal later than the joiner? */
function isAnybodyLater(s: State, base: number, joiner: number): boolean {
  const record = viewAt(base)
  const through = numberOf(s, get(s, record + V_THROUGH + joiner))
  for (let x = 0; x < MEMBERS; x++) {
    if (x === joiner || (get(s, record + V_NORMAL) & (1 << x)) !== 0) continue
    if (compareViews(numberOf(s, get(s, record + V_THROUGH + x)), through) > 0) return true
  }
  return false
}

/**
 * M3, with its live part left out: R5, marks of one source, last delta under the freeze, then the
 * grow.
 */
export function letJoin(
  rules: RuleTable,
  s: State,
  c: number,
  joiner: number,
  source: number,
): boolean {
  if (!isSettled(s, c)) return false
  const client = clientAt(c)
  const base = get(s, client + C_BASE)
  const normal = get(s, viewAt(base) + V_NORMAL)
  const unresolvedCount = unresolvedOf(s, c) === 0 ? 0 : 1
  const decision = rules.decideGrow(chainOf(s, c), 1 << joiner, unresolvedCount)
  if (decision.decide !== "propose" || !isBaseServing(s, c)) return false
  // Where nobody is clean the election comes first: a joiner must not be asked instead (R5).
  const bytes = [0, 1, 2].map((m) => get(s, memberAt(m) + M_OWN))
  if (rules.decideElection(bytes, normal).decide === "elect") return false
  const isClean = slotsOf(normal).some((m) => bytes[m] === CHUNK_CLEAN)
  const isLater = isAnybodyLater(s, base, joiner)
  const to = memberAt(joiner)
  const asked = { epoch: get(s, client + C_EPOCH), nonce: c }
  const stored = { epoch: get(s, to + M_EPOCH), nonce: get(s, to + M_NONCE) }
  if (rules.decideOpen(stored, asked) === "fenced") return false
  const rank = rules.decideRankOfJoiner(get(s, to + M_OWN), isClean, isLater)
  if (rank === "wait") return false
  s[to + M_EPOCH] = asked.epoch
  s[to + M_NONCE] = c
  setFlag(s, joiner, F_OPEN, true)
  setFlag(s, joiner, F_NORMAL, false)
  if (rules.copyEndsWithView) dropCopy(s, joiner)
  if (rules.rejoinTellsView) s[to + M_SEEN] = laterView(s, base, get(s, to + M_SEEN))
  const from = memberAt(source)
  const stampIndex = get(s, from + M_STAMPS + joiner)
  const through = numberOf(s, get(s, viewAt(base) + V_THROUGH + joiner))
  const isValid = stampIndex !== NONE && rules.isMarkValid(numberOf(s, stampIndex), through)
  const mark = isValid ? markByteOf(s, source, joiner) : CHUNK_CLEAN
  if (rank === "yield") s[to + M_OWN] = CHUNK_REAL
  s[to + M_OWN] = rules.ownByteOfJoiner(get(s, to + M_OWN), get(s, to + M_LAST_IO) !== 0, mark)
  for (let y = 0; y < MEMBERS; y++) {
    if (y === joiner || (decision.normal & (1 << y)) !== 0) continue
    const marked = (get(s, from + M_MARKS) >> y) & 1
    s[to + M_MARKS] = (get(s, to + M_MARKS) & ~(0x11 << y)) | ((marked * 0x11) << y)
    const weak = (get(s, from + M_WEAK) >> y) & 1
    s[to + M_WEAK] = (get(s, to + M_WEAK) & ~(1 << y)) | (weak << y)
    s[to + M_STAMPS + y] = get(s, from + M_STAMPS + y)
  }
  s[to + M_DISK] = get(s, to + M_CACHE)
  addView(s, {
    creator: c,
    epoch: asked.epoch,
    version: get(s, viewAt(base) + V_VERSION) + 1,
    normal: decision.normal,
    listed: 0,
    suspects: 0,
    through: [0, 1, 2].map((m) => throughOf(s, c, m)),
    joiners: 1 << joiner,
  })
  return true
}
