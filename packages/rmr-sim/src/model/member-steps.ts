/**
 * What a member does when something reaches it, and what a crash does to it.
 *
 * Each function changes a state in place and answers whether anything happened. One step is one
 * atomic durable action of a store: what the rules demand to be one record is one step here, and
 * whatever they allow to be interrupted is several.
 */
import {
  type Admission,
  CHUNK_CLEAN,
  CHUNK_REAL,
  CHUNK_SUSPECT_IN_FLIGHT,
  type MutationProgress,
  type RestartClass,
  strongerByte,
  takesBackDone,
  type UnitRecord,
} from "@rmr/core"
import type { RuleTable } from "./rule-table.js"
import {
  ALL,
  C_ANSWER_LAST_IO,
  C_ANSWER_OWN,
  C_ANSWER_RECORD,
  C_ANSWER_SEEN,
  C_ANSWERED,
  C_BASE,
  C_EPOCH,
  C_PHASE,
  CLIENTS,
  clientAt,
  dropCopy,
  F_HOT,
  F_NORMAL,
  F_OPEN,
  F_RESUMED,
  FLOOR,
  get,
  hasFlag,
  laterView,
  M_CACHE,
  M_COPY,
  M_COPY_LAST_IO,
  M_COPY_VIEW,
  M_DISK,
  M_EPOCH,
  M_JOINED,
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
  PHASE_OPENING,
  type State,
  setFlag,
  UNCERTAIN,
  UNNAMED,
  V_CREATOR,
  V_LISTED,
  V_NORMAL,
  V_PERSISTED,
  V_SUSPECTS,
  V_THROUGH,
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
  wasTakenBack,
  writeAt,
  writeOrder,
} from "./state.js"

export function admissionOf(s: State, m: number): Admission {
  const at = memberAt(m)
  return {
    epoch: get(s, at + M_EPOCH),
    nonce: get(s, at + M_NONCE),
    isOpen: hasFlag(s, m, F_OPEN),
    isNormal: hasFlag(s, m, F_NORMAL),
    isDraining: false,
    joinedView: numberOf(s, get(s, at + M_JOINED)),
    currentView: numberOf(s, get(s, at + M_RECORD)),
    sessionGeneration: hasFlag(s, m, F_RESUMED) ? 1 : 0,
  }
}

/** OPEN of client `c` reaches the member: adopt, drain, then answer (F1). */
export function receiveOpen(rules: RuleTable, s: State, c: number, m: number): boolean {
  const at = memberAt(m)
  const stored = { epoch: get(s, at + M_EPOCH), nonce: get(s, at + M_NONCE) }
  const asked = { epoch: get(s, clientAt(c) + C_EPOCH), nonce: c }
  const decision = rules.decideOpen(stored, asked)
  if (decision === "fenced" || (decision === "again" && hasFlag(s, m, F_OPEN))) return false
  // A restart ends the sessions: an OPEN that was under way dies with them, and the client, once it
  // has made its opening view, takes a restarted member back by a join only.
  if (decision === "again" && get(s, clientAt(c) + C_PHASE) !== PHASE_OPENING) return false
  s[at + M_EPOCH] = asked.epoch
  s[at + M_NONCE] = c
  setFlag(s, m, F_OPEN, true)
  setFlag(s, m, F_NORMAL, false)
  setFlag(s, m, F_RESUMED, false)
  s[at + M_JOINED] = NONE
  if (rules.copyEndsWithView) dropCopy(s, m)
  const client = clientAt(c)
  s[client + C_ANSWERED] = get(s, client + C_ANSWERED) | (1 << (m + 4))
  if (rules.adoptsBeforeReading) readForOpen(s, c, m)
  return true
}

