/**
 * One state of the modelled pool, as bytes: three members, a few client processes, the views ever
 * proposed, the writes ever issued, one chunk in one extent.
 *
 * There is no network in it. A message that was ever sent can be delivered at any later time, or
 * never: that is loss, delay, duplication and reordering at once. A reply is a historical fact
 * (`persistedBy`, `done`) that its client may come to know at any later time, or never. A client
 * that crashed is one that takes no further step; a member that is unreachable is one to which
 * nothing is delivered.
 *
 * Members are slots 0…2 and written A, B, C; views are numbered in order of creation.
 */
import { assert, compareViews, type View, type ViewNumber } from "@rmr/core"

export const MEMBERS = 3
export const CLIENTS = 4 // the last one is the healer, see heal.ts
export const HEALER = 3
export const WRITES = 2
export const VIEWS = 12
export const NONE = 255

// Globals
export const VIEW_COUNT = 0
export const WRITE_COUNT = 1
export const RESTARTS_USED = 2
export const CACHE_LOSSES_USED = 3
export const BLIPS_USED = 4
export const MISSES_USED = 5
/** Ghost: the write that readers must see at least; raised by acknowledgement. */
export const FLOOR = 6
/** Ghost: which promise a step has broken, as an index of BROKEN_PROMISES; 0 for none. */
export const BROKEN = 7
/** Ghost: the newest write that a successful flush covers. */
export const FLUSHED = 8
/** The flush that is under way: its client plus 1, who has carried it out, what it covers. */
export const FLUSH_BY = 9
export const FLUSH_ON = 10
export const FLUSH_COVERS = 11
const GLOBAL_BYTES = 12

export const BROKEN_PROMISES = [
  "",
  "P1: an election loses a write that a successful flush had covered",
  "P1: an election among members that kept their caches loses an acknowledged write",
] as const

// Views
export const V_EPOCH = 0
export const V_VERSION = 1
export const V_NORMAL = 2
/** The write whose range rides on this view (V2, R4), UNNAMED for a range only, or 0. */
export const V_LISTED = 3
export const UNNAMED = 15
/** In V_LISTED, beside the write: its client gave it up, and the range is uncertain (W6). */
export const UNCERTAIN = 16
/** Members that suspect the range when they persist this opening view (R4). */
export const V_SUSPECTS = 4
/** Historical: members that have persisted it. */
export const V_PERSISTED = 5
export const V_CREATOR = 6
/** normalThrough of each slot, as a view index; NONE for "never". */
export const V_THROUGH = 7
/** A grow: who joins by it, and persists it first (V3). */
export const V_JOINERS = 10
const VIEW_BYTES = 11

// Writes, numbered from 1
export const W_CLIENT = 0
export const W_EPOCH = 1
export const W_VIEW = 2
/** Delivered to these, low nibble by the first session, high nibble by the second. */
export const W_DELIVERED = 3
export const W_DONE = 4
export const W_MISSED = 5
/**
 * Bit 0 acknowledged, bit 1 forgiven (see elect), bit 2 given up, bit 3 given up and resolved;
 * bits 4… members put out by an effective view that lists it.
 */
export const W_FLAGS = 6
export const ACKNOWLEDGED = 1
export const FORGIVEN = 2
export const GIVEN_UP = 4
export const ENDED = 8
/** Low nibble: members that answered `fenced`; high: that missed it and made their marks real. */
export const W_FENCED = 7
const WRITE_BYTES = 8

// Members
export const M_EPOCH = 0
export const M_NONCE = 1
export const M_RECORD = 2
export const M_SEEN = 3
export const M_JOINED = 4
export const M_FLAGS = 5
export const M_CACHE = 6
export const M_DISK = 7
export const M_OWN = 8
export const M_LAST_IO = 9
/** Real marks about others: low nibble in memory, high nibble on disk. */
export const M_MARKS = 10
export const M_STAMPS = 11
/** Marks that only suspect (rank 1): always on disk. */
export const M_WEAK = 14
/** A copy that was read and not yet written: its content plus 1, the source's last io, the view. */
export const M_COPY = 15
export const M_COPY_LAST_IO = 16
export const M_COPY_VIEW = 17
export const MEMBER_BYTES = 18

export const F_OPEN = 1
export const F_NORMAL = 2
export const F_HOT = 4
/** It serves the second session of its holder. */
export const F_RESUMED = 8

// Clients
export const C_PHASE = 0
export const C_EPOCH = 1
export const C_BASE = 2
export const C_LIMIT = 3
export const C_ANSWERED = 4
export const C_ANSWER_RECORD = 5
export const C_ANSWER_SEEN: number = 5 + MEMBERS
export const C_ANSWER_LAST_IO: number = 5 + 2 * MEMBERS
export const C_ANSWER_OWN: number = 5 + 3 * MEMBERS
const CLIENT_BYTES = 5 + 4 * MEMBERS

export const PHASE_IDLE = 0
export const PHASE_OPENING = 1
export const PHASE_HOLDER = 2

export const VIEWS_AT: number = GLOBAL_BYTES
export const VIEWS_END: number = VIEWS_AT + VIEWS * VIEW_BYTES
const WRITES_AT: number = VIEWS_AT + VIEWS * VIEW_BYTES
export const MEMBERS_AT: number = WRITES_AT + WRITES * WRITE_BYTES
export const CLIENTS_AT: number = MEMBERS_AT + MEMBERS * MEMBER_BYTES
export const STATE_BYTES: number = CLIENTS_AT + CLIENTS * CLIENT_BYTES

