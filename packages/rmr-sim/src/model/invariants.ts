/**
 * What must hold in every state: P1 and P2 as what a reader would get, P4 as agreement of clean
 * copies.
 *
 * Reads need no messages here. A read is served in one state by one member; so it is enough to ask,
 * in every state, what each member would answer to each client that may still believe that it holds
 * the pool.
 */
import { allowedNormal } from "@rmr/core"
import { admissionOf } from "./member-steps.js"
import type { RuleTable } from "./rule-table.js"
import {
  BROKEN,
  BROKEN_PROMISES,
  C_BASE,
  C_EPOCH,
  C_PHASE,
  CLIENTS,
  clientAt,
  F_RESUMED,
  FLOOR,
  get,
  hasFlag,
  M_CACHE,
  M_EPOCH,
  M_OWN,
  MEMBERS,
  memberAt,
  PHASE_HOLDER,
  type State,
  unresolvedOf,
  V_CREATOR,
  viewAt,
  writeOrder,
} from "./state.js"
import { chainOf, isSettled } from "./view-steps.js"

export function checkState(rules: RuleTable, s: State, minNormal: number): string | undefined {
  const broken = BROKEN_PROMISES[get(s, BROKEN)]
  if (broken) return broken
  for (let c = 0; c < CLIENTS; c++) {
    if (get(s, clientAt(c) + C_PHASE) !== PHASE_HOLDER) continue
    const base = get(s, clientAt(c) + C_BASE)
    if (get(s, viewAt(base) + V_CREATOR) !== c) continue
    const message = checkReads(rules, s, c, minNormal)
    if (message !== undefined) return message
  }
  return undefined
}

/** Members that would answer a read of this client from their own clean chunk. */
function servers(rules: RuleTable, s: State, c: number): number[] {
  const chain = chainOf(s, c)
  const readable = allowedNormal(chain)
  const found: number[] = []
  for (let m = 0; m < MEMBERS; m++) {
    if ((readable & (1 << m)) === 0) continue
    const verdict = rules.judgeRequest(admissionOf(s, m), {
      epoch: get(s, clientAt(c) + C_EPOCH),
      nonce: c,
      view: chain.base,
      sessionGeneration: hasFlag(s, m, F_RESUMED) ? 1 : 0,
    })
    if (verdict === "admit" && get(s, memberAt(m) + M_OWN) === 0) found.push(m)
  }
  return found
}

function checkReads(rules: RuleTable, s: State, c: number, minNormal: number): string | undefined {
  const readable = servers(rules, s, c)
  if (readable.length === 0) return undefined
  // F7: a read counts when enough members of the view still know this client as the holder.
  let confirming = 0
  const normal = allowedNormal(chainOf(s, c))
  for (let m = 0; m < MEMBERS; m++) {
    const isHeld = get(s, memberAt(m) + M_EPOCH) === get(s, clientAt(c) + C_EPOCH)
    if ((normal & (1 << m)) !== 0 && isHeld) confirming++
  }
  if (rules.readsAreConfirmed && confirming < minNormal) return undefined
  const floor = writeOrder(s, get(s, FLOOR))
  for (const m of readable) {
    if (writeOrder(s, get(s, memberAt(m) + M_CACHE)) < floor) {
      const write = get(s, FLOOR)
      return `P2: ${"ABC"[m]} would serve C${c} bytes older than acknowledged write ${write}`
    }
  }
  if (!isSettled(s, c) || unresolvedOf(s, c) !== 0) return undefined
  const values = new Set(readable.map((m) => get(s, memberAt(m) + M_CACHE)))
  if (values.size > 1) return "P4: clean copies of one view differ with nothing in flight"
  return undefined
}
