/**
 * The modelled pool as a machine: from a state, every step that anybody could take next.
 *
 * A step is one of the functions of opening-steps.ts, view-steps.ts, write-steps.ts and
 * member-steps.ts, tried on a copy of the state. Bounds limit how often the world may be unkind;
 * inside them every order of everything is tried.
 */

import type { Bound } from "./bounds.js"
import { FingerprintTable, type Machine } from "./explorer.js"
import { heal, livesOn } from "./heal.js"
import { checkState } from "./invariants.js"
import * as member from "./member-steps.js"
import * as opening from "./opening-steps.js"
import type { RuleTable } from "./rule-table.js"
import {
  BLIPS_USED,
  C_BASE,
  C_PHASE,
  CACHE_LOSSES_USED,
  CLIENTS_AT,
  clientAt,
  F_RESUMED,
  FLOOR,
  FLUSHED,
  get,
  hasFlag,
  laterView,
  M_OWN,
  M_SEEN,
  MEMBERS,
  MEMBERS_AT,
  MISSES_USED,
  memberAt,
  NONE,
  PHASE_HOLDER,
  PHASE_IDLE,
  PHASE_OPENING,
  RESTARTS_USED,
  STATE_BYTES,
  type State,
  unresolvedOf,
  V_JOINERS,
  V_LISTED,
  V_NORMAL,
  V_PERSISTED,
  V_SUSPECTS,
  VIEW_COUNT,
  VIEWS_AT,
  VIEWS_END,
  viewAt,
  W_CLIENT,
  W_EPOCH,
  WRITE_COUNT,
  writeAt,
} from "./state.js"
import { canonicalize } from "./symmetry.js"
import * as view from "./view-steps.js"
import * as write from "./write-steps.js"

const STEPS = [
  "begin-opening",
  "open",
  "read-early",
  "opening-view",
  "shrink",
  "view",
  "effective",
  "issue",
  "write",
  "write-fails",
  "map-add",
  "acknowledge",
  "elect",
  "join",
  "read-copy",
  "write-copy",
  "begin-flush",
  "flush",
  "end-flush",
  "yield",
  "give-up",
  "read-fails",
  "hear",
  "resume",
  "restart",
  "power-cut",
  "power-cut-kept",
] as const
type Step = (typeof STEPS)[number]

const label = (step: Step, a = 0, b = 0, d = 0): number =>
  (STEPS.indexOf(step) << 12) | (a << 8) | (b << 4) | d

const NAMES = "ABC"
const set = (mask: number): string =>
  `{${[...NAMES].filter((_, m) => (mask & (1 << m)) !== 0).join(",")}}`

export class PoolMachine implements Machine {
  readonly stateBytes: number = STATE_BYTES
  readonly #rules: RuleTable
  readonly #bound: Bound
  readonly #scratch: State = new Uint8Array(STATE_BYTES)
  readonly #viewsMax: number
  readonly #healed: FingerprintTable = new FingerprintTable()
  readonly #healing: Uint8Array = new Uint8Array(VIEWS_END + 8 + CLIENTS_AT - MEMBERS_AT)

  constructor(rules: RuleTable, bound: Bound) {
    this.#rules = rules
    this.#bound = bound
    this.#viewsMax = get(bound.initial(), VIEW_COUNT) + bound.furtherViews
  }