/** What OPEN's answer says, as of now. */
export function readForOpen(s: State, c: number, m: number): void {
  const at = memberAt(m)
  const client = clientAt(c)
  s[client + C_ANSWERED] = get(s, client + C_ANSWERED) | (1 << m)
  s[client + C_ANSWER_RECORD + m] = get(s, at + M_RECORD)
  s[client + C_ANSWER_SEEN + m] = get(s, at + M_SEEN)
  s[client + C_ANSWER_LAST_IO + m] = get(s, at + M_LAST_IO)
  s[client + C_ANSWER_OWN + m] = get(s, at + M_OWN)
}

/** A view change reaches the member: record, marks and suspicion in one durable step (V2, R4). */
export function receiveView(rules: RuleTable, s: State, v: number, m: number): boolean {
  const proposal = viewOf(s, v)
  if ((proposal.normal & (1 << m)) === 0) return false
  const at = memberAt(m)
  const admission = {
    epoch: get(s, at + M_EPOCH),
    nonce: get(s, at + M_NONCE),
    isOpen: hasFlag(s, m, F_OPEN),
    seen: numberOf(s, get(s, at + M_SEEN)),
    durable: numberOf(s, get(s, at + M_RECORD)),
  }
  const nonce = get(s, viewAt(v) + V_CREATOR)
  const verdict = rules.judgeProposal(admission, { ...proposal, nonce })
  if (verdict === "have") {
    // The client takes this answer for "it is durable here".
    s[viewAt(v) + V_PERSISTED] = get(s, viewAt(v) + V_PERSISTED) | (1 << m)
    return true
  }
  if (verdict !== "persist") return false
  persistView(rules, s, v, m)
  return true
}

/** V4: a peer tells the member of a view that it has persisted itself. */
export function hearOfView(s: State, m: number, from: number): boolean {
  const record = get(s, memberAt(from) + M_RECORD)
  const seen = laterView(s, record, get(s, memberAt(m) + M_SEEN))
  if (seen === get(s, memberAt(m) + M_SEEN)) return false
  s[memberAt(m) + M_SEEN] = seen
  return true
}

export function persistView(rules: RuleTable, s: State, v: number, m: number): void {
  const at = memberAt(m)
  const view = viewAt(v)
  const normal = get(s, view + V_NORMAL)
  const listed = get(s, view + V_LISTED)
  const w = listed & 15
  const isUncertain = (listed & UNCERTAIN) !== 0
  if ((get(s, view + V_SUSPECTS) & (1 << m)) !== 0 || isUncertain) {
    s[at + M_OWN] = strongerByte(get(s, at + M_OWN), CHUNK_SUSPECT_IN_FLIGHT)
  }
  for (let x = 0; x < MEMBERS; x++) {
    if (x === m || (normal & (1 << x)) !== 0) continue
    const stampIndex = get(s, at + M_STAMPS + x)
    const stamp = stampIndex === NONE ? undefined : numberOf(s, stampIndex)
    const through = numberOf(s, get(s, view + V_THROUGH + x))
    if (rules.decideMarksAtViewChange(stamp, through) === "rebirth") {
      s[at + M_MARKS] = get(s, at + M_MARKS) & ~(0x11 << x)
      s[at + M_WEAK] = get(s, at + M_WEAK) & ~(1 << x)
      s[at + M_STAMPS + x] = v
    }
    if (w !== 0) markListed(rules, s, m, x, get(s, at + M_LAST_IO) === w)
  }
  if (isUncertain && rules.givenUpIsRefused && get(s, at + M_LAST_IO) === w) s[at + M_LAST_IO] = 0
  if (w !== 0 && w !== UNNAMED && takesBackDone(get(s, at + M_OWN))) takeBack(rules, s, v, w, m)
  s[at + M_RECORD] = v
  s[at + M_SEEN] = laterView(s, v, get(s, at + M_SEEN))
  s[view + V_PERSISTED] = get(s, view + V_PERSISTED) | (1 << m)
  if (!hasFlag(s, m, F_NORMAL)) {
    setFlag(s, m, F_NORMAL, true)
    s[at + M_JOINED] = v
    s[at + M_LAST_IO] = 0 // it has become suspicion, durably, in this step or before it
    s[at + M_DISK] = get(s, at + M_CACHE) // I4: it flushes before it is normal
  }
}

