/**
 * How far each exploration goes, and where it begins.
 *
 * One bound with everything in it would not end; several that each push in one direction do, and
 * together they reach what one could not. Every one of them is explored to the last state.
 */
import { assert, CHUNK_SUSPECT_IN_FLIGHT } from "@rmr/core"
import { receiveView, receiveWrite, restart } from "./member-steps.js"
import { RULES } from "./rule-table.js"
import {
  ALL,
  addView,
  C_BASE,
  C_EPOCH,
  C_LIMIT,
  C_PHASE,
  clientAt,
  emptyState,
  F_NORMAL,
  F_OPEN,
  M_EPOCH,
  M_JOINED,
  M_MARKS,
  M_OWN,
  M_RECORD,
  M_SEEN,
  M_STAMPS,
  MEMBERS,
  memberAt,
  NONE,
  PHASE_HOLDER,
  type State,
  setFlag,
  V_PERSISTED,
  viewAt,
} from "./state.js"
import { noticeEffective, proposeShrink } from "./view-steps.js"
import { acknowledge, issueWrite } from "./write-steps.js"

export interface Bound {
  readonly name: string
  readonly clients: number
  readonly writes: number
  readonly furtherViews: number
  readonly restarts: number
  readonly cacheLosses: number
  readonly blips: number
  readonly misses: number
  readonly flushes: boolean
  readonly giveUps: boolean
  readonly gossips: boolean
  readonly minNormal: number
  initial(): State
}

/** Client 0 holds the pool at epoch 1; everybody is equal, and these are normal. */
export function freshPool(normal: number): State {
  const s = emptyState()
  const v = addView(s, {
    creator: 0,
    epoch: 1,
    version: 1,
    normal,
    listed: 0,
    suspects: 0,
    through: [NONE, NONE, NONE],
    joiners: 0,
  })
  s[viewAt(v) + V_PERSISTED] = normal
  for (let m = 0; m < MEMBERS; m++) {
    const at = memberAt(m)
    s[at + M_EPOCH] = 1
    s[at + M_RECORD] = v
    s[at + M_SEEN] = v
    if ((normal & (1 << m)) === 0) continue
    s[at + M_JOINED] = v
    setFlag(s, m, F_OPEN, true)
    setFlag(s, m, F_NORMAL, true)
    for (let x = 0; x < MEMBERS; x++) {
      if ((normal & (1 << x)) === 0) s[at + M_STAMPS + x] = v
    }
  }
  const client = clientAt(0)
  s[client + C_PHASE] = PHASE_HOLDER
  s[client + C_EPOCH] = 1
  s[client + C_BASE] = v
  s[client + C_LIMIT] = normal
  return s
}

/**
 * B had been away once: A and C still hold marks about it, stamped with that absence, and void
 * since B came back, took them over and copied what it lacked.
 */
export function returnedPool(): State {
  const s = freshPool(ALL)
  const away = addView(s, {
    creator: 0,
    epoch: 1,
    version: 2,
    normal: 0b101,
    listed: 0,
    suspects: 0,
    through: [NONE, 0, NONE],
    joiners: 0,
  })
  const back = addView(s, {
    creator: 0,
    epoch: 1,
    version: 3,
    normal: ALL,
    listed: 0,
    suspects: 0,
    through: [NONE, NONE, NONE],
    joiners: 0b010,
  })
  s[viewAt(away) + V_PERSISTED] = 0b101
  s[viewAt(back) + V_PERSISTED] = ALL
  for (let m = 0; m < MEMBERS; m++) {
    const at = memberAt(m)
    s[at + M_RECORD] = back
    s[at + M_SEEN] = back
    if (m === 1) {
      s[at + M_JOINED] = back
    } else {
      s[at + M_MARKS] = 0x22
      s[at + M_STAMPS + 1] = away
    }
  }
  s[clientAt(0) + C_BASE] = back
  return s
}

/** B's process had restarted: it is back in the view, and has not copied what it suspects yet. */
export function suspectPool(): State {
  const s = freshPool(ALL)
  s[memberAt(1) + M_OWN] = CHUNK_SUSPECT_IN_FLIGHT
  return s
}

/**
 * A and B had done an acknowledged write when B lost its cache, and with it the write. A has not
 * flushed yet; C has been away all the time.
 */
export function cutPool(): State {
  const s = freshPool(0b011)
  issueWrite(s, 0)
  for (const m of [0, 1]) receiveWrite(RULES, s, 1, m, 0, false)
  assert(acknowledge(RULES, s, 0), "all have done the write")
  restart(RULES, s, 1, "cache-lost", false)
  return s
}

