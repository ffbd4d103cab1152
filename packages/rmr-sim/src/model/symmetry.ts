/**
 * Members are interchangeable: a state with A and B swapped behaves as the state itself, with A and
 * B swapped. So only one of up to six such states is explored.
 *
 * The rules treat members alike except where they break a tie by the lower one (R6); the machine
 * tries every tied member there, so that nothing is lost by renaming.
 */
import {
  C_ANSWER_LAST_IO,
  C_ANSWER_OWN,
  C_ANSWER_RECORD,
  C_ANSWER_SEEN,
  C_ANSWERED,
  C_LIMIT,
  CLIENTS,
  clientAt,
  FLUSH_ON,
  get,
  M_EPOCH,
  M_LAST_IO,
  M_MARKS,
  M_STAMPS,
  M_WEAK,
  MEMBER_BYTES,
  MEMBERS,
  memberAt,
  STATE_BYTES,
  type State,
  V_JOINERS,
  V_NORMAL,
  V_PERSISTED,
  V_SUSPECTS,
  V_THROUGH,
  VIEW_COUNT,
  viewAt,
  W_DELIVERED,
  W_DONE,
  W_FENCED,
  W_FLAGS,
  W_MISSED,
  WRITE_COUNT,
  writeAt,
} from "./state.js"

/** `order[new] = old`: who stands at each place afterwards. */
export type Order = readonly [number, number, number]

export const ORDERS: readonly Order[] = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
]

/** For each order, what becomes of each mask of members. */
const MASKS: readonly Uint8Array[] = ORDERS.map((order) => {
  const table = new Uint8Array(8)
  for (let mask = 0; mask < 8; mask++) {
    for (let place = 0; place < MEMBERS; place++) {
      if ((mask & (1 << (order[place] as number))) !== 0) {
        table[mask] = (table[mask] as number) | (1 << place)
      }
    }
  }
  return table
})

const best: State = new Uint8Array(STATE_BYTES)
const candidate: State = new Uint8Array(STATE_BYTES)

/** Replaces the state by the chosen one among its renamings. */
export function canonicalize(s: State): void {
  let isFound = false
  for (let i = 0; i < ORDERS.length; i++) {
    const order = ORDERS[i] as Order
    if (compareMembers(s, order[0], order[1]) > 0) continue
    if (compareMembers(s, order[1], order[2]) > 0) continue
    rename(s, order, MASKS[i] as Uint8Array, candidate)
    if (!isFound || isLess(candidate, best)) best.set(candidate)
    isFound = true
  }
  s.set(best)
}

/** The same state with the members renamed. */
export function renamed(s: State, order: Order): State {
  const into: State = new Uint8Array(STATE_BYTES)
  rename(s, order, MASKS[ORDERS.indexOf(order)] as Uint8Array, into)
  return into
}

/** Orders members by what needs no renaming. */
function compareMembers(s: State, a: number, b: number): number {
  const left = memberAt(a)
  const right = memberAt(b)
  for (let i = M_EPOCH; i <= M_LAST_IO; i++) {
    const difference = get(s, left + i) - get(s, right + i)
    if (difference !== 0) return difference
  }
  return 0
}

function isLess(a: State, b: State): boolean {
  for (let i = 0; i < STATE_BYTES; i++) {
    if (a[i] !== b[i]) return (a[i] as number) < (b[i] as number)
  }
  return false
}

function rename(s: State, order: Order, masks: Uint8Array, into: State): void {
  into.set(s)
  renameMask(s, FLUSH_ON, masks, into)
  for (let v = 0; v < get(s, VIEW_COUNT); v++) {
    const at = viewAt(v)
    for (const field of [V_NORMAL, V_SUSPECTS, V_PERSISTED, V_JOINERS]) {
      renameMask(s, at + field, masks, into)
    }
    reorder(s, at + V_THROUGH, order, into)
  }
  for (let w = 1; w <= get(s, WRITE_COUNT); w++) {
    const at = writeAt(w)
    for (const field of [W_DONE, W_MISSED]) renameMask(s, at + field, masks, into)
    for (const field of [W_DELIVERED, W_FENCED]) renamePair(s, at + field, masks, into)
    const flags = get(s, at + W_FLAGS)
    into[at + W_FLAGS] = (flags & 15) | ((masks[flags >> 4] as number) << 4)
  }
  for (let place = 0; place < MEMBERS; place++) renameMember(s, place, order, masks, into)
  for (let c = 0; c < CLIENTS; c++) {
    const at = clientAt(c)
    renameMask(s, at + C_LIMIT, masks, into)
    renamePair(s, at + C_ANSWERED, masks, into)
    for (const field of [C_ANSWER_RECORD, C_ANSWER_SEEN, C_ANSWER_LAST_IO, C_ANSWER_OWN]) {
      reorder(s, at + field, order, into)
    }
  }
}

function renameMember(s: State, place: number, order: Order, masks: Uint8Array, into: State): void {
  const from = memberAt(order[place] as number)
  const to = memberAt(place)
  for (let i = 0; i < MEMBER_BYTES; i++) into[to + i] = get(s, from + i)
  into[to + M_MARKS] = pairOf(get(s, from + M_MARKS), masks)
  into[to + M_WEAK] = masks[get(s, from + M_WEAK)] as number
  for (let x = 0; x < MEMBERS; x++) {
    into[to + M_STAMPS + x] = get(s, from + M_STAMPS + (order[x] as number))
  }
}

function renameMask(s: State, at: number, masks: Uint8Array, into: State): void {
  into[at] = masks[get(s, at)] as number
}

function renamePair(s: State, at: number, masks: Uint8Array, into: State): void {
  into[at] = pairOf(get(s, at), masks)
}

/** Two masks in one byte. */
function pairOf(byte: number, masks: Uint8Array): number {
  return (masks[byte & 7] as number) | ((masks[byte >> 4] as number) << 4)
}

function reorder(s: State, at: number, order: Order, into: State): void {
  for (let place = 0; place < MEMBERS; place++) {
    into[at + place] = get(s, at + (order[place] as number))
  }
}
