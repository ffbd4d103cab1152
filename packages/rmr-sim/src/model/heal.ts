/**
 * P3 and "a start never waits without need", asked in every state: suppose that all faults stop
 * here, both clients are gone, and a new one finds every member present. It must be able to start,
 * everybody must come back, all copies must be clean and equal, and no acknowledged write may be
 * missing.
 *
 * The healer takes the same steps as any client, by the same rules, in one fixed order.
 */

import * as member from "./member-steps.js"
import * as opening from "./opening-steps.js"
import type { RuleTable } from "./rule-table.js"
import {
  ALL,
  BROKEN,
  BROKEN_PROMISES,
  C_BASE,
  clientAt,
  dropCopy,
  FLOOR,
  get,
  HEALER,
  M_CACHE,
  M_OWN,
  MEMBERS,
  memberAt,
  type State,
  V_JOINERS,
  V_NORMAL,
  VIEW_COUNT,
  viewAt,
  writeOrder,
} from "./state.js"
import * as view from "./view-steps.js"

/** A broken promise in words, or undefined. Changes the state it is given. */
export function heal(rules: RuleTable, s: State, minNormal: number): string | undefined {
  opening.beginOpening(s, HEALER)
  for (let m = 0; m < MEMBERS; m++) {
    if (!rules.adoptsBeforeReading) opening.readTooEarly(s, HEALER, m)
    member.receiveOpen(rules, s, HEALER, m)
  }
  if (!opening.decideOpening(rules, s, HEALER, minNormal)) {
    return "P3: a start waits although every member is present"
  }
  const opened = settle(rules, s)
  if (opened !== undefined) return opened
  // Who must wait for another one (R5) has its turn after that one.
  for (let round = 0; round < MEMBERS && normalOf(s) !== ALL; round++) {
    const before = normalOf(s)
    for (let joiner = 0; joiner < MEMBERS; joiner++) {
      const joined = joinOne(rules, s, joiner)
      if (joined !== undefined) return joined
    }
    if (normalOf(s) === before) return "P3: no member can join"
  }
  return normalOf(s) === ALL ? judge(s) : "P3: not every member became normal"
}

function joinOne(rules: RuleTable, s: State, joiner: number): string | undefined {
  const normal = normalOf(s)
  if ((normal & (1 << joiner)) !== 0) return undefined
  const source = [0, 1, 2].find((m) => (normal & (1 << m)) !== 0) as number
  if (!view.letJoin(rules, s, HEALER, joiner, source)) return undefined
  return settle(rules, s)
}

/**
 * P6 for a client that lives on: nothing is in flight, every member of its view answers it, and
 * somebody is clean. Then whoever is dirty must find a copy that it may take.
 */
export function livesOn(rules: RuleTable, s: State, c: number): string | undefined {
  const normal = get(s, viewAt(get(s, clientAt(c) + C_BASE)) + V_NORMAL)
  const members = [0, 1, 2].filter((m) => (normal & (1 << m)) !== 0)
  if (!members.some((m) => get(s, memberAt(m) + M_OWN) === 0)) return undefined
  for (let round = 0; round < members.length; round++) {
    for (const target of members) {
      dropCopy(s, target)
      for (const source of members) {
        if (source === target) continue
        member.readCopy(rules, s, target, source)
        member.writeCopy(rules, s, target)
        dropCopy(s, target)
      }
    }
  }
  const waiting = members.find((m) => get(s, memberAt(m) + M_OWN) !== 0)
  if (waiting === undefined) return undefined
  return `P6: ${"ABC"[waiting]} waits for a copy as long as its client lives`
}

const normalOf = (s: State): number => get(s, viewAt(get(s, clientAt(HEALER) + C_BASE)) + V_NORMAL)

/** Makes the last proposal effective, elects, and copies until nobody is dirty. */
function settle(rules: RuleTable, s: State): string | undefined {
  const v = get(s, VIEW_COUNT) - 1
  const joiners = get(s, viewAt(v) + V_JOINERS)
  for (const round of [joiners, ALL & ~joiners]) {
    for (let m = 0; m < MEMBERS; m++) {
      if ((round & (1 << m)) !== 0) member.receiveView(rules, s, v, m)
    }
  }
  if (!view.noticeEffective(rules, s, HEALER)) return "P3: a view does not become effective"
  for (let m = 0; m < MEMBERS; m++) view.elect(rules, s, HEALER, m)
  const broken = BROKEN_PROMISES[get(s, BROKEN)]
  if (broken) return `${broken} (after all came back)`
  for (let target = 0; target < MEMBERS; target++) {
    for (let source = 0; source < MEMBERS; source++) {
      if (source === target) continue
      member.readCopy(rules, s, target, source)
      member.writeCopy(rules, s, target)
    }
  }
  return undefined
}

function judge(s: State): string | undefined {
  for (let m = 0; m < MEMBERS; m++) {
    if (get(s, memberAt(m) + M_OWN) !== 0) {
      return "P3: a chunk stays dirty although every member is normal"
    }
  }
  const value = get(s, memberAt(0) + M_CACHE)
  for (let m = 1; m < MEMBERS; m++) {
    if (get(s, memberAt(m) + M_CACHE) !== value) return "P3: members differ after all came back"
  }
  if (writeOrder(s, value) < writeOrder(s, get(s, FLOOR))) {
    return `P1: acknowledged write ${get(s, FLOOR)} is gone after all came back`
  }
  return undefined
}