export type State = Uint8Array

export const viewAt = (v: number): number => VIEWS_AT + v * VIEW_BYTES
export const writeAt = (w: number): number => WRITES_AT + (w - 1) * WRITE_BYTES
export const memberAt = (m: number): number => MEMBERS_AT + m * MEMBER_BYTES
export const clientAt = (c: number): number => CLIENTS_AT + c * CLIENT_BYTES

export const get = (s: State, at: number): number => s[at] as number

export const ALL = 0b111

export function viewOf(s: State, v: number): View {
  const at = viewAt(v)
  return {
    epoch: get(s, at + V_EPOCH),
    version: get(s, at + V_VERSION),
    normal: get(s, at + V_NORMAL),
  }
}

const NEVER: ViewNumber = { epoch: 0, version: 0 }

/** The number of a view index; NONE is before every view. */
export function numberOf(s: State, v: number): ViewNumber {
  return v === NONE ? NEVER : viewOf(s, v)
}

export function laterView(s: State, a: number, b: number): number {
  if (a === NONE) return b
  if (b === NONE) return a
  return compareViews(viewOf(s, a), viewOf(s, b)) >= 0 ? a : b
}

/** Order of writes: by epoch, then by issue. Write 0 is the initial content. */
export function writeOrder(s: State, w: number): number {
  return w === 0 ? 0 : get(s, writeAt(w) + W_EPOCH) * 16 + w
}

export function dropCopy(s: State, m: number): void {
  s.fill(0, memberAt(m) + M_COPY, memberAt(m) + M_COPY_VIEW + 1)
}

export function setFlag(s: State, m: number, flag: number, on: boolean): void {
  const at = memberAt(m) + M_FLAGS
  s[at] = on ? get(s, at) | flag : get(s, at) & ~flag
}

export function hasFlag(s: State, m: number, flag: number): boolean {
  return (get(s, memberAt(m) + M_FLAGS) & flag) !== 0
}

/** Views of this client that are newer than its base: its proposals, oldest first. */
export function proposalsOf(s: State, c: number): number[] {
  const base = get(s, clientAt(c) + C_BASE)
  const isBaseOwn = get(s, viewAt(base) + V_CREATOR) === c
  const proposals: number[] = []
  for (let v = isBaseOwn ? base + 1 : 0; v < get(s, VIEW_COUNT); v++) {
    if (v !== base && get(s, viewAt(v) + V_CREATOR) === c) proposals.push(v)
  }
  return proposals
}

/** The write of this client that is not resolved, or 0. */
export function unresolvedOf(s: State, c: number): number {
  for (let w = get(s, WRITE_COUNT); w > 0; w--) {
    const at = writeAt(w)
    const isResolved = (get(s, at + W_FLAGS) & (ACKNOWLEDGED | ENDED)) !== 0
    if (get(s, at + W_CLIENT) === c && !isResolved) return w
  }
  return 0
}

export function emptyState(): State {
  const s = new Uint8Array(STATE_BYTES)
  for (let v = 0; v < VIEWS; v++) {
    s[viewAt(v) + V_CREATOR] = NONE
    s.fill(NONE, viewAt(v) + V_THROUGH, viewAt(v) + V_THROUGH + MEMBERS)
  }
  for (let m = 0; m < MEMBERS; m++) {
    const at = memberAt(m)
    s[at + M_RECORD] = NONE
    s[at + M_SEEN] = NONE
    s[at + M_JOINED] = NONE
    s.fill(NONE, at + M_STAMPS, at + M_STAMPS + MEMBERS)
  }
  return s
}

export function isGivenUp(s: State, w: number): boolean {
  return w !== 0 && (get(s, writeAt(w) + W_FLAGS) & GIVEN_UP) !== 0
}

/** Has a view that tells the member to forget this write reached it? (W6) */
export function wasTakenBack(s: State, w: number, m: number): boolean {
  for (let v = 0; v < get(s, VIEW_COUNT); v++) {
    const at = viewAt(v)
    const isOf = get(s, at + V_LISTED) === (w | UNCERTAIN)
    if (isOf && (get(s, at + V_PERSISTED) & (1 << m)) !== 0) return true
  }
  return false
}

export interface NewView {
  readonly creator: number
  readonly epoch: number
  readonly version: number
  readonly normal: number
  readonly listed: number
  readonly suspects: number
  /** By slot, for those outside `normal`. */
  readonly through: readonly number[]
  readonly joiners: number
}

/** Adds a view; slots inside `normal` get themselves as normalThrough. */
export function addView(s: State, view: NewView): number {
  const v = get(s, VIEW_COUNT)
  assert(v < VIEWS, "the model has room for the view")
  const at = viewAt(v)
  s[at + V_EPOCH] = view.epoch
  s[at + V_VERSION] = view.version
  s[at + V_NORMAL] = view.normal
  s[at + V_LISTED] = view.listed
  s[at + V_SUSPECTS] = view.suspects
  s[at + V_CREATOR] = view.creator
  s[at + V_JOINERS] = view.joiners
  for (let m = 0; m < MEMBERS; m++) {
    const isNormal = (view.normal & (1 << m)) !== 0
    s[at + V_THROUGH + m] = isNormal ? v : (view.through[m] ?? NONE)
  }
  s[VIEW_COUNT] = v + 1
  return v
}