  initial(): readonly State[] {
    return [this.#bound.initial()]
  }

  canonicalize(state: State): void {
    canonicalize(state)
  }

  check(state: State): string | undefined {
    const message =
      checkState(this.#rules, state, this.#bound.minNormal) ?? this.#checkLiving(state)
    if (message !== undefined) return message
    // Healing depends on the members, the views and the floor only; many states share those.
    if (!this.#healed.add(this.#healingView(state))) return undefined
    this.#scratch.set(state)
    return heal(this.#rules, this.#scratch, this.#bound.minNormal)
  }

  #checkLiving(state: State): string | undefined {
    if (!isAnyDirty(state)) return undefined
    for (let c = 0; c < this.#bound.clients; c++) {
      if (!view.isSettled(state, c) || unresolvedOf(state, c) !== 0) continue
      if (!view.isBaseServing(state, c)) continue
      this.#scratch.set(state)
      const message = livesOn(this.#rules, this.#scratch, c)
      if (message !== undefined) return message
    }
    return undefined
  }

  #healingView(state: State): Uint8Array {
    const part = this.#healing
    part.set(state.subarray(0, VIEWS_END), 0)
    for (let at = 0; at < VIEWS_AT; at++) part[at] = 0
    part[FLOOR] = get(state, FLOOR)
    part[FLUSHED] = get(state, FLUSHED)
    part[VIEW_COUNT] = get(state, VIEW_COUNT)
    let star = NONE
    for (let m = 0; m < MEMBERS; m++)
      star = laterView(state, star, get(state, memberAt(m) + M_SEEN))
    for (let v = 0; v < get(state, VIEW_COUNT); v++) {
      part[viewAt(v) + V_PERSISTED] = 0
      // An opening lists again what the highest view listed; the rest of them is history.
      part[viewAt(v) + V_LISTED] = v === star ? get(state, viewAt(v) + V_LISTED) & 15 : 0
      part[viewAt(v) + V_SUSPECTS] = 0
      part[viewAt(v) + V_JOINERS] = 0
    }
    for (let w = 1; w <= get(state, WRITE_COUNT); w++) {
      part[VIEWS_END + w] = get(state, writeAt(w) + W_EPOCH)
    }
    part.set(state.subarray(MEMBERS_AT, CLIENTS_AT), VIEWS_END + 8)
    return part
  }

  expand(state: State, emit: (label: number, next: State) => void): void {
    const attempt: Attempt = (label, act) => {
      this.#scratch.set(state)
      if (act(this.#scratch)) emit(label, this.#scratch)
    }
    for (let c = 0; c < this.#bound.clients; c++) this.#clientSteps(state, c, attempt)
    this.#deliveries(state, attempt)
    for (let target = 0; target < MEMBERS; target++) {
      for (let source = 0; source < MEMBERS; source++) {
        if (source === target) continue
        attempt(label("read-copy", target, source), (s) =>
          member.readCopy(this.#rules, s, target, source),
        )
      }
      attempt(label("write-copy", target), (s) => member.writeCopy(this.#rules, s, target))
    }
    this.#faults(state, attempt)
  }

  #clientSteps(state: State, c: number, attempt: Attempt): void {
    const rules = this.#rules
    const minNormal = this.#bound.minNormal
    const phase = get(state, clientAt(c) + C_PHASE)
    const mayAddView = get(state, VIEW_COUNT) < this.#viewsMax
    if (phase === PHASE_IDLE) {
      attempt(label("begin-opening", c), (s) => opening.beginOpening(s, c))
      return
    }
    if (phase === PHASE_OPENING) {
      if (mayAddView) {
        attempt(label("opening-view", c), (s) => opening.decideOpening(rules, s, c, minNormal))
      }
      return
    }
    if (mayAddView) {
      for (let wanted = 1; wanted < 1 << MEMBERS; wanted++) {
        attempt(label("shrink", c, wanted), (s) =>
          view.proposeShrink(rules, s, c, wanted, minNormal),
        )
      }
    }
    attempt(label("effective", c), (s) => view.noticeEffective(rules, s, c))
    if (!view.isSettled(state, c)) return
    if (get(state, WRITE_COUNT) < this.#bound.writes) {
      attempt(label("issue", c), (s) => write.issueWrite(s, c))
    }
    attempt(label("acknowledge", c), (s) => write.acknowledge(rules, s, c))
    for (let m = 0; m < MEMBERS; m++) {
      attempt(label("elect", c, m), (s) => view.elect(rules, s, c, m))
    }
    if (this.#bound.giveUps) attempt(label("give-up", c), (s) => write.giveUp(s, c))
    if (this.#bound.flushes) this.#flushSteps(c, attempt)
    if (mayAddView) this.#joins(state, c, attempt)
  }

  #flushSteps(c: number, attempt: Attempt): void {
    const rules = this.#rules
    attempt(label("begin-flush", c), (s) => write.beginFlush(rules, s, c))
    attempt(label("end-flush", c), (s) => write.endFlush(rules, s, c))
    for (let m = 0; m < MEMBERS; m++) {
      attempt(label("flush", c, m), (s) => write.flushMember(rules, s, c, m))
      attempt(label("yield", c, m), (s) => view.yieldRank(rules, s, c, m))
    }
  }

  #joins(state: State, c: number, attempt: Attempt): void {
    const base = get(state, clientAt(c) + C_BASE)
    const normal = get(state, viewAt(base) + V_NORMAL)
    for (let joiner = 0; joiner < MEMBERS; joiner++) {
      if ((normal & (1 << joiner)) !== 0) continue
      for (let source = 0; source < MEMBERS; source++) {
        if ((normal & (1 << source)) === 0) continue
        attempt(label("join", c, joiner, source), (s) =>
          view.letJoin(this.#rules, s, c, joiner, source),
        )
      }
    }
  }

  #deliveries(state: State, attempt: Attempt): void {
    const rules = this.#rules
    for (let c = 0; c < this.#bound.clients; c++) {
      const phase = get(state, clientAt(c) + C_PHASE)
      if (phase !== PHASE_OPENING && !(phase === PHASE_HOLDER && c > 0)) continue
      for (let m = 0; m < MEMBERS; m++) {
        if (!rules.adoptsBeforeReading && phase === PHASE_OPENING) {
          attempt(label("read-early", c, m), (s) => opening.readTooEarly(s, c, m))
        }
        attempt(label("open", c, m), (s) => member.receiveOpen(rules, s, c, m))
      }
    }
    for (let v = 0; v < get(state, VIEW_COUNT); v++) {
      for (const m of this.#recipients(state, v)) {
        attempt(label("view", v, m), (s) => member.receiveView(rules, s, v, m))
      }
    }
    for (let w = 1; w <= get(state, WRITE_COUNT); w++) {
      for (let m = 0; m < MEMBERS; m++) this.#writeDeliveries(state, w, m, attempt)
    }
  }

  /** A grow goes to its joiners first (V3); everything else to everybody it names. */
  #recipients(state: State, v: number): number[] {
    const at = viewAt(v)
    const missing = get(state, at + V_NORMAL) & ~get(state, at + V_PERSISTED)
    const joiners = get(state, at + V_JOINERS) & missing
    const mask = joiners !== 0 ? joiners : missing
    return [0, 1, 2].filter((m) => (mask & (1 << m)) !== 0)
  }

  #writeDeliveries(state: State, w: number, m: number, attempt: Attempt): void {
    const rules = this.#rules
    const c = get(state, writeAt(w) + W_CLIENT)
    attempt(label("write", w, m, 0), (s) => member.receiveWrite(rules, s, w, m, 0, false))
    if (hasFlag(state, m, F_RESUMED)) {
      attempt(label("write", w, m, 1), (s) => member.receiveWrite(rules, s, w, m, 1, false))
    }
    if (get(state, MISSES_USED) > 0) {
      attempt(label("map-add", w, m), (s) => write.sendMapAdd(rules, s, c, m))
    }
    if (get(state, MISSES_USED) < this.#bound.misses) {
      attempt(label("write-fails", w, m), (s) => {
        s[MISSES_USED] = get(s, MISSES_USED) + 1
        return member.receiveWrite(rules, s, w, m, 0, true)
      })
    }
    if (get(state, BLIPS_USED) < this.#bound.blips) {
      for (const lost of [false, true]) {
        attempt(label("resume", c, m, lost ? 1 : 0), (s) => {
          s[BLIPS_USED] = get(s, BLIPS_USED) + 1
          return write.resume(s, c, m, lost)
        })
      }
    }
  }

  #faults(state: State, attempt: Attempt): void {
    const rules = this.#rules
    for (let m = 0; m < MEMBERS; m++) {
      if (this.#bound.gossips) {
        for (let from = 0; from < MEMBERS; from++) {
          attempt(label("hear", m, from), (s) => member.hearOfView(s, m, from))
        }
      }
      if (get(state, MISSES_USED) < this.#bound.misses) {
        attempt(label("read-fails", m), (s) => {
          s[MISSES_USED] = get(s, MISSES_USED) + 1
          return member.failToRead(s, m)
        })
      }
      if (get(state, RESTARTS_USED) < this.#bound.restarts) {
        attempt(label("restart", m), (s) => {
          s[RESTARTS_USED] = get(s, RESTARTS_USED) + 1
          member.restart(rules, s, m, "process", false)
          return true
        })
      }
      if (get(state, CACHE_LOSSES_USED) >= this.#bound.cacheLosses) continue
      for (const kept of [false, true]) {
        attempt(label(kept ? "power-cut-kept" : "power-cut", m), (s) => {
          s[CACHE_LOSSES_USED] = get(s, CACHE_LOSSES_USED) + 1
          member.restart(rules, s, m, "cache-lost", kept)
          return true
        })
      }
    }
  }

  describe(code: number): string {
    const step = STEPS[code >> 12] as Step
    const a = (code >> 8) & 15
    const b = (code >> 4) & 15
    const d = code & 15
    switch (step) {
      case "begin-opening":
        return `C${a} begins to open the pool`
      case "open":
        return `${NAMES[b]} takes the OPEN of C${a}`
      case "read-early":
        return `${NAMES[b]} answers the OPEN of C${a} before it takes it`
      case "opening-view":
        return `C${a} proposes its opening view`
      case "shrink":
        return `C${a} proposes ${set(b)}`
      case "view":
        return `${NAMES[b]} persists view ${a}`
      case "effective":
        return `C${a} learns that its view is effective`
      case "issue":
        return `C${a} issues a write`
      case "write":
        return `${NAMES[b]} applies write ${a}${d === 1 ? " from the new session" : ""}`
      case "write-fails":
        return `${NAMES[b]} misses write ${a}`
      case "map-add":
        return `${NAMES[b]} makes its marks for write ${a} real: it was done elsewhere`
      case "acknowledge":
        return `C${a} acknowledges its write`
      case "elect":
        return `C${a} has ${NAMES[b]} elected, among the least suspect`
      case "join":
        return `C${a} lets ${NAMES[b]} join with the marks of ${NAMES[d]}`
      case "read-copy":
        return `${NAMES[a]} reads the chunk from ${NAMES[b]}`
      case "write-copy":
        return `${NAMES[a]} writes its copy and is clean`
      case "begin-flush":
        return `C${a} begins to flush`
      case "flush":
        return `${NAMES[b]} flushes for C${a}`
      case "end-flush":
        return `C${a} acknowledges its flush`
      case "yield":
        return `C${a} has ${NAMES[b]}, which lost its cache, yield to a clean copy`
      case "give-up":
        return `C${a} gives its write up`
      case "read-fails":
        return `${NAMES[a]} finds a bad sector`
      case "hear":
        return `${NAMES[a]} hears from ${NAMES[b]} of its view`
      case "resume":
        return `the link from C${a} to ${NAMES[b]} blinks${d === 1 ? ", a reply is lost" : ""}`
      case "restart":
        return `the process of ${NAMES[a]} restarts`
      case "power-cut":
        return `${NAMES[a]} loses power, and its cache with it`
      case "power-cut-kept":
        return `${NAMES[a]} loses power after its cache had reached the disk`
    }
  }
}

function isAnyDirty(s: State): boolean {
  for (let m = 0; m < MEMBERS; m++) if (get(s, memberAt(m) + M_OWN) !== 0) return true
  return false
}

type Attempt = (label: number, act: (s: State) => boolean) => void