/** The same, and A goes on alone. */
export function lostPool(): State {
  const s = cutPool()
  proposeShrink(RULES, s, 0, 0b001, 1)
  receiveView(RULES, s, 1, 0)
  assert(noticeEffective(RULES, s, 0), "A is enough")
  return s
}

const CALM: Omit<Bound, "name" | "initial"> = {
  clients: 2,
  writes: 1,
  furtherViews: 3,
  restarts: 0,
  cacheLosses: 0,
  blips: 0,
  misses: 0,
  flushes: false,
  giveUps: false,
  gossips: false,
  minNormal: 1,
}

export function boundOf(unkind: Pick<Bound, "name" | "initial"> & Partial<Bound>): Bound {
  return { ...CALM, ...unkind }
}

const fresh = (): State => freshPool(ALL)

/** Explored to the last state by every test run. */
export const TEST_BOUNDS: readonly Bound[] = [
  boundOf({ name: "views", furtherViews: 4, initial: fresh }),
  boundOf({ name: "overwrites", furtherViews: 2, writes: 2, initial: fresh }),
  boundOf({ name: "process restarts", restarts: 1, initial: fresh }),
  boundOf({ name: "power cuts", cacheLosses: 1, initial: fresh }),
  boundOf({ name: "both", furtherViews: 2, restarts: 1, cacheLosses: 1, initial: fresh }),
  boundOf({
    name: "flushes",
    flushes: true,
    initial: cutPool,
  }),
  boundOf({
    name: "flushes and views",
    furtherViews: 3,
    clients: 1,
    cacheLosses: 1,
    flushes: true,
    initial: fresh,
  }),
  boundOf({
    name: "flushes by fewer and fewer",
    clients: 1,
    cacheLosses: 1,
    flushes: true,
    initial: lostPool,
  }),
  boundOf({
    name: "gossip",
    furtherViews: 2,
    gossips: true,
    initial: fresh,
  }),
  boundOf({
    name: "writes given up",
    furtherViews: 2,
    giveUps: true,
    misses: 1,
    initial: fresh,
  }),
  boundOf({ name: "link blips", furtherViews: 2, writes: 2, blips: 1, initial: fresh }),
  boundOf({ name: "media errors", clients: 1, misses: 1, initial: fresh }),
  boundOf({ name: "media errors of a suspect", furtherViews: 2, misses: 1, initial: suspectPool }),
  boundOf({
    name: "media errors and restarts",
    furtherViews: 2,
    misses: 1,
    restarts: 1,
    initial: fresh,
  }),
  boundOf({ name: "two of three", minNormal: 2, restarts: 1, initial: fresh }),
  boundOf({ name: "three clients", clients: 3, furtherViews: 2, initial: fresh }),
  boundOf({
    name: "a member that had been away",
    furtherViews: 4,
    clients: 1,
    initial: returnedPool,
  }),
]

/** Explored by `pnpm model` on demand. */
export const LARGE_BOUNDS: readonly Bound[] = [
  boundOf({ name: "views", furtherViews: 5, writes: 2, initial: fresh }),
  boundOf({ name: "process restarts", furtherViews: 4, writes: 2, restarts: 1, initial: fresh }),
  boundOf({ name: "power cuts", furtherViews: 4, cacheLosses: 2, initial: fresh }),
  boundOf({ name: "both", restarts: 1, cacheLosses: 1, initial: fresh }),
  boundOf({ name: "flushes", writes: 2, cacheLosses: 1, flushes: true, initial: fresh }),
  boundOf({
    name: "flushes by fewer and fewer",
    furtherViews: 4,
    clients: 1,
    cacheLosses: 1,
    flushes: true,
    initial: () => freshPool(0b011),
  }),
  boundOf({ name: "gossip", gossips: true, initial: fresh }),
  boundOf({ name: "writes given up", writes: 2, giveUps: true, initial: fresh }),
  boundOf({ name: "link blips", writes: 2, blips: 1, initial: fresh }),
  boundOf({ name: "media errors", writes: 2, misses: 1, restarts: 1, initial: fresh }),
  boundOf({
    name: "two of three",
    furtherViews: 4,
    writes: 2,
    minNormal: 2,
    restarts: 1,
    initial: fresh,
  }),
  boundOf({ name: "three clients", clients: 3, furtherViews: 4, initial: fresh }),
  boundOf({
    name: "a member that had been away",
    furtherViews: 4,
    writes: 2,
    initial: returnedPool,
  }),
]