/** The answer to the view change says that the chunk is dirty here now (V2). */
function takeBack(rules: RuleTable, s: State, v: number, w: number, m: number): void {
  const write = writeAt(w)
  if (get(s, write + W_CLIENT) !== get(s, viewAt(v) + V_CREATOR)) return
  const before = progressOf(s, w)
  const after = rules.progressAfterView(before, viewOf(s, v), true, 1 << m)
  s[write + W_DONE] = after.done
  s[write + W_MISSED] = after.missed
}

/** What the client knows of a write; what `fenced` counts as is added by its reader. */
export function progressOf(s: State, w: number): MutationProgress {
  const at = writeAt(w)
  return {
    sentTo: get(s, viewAt(get(s, at + W_VIEW)) + V_NORMAL),
    done: get(s, at + W_DONE),
    missed: get(s, at + W_MISSED),
    carriedOut: get(s, at + W_FLAGS) >> 4,
    missedMarked: get(s, at + W_FENCED) >> 4,
  }
}

function markListed(
  rules: RuleTable,
  s: State,
  m: number,
  absent: number,
  hasApplied: boolean,
): void {
  const at = memberAt(m)
  const byte = rules.markByteWhenListed(get(s, at + M_OWN), hasApplied)
  if (byte === CHUNK_REAL) s[at + M_MARKS] = get(s, at + M_MARKS) | (0x11 << absent)
  else s[at + M_WEAK] = get(s, at + M_WEAK) | (1 << absent)
}

/** The byte of the chunk in this member's map about another. */
export function markByteOf(s: State, m: number, absent: number): number {
  const at = memberAt(m)
  if ((get(s, at + M_MARKS) & (1 << absent)) !== 0) return CHUNK_REAL
  return (get(s, at + M_WEAK) & (1 << absent)) !== 0 ? CHUNK_SUSPECT_IN_FLIGHT : CHUNK_CLEAN
}

/**
 * A write reaches the member on its first or second session. A dirty chunk waits for its copy (S3).
 */
export function receiveWrite(
  rules: RuleTable,
  s: State,
  w: number,
  m: number,
  session: number,
  fails: boolean,
): boolean {
  const write = writeAt(w)
  const at = memberAt(m)
  const delivered = 1 << (m + 4 * session)
  if ((get(s, write + W_DELIVERED) & delivered) !== 0) return false
  const verdict = rules.judgeRequest(admissionOf(s, m), {
    epoch: get(s, write + W_EPOCH),
    nonce: get(s, write + W_CLIENT),
    view: viewOf(s, get(s, write + W_VIEW)),
    sessionGeneration: rules.resumeEndsOldSessions ? session : 1,
  })
  if (verdict === "fenced") {
    s[write + W_DELIVERED] = get(s, write + W_DELIVERED) | delivered
    s[write + W_FENCED] = get(s, write + W_FENCED) | (1 << m)
    return true
  }
  if (verdict !== "admit") return false
  if (rules.givenUpIsRefused && wasTakenBack(s, w, m)) return false
  if (get(s, at + M_OWN) !== 0) {
    // It waits for the copy (S3), or gives that up (W2).
    if (!fails || rules.answerWithoutCopy(get(s, at + M_OWN)) === "hold") return false
    s[write + W_DELIVERED] = get(s, write + W_DELIVERED) | delivered
    s[at + M_LAST_IO] = w
    setFlag(s, m, F_HOT, true)
    dropCopy(s, m) // it may be older than what was missed just now
    s[write + W_MISSED] = get(s, write + W_MISSED) | (1 << m)
    return true
  }
  // A chunk whose every copy is gone is lost, and nothing can be learned from it.
  if (fails && isLastCopy(s, m)) return false
  s[write + W_DELIVERED] = get(s, write + W_DELIVERED) | delivered
  s[at + M_LAST_IO] = w
  setFlag(s, m, F_HOT, true)
  const normal = get(s, viewAt(get(s, at + M_RECORD)) + V_NORMAL)
  if (fails) {
    s[at + M_WEAK] = get(s, at + M_WEAK) | (ALL & ~normal & ~(1 << m))
    becomeReal(s, m)
    s[write + W_MISSED] = get(s, write + W_MISSED) | (1 << m)
    return true
  }
  s[at + M_CACHE] = w
  s[write + W_DONE] = get(s, write + W_DONE) | (1 << m)
  markAbsent(s, m, normal, false)
  return true
}

/** Its marks go to disk with the byte that makes the chunk real (R3). */
export function becomeReal(s: State, m: number): void {
  const at = memberAt(m)
  s[at + M_MARKS] = (get(s, at + M_MARKS) & ALL) * 0x11
  s[at + M_OWN] = CHUNK_REAL
}

/** S6: a read finds a bad sector. Not in the last copy: then the chunk is lost. */
export function failToRead(s: State, m: number): boolean {
  const isClean = get(s, memberAt(m) + M_OWN) === CHUNK_CLEAN
  if (!isClean || !hasFlag(s, m, F_NORMAL) || isLastCopy(s, m)) return false
  becomeReal(s, m)
  return true
}

/** MAP_ADD tells a member that what it missed was done elsewhere: its marks become real (W3). */
export function receiveMapAdd(rules: RuleTable, s: State, w: number, m: number): boolean {
  const write = writeAt(w)
  const verdict = rules.judgeRequest(admissionOf(s, m), {
    epoch: get(s, write + W_EPOCH),
    nonce: get(s, write + W_CLIENT),
    view: viewOf(s, get(s, write + W_VIEW)),
    sessionGeneration: 1,
  })
  if (verdict !== "admit" || get(s, memberAt(m) + M_NONCE) !== get(s, write + W_CLIENT))
    return false
  s[write + W_FENCED] = get(s, write + W_FENCED) | (16 << m)
  markAbsent(s, m, get(s, viewAt(get(s, memberAt(m) + M_RECORD)) + V_NORMAL), true)
  return true
}

/**
 * No other member has the chunk clean with all that was acknowledged, in a view that a client
 * knows to be effective: what was copied in a view that is superseded before may be given up.
 */
function isLastCopy(s: State, m: number): boolean {
  if (!isBaseOfSomebody(s, get(s, memberAt(m) + M_RECORD))) return true
  for (let x = 0; x < MEMBERS; x++) {
    const at = memberAt(x)
    const isWhole = writeOrder(s, get(s, at + M_CACHE)) >= writeOrder(s, get(s, FLOOR))
    const isPeer =
      hasFlag(s, x, F_NORMAL) && get(s, at + M_RECORD) === get(s, memberAt(m) + M_RECORD)
    if (x !== m && isPeer && get(s, at + M_OWN) === CHUNK_CLEAN && isWhole) return false
  }
  return true
}

function isBaseOfSomebody(s: State, v: number): boolean {
  for (let c = 0; c < CLIENTS; c++) {
    const isHolder = get(s, clientAt(c) + C_PHASE) === PHASE_HOLDER
    if (isHolder && get(s, clientAt(c) + C_BASE) === v) return true
  }
  return false
}

/** Marks the chunk for whoever is outside `normal`; on disk too where it must be. */
export function markAbsent(s: State, m: number, normal: number, durably: boolean): void {
  const at = memberAt(m)
  const absent = ALL & ~normal & ~(1 << m)
  s[at + M_MARKS] = get(s, at + M_MARKS) | (durably ? absent * 0x11 : absent)
}

/** The process, or the machine under it, dies and comes back. What was in memory is gone. */
export function restart(
  rules: RuleTable,
  s: State,
  m: number,
  restartClass: RestartClass,
  cacheReachedDisk: boolean,
): void {
  const at = memberAt(m)
  if (restartClass === "cache-lost" && !cacheReachedDisk) s[at + M_CACHE] = get(s, at + M_DISK)
  if (cacheReachedDisk) s[at + M_DISK] = get(s, at + M_CACHE)
  const durable = get(s, at + M_MARKS) >> 4
  s[at + M_MARKS] = durable * 0x11
  s[at + M_LAST_IO] = 0
  s[at + M_JOINED] = NONE
  dropCopy(s, m)
  setFlag(s, m, F_OPEN, false)
  setFlag(s, m, F_NORMAL, false)
  setFlag(s, m, F_RESUMED, false)
  if (!hasFlag(s, m, F_HOT)) return
  if (rules.suspectsItself) {
    const before = get(s, at + M_OWN)
    const normal = get(s, viewAt(get(s, at + M_RECORD)) + V_NORMAL)
    if (rules.markByteAfterRestart(before) === CHUNK_REAL) markAbsent(s, m, normal, true)
    s[at + M_OWN] = rules.ownByteAfterRestart(before, restartClass)
  } else {
    s[at + M_MARKS] = ALL * 0x11
  }
}

/** A dirty member reads the chunk from a clean member of the same view (S1, S2). */
export function readCopy(rules: RuleTable, s: State, target: number, source: number): boolean {
  const to = memberAt(target)
  const from = memberAt(source)
  if (get(s, to + M_OWN) === CHUNK_CLEAN || get(s, from + M_OWN) !== CHUNK_CLEAN) return false
  if (get(s, to + M_RECORD) !== get(s, from + M_RECORD) || get(s, to + M_COPY) !== 0) return false
  if (!hasFlag(s, target, F_NORMAL) || !hasFlag(s, source, F_NORMAL)) return false
  if (!isCopyGood(rules, s, target, source)) return false
  s[to + M_COPY] = get(s, from + M_CACHE) + 1
  s[to + M_COPY_LAST_IO] = get(s, from + M_LAST_IO)
  s[to + M_COPY_VIEW] = get(s, to + M_RECORD)
  return true
}

/** It writes the copy and clears its own bit, both durably in one step (S4). */
export function writeCopy(rules: RuleTable, s: State, target: number): boolean {
  const to = memberAt(target)
  if (get(s, to + M_COPY) === 0) return false
  if (get(s, to + M_OWN) === CHUNK_CLEAN || !hasFlag(s, target, F_NORMAL)) return false
  if (rules.copyEndsWithView && get(s, to + M_COPY_VIEW) !== get(s, to + M_RECORD)) return false
  const content = get(s, to + M_COPY) - 1
  s[to + M_CACHE] = content
  s[to + M_DISK] = content
  s[to + M_OWN] = CHUNK_CLEAN
  // The copy may hold a mutation in flight: the target records it as the source did (S9).
  const copied = get(s, to + M_COPY_LAST_IO)
  if (rules.copyCarriesLastIo && writeOrder(s, copied) > writeOrder(s, get(s, to + M_LAST_IO))) {
    s[to + M_LAST_IO] = copied
    setFlag(s, target, F_HOT, true)
  }
  dropCopy(s, target)
  return true
}

/** S10: what the target recorded and missed itself must be in the copy. */
function isCopyGood(rules: RuleTable, s: State, target: number, source: number): boolean {
  const missed = get(s, memberAt(target) + M_LAST_IO)
  if (missed === 0) return true
  return rules.holdsWhatWasMissed(
    recordOf(s, missed),
    recordOf(s, get(s, memberAt(source) + M_LAST_IO)),
    viewOf(s, get(s, writeAt(missed) + W_VIEW)),
    numberOf(s, get(s, memberAt(source) + M_JOINED)),
  )
}

/** What a member has in its last io for a write; all writes are of one unit here. */
export function recordOf(s: State, w: number): UnitRecord | undefined {
  return w === 0 ? undefined : { epoch: get(s, writeAt(w) + W_EPOCH), sequence: w }
}
