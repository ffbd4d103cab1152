/**
 * Every machine, exhaustively: all pairs of states, all events, against matrices written down here
 * independently of the tables, and the shape that every table must have.
 */
import { AssertionError } from "../assert.js"
import { LEG_MACHINE, LEG_STATES, SYNC_LEG_MACHINE } from "./leg-state.js"
import { MAP_UPDATE_MACHINE, MAP_UPDATE_STATES } from "./map-update-state.js"
import { SERVER_POOL_MACHINE, SERVER_POOL_STATES } from "./server-pool-state.js"
import {
  explain,
  isFinalState,
  isLegalMove,
  StateCell,
  type StateMachine,
} from "./state-machine.js"
import { STORE_LIFECYCLE_MACHINE, STORE_LIFECYCLE_STATES } from "./store-lifecycle.js"

type AnyMachine = StateMachine<string, string>

interface Subject {
  readonly machine: AnyMachine
  readonly states: readonly string[]
  /** `from: every state it may become`, as the design says it. */
  readonly legal: Readonly<Record<string, string>>
  readonly final: readonly string[]
}

const subjects: readonly Subject[] = [
  {
    machine: LEG_MACHINE,
    states: LEG_STATES,
    legal: {
      created: "normal reconnecting failed removing",
      normal: "failed reconnecting removing",
      failed: "reconnecting removing",
      reconnecting: "normal failed removing",
      removing: "",
    },
    final: ["removing"],
  },
  {
    machine: SYNC_LEG_MACHINE,
    states: ["created", "normal", "failed", "removing"],
    legal: {
      created: "normal failed removing",
      normal: "failed removing",
      failed: "normal removing",
      removing: "",
    },
    final: ["removing"],
  },
  {
    machine: SERVER_POOL_MACHINE,
    states: SERVER_POOL_STATES,
    legal: {
      empty: "registered",
      registered: "created no-io empty",
      created: "normal no-io",
      normal: "no-io",
      "no-io": "normal registered empty",
    },
    final: [],
  },
  {
    machine: MAP_UPDATE_MACHINE,
    states: MAP_UPDATE_STATES,
    legal: { disabled: "ready", ready: "done disabled", done: "ready disabled" },
    final: [],
  },
  {
    machine: STORE_LIFECYCLE_MACHINE,
    states: STORE_LIFECYCLE_STATES,
    legal: { closed: "open", open: "mapped closed", mapped: "open closed" },
    final: [],
  },
]

/**
 * A cell that was led to `target` by legal moves, breadth first; undefined where none leads there.
 */
function cellIn(machine: AnyMachine, target: string): StateCell<string, string> | undefined {
  const paths = new Map<string, readonly [to: string, event: string][]>([[machine.initial, []]])
  for (const [state, path] of paths) {
    for (const move of machine.moves) {
      if (move.from === state && !paths.has(move.to)) {
        paths.set(move.to, [...path, [move.to, move.on[0] as string]])
      }
    }
  }
  const path = paths.get(target)
  if (path === undefined) return undefined
  const cell = new StateCell(machine, 0)
  for (const [to, event] of path) cell.transition(to, event, 0)
  return cell
}

describe.each(subjects)("$machine.name", ({ machine, states, legal, final }) => {
  const events = Object.keys(machine.events)

  it("lists its states once, in the order they are told", () => {
    expect(Object.keys(machine.states)).toEqual(states)
  })

  it("reaches every state from the initial one", () => {
    expect(states.filter((state) => cellIn(machine, state) === undefined)).toEqual([])
  })

  it("has one move for each pair, none to itself, and no reason twice", () => {
    const pairs = machine.moves.map((move) => `${move.from} → ${move.to}`)
    expect(new Set(pairs).size).toBe(pairs.length)
    expect(machine.moves.filter((move) => move.from === move.to)).toEqual([])
    expect(machine.moves.filter((move) => new Set(move.on).size !== move.on.length)).toEqual([])
    expect(machine.moves.filter((move) => move.on.length === 0)).toEqual([])
  })

  it("uses every event", () => {
    const used = new Set(machine.moves.flatMap((move) => move.on))
    expect(events.filter((event) => !used.has(event))).toEqual([])
  })

  it("moves between exactly the pairs that the design lists", () => {
    const listed = states.map((from) => [
      from,
      states
        .filter((to) => events.some((event) => isLegalMove(machine, from, to, event)))
        .sort()
        .join(" "),
    ])
    const designed = states.map((from) => [from, (legal[from] ?? "").split(" ").sort().join(" ")])
    expect(listed).toEqual(designed)
  })

  it("ends only where the design says", () => {
    expect(states.filter((state) => isFinalState(machine, state))).toEqual(final)
  })

  it("takes every legal move and refuses every other, for all pairs and events", () => {
    let taken = 0
    let refused = 0
    for (const from of states) {
      for (const to of states) {
        for (const event of events) {
          const cell = cellIn(machine, from) as StateCell<string, string>
          if (isLegalMove(machine, from, to, event)) {
            cell.transition(to, event, 1)
            expect([cell.state, cell.event, cell.sinceMs]).toEqual([to, event, 1])
            taken++
          } else {
            expect(() => cell.transition(to, event, 1)).toThrow(AssertionError)
            expect([cell.state, cell.sinceMs]).toEqual([from, 0])
            refused++
          }
        }
      }
    }
    expect(taken).toBe(machine.moves.reduce((sum, move) => sum + move.on.length, 0))
    expect(taken + refused).toBe(states.length * states.length * events.length)
  })

  it("P11: every state and event speaks one whole sentence", () => {
    for (const state of states) {
      const cell = cellIn(machine, state) as StateCell<string, string>
      const { why, next, help } = explain(cell)
      for (const text of [why, next, help, machine.states[state]?.meaning]) {
        expect(text).toMatch(/^[A-Z`][^.]*[^. ]\.$/)
      }
    }
    for (const text of Object.values(machine.events)) expect(text).toMatch(/^[A-Z][^.]*[^. ]\.$/)
  })
})

describe("what the rules ask of the tables", () => {
  it("Q10: a leg never goes failed → normal, for whatever reason; a sync leg does", () => {
    const asLeg = Object.keys(LEG_MACHINE.events) as (keyof typeof LEG_MACHINE.events)[]
    expect(asLeg.filter((event) => isLegalMove(LEG_MACHINE, "failed", "normal", event))).toEqual([])
    expect(isLegalMove(SYNC_LEG_MACHINE, "failed", "normal", "answered")).toBe(true)
  })

  it("G2, R8: a normal leg becomes reconnecting for maintenance, or a pool opened anew", () => {
    const move = LEG_MACHINE.moves.find(
      ({ from, to }) => from === "normal" && to === "reconnecting",
    )
    expect(move?.on).toEqual(["maintenance", "reopening"])
  })

  it("W5: a server pool stops IO and drains before it leaves, reopens or loses its store", () => {
    const ways = SERVER_POOL_MACHINE.moves.filter(({ from }) => from === "normal")
    expect(ways.map(({ to }) => to)).toEqual(["no-io"])
    expect(ways[0]?.on).toEqual(expect.arrayContaining(["open", "rejoin", "leaving"]))
  })

  it("V5, V6, M3: IO begins only by a start, a resume or a rejoin", () => {
    const reasons = SERVER_POOL_MACHINE.moves
      .filter(({ to }) => to === "normal")
      .flatMap(({ on }) => on)
    expect([...new Set(reasons)].sort()).toEqual(["rejoined", "resumed", "started"])
  })

  it("V6: a created server pool has nothing to resume", () => {
    expect(isLegalMove(SERVER_POOL_MACHINE, "created", "normal", "resumed")).toBe(false)
  })

  it("M3: a map update that is given up leads nowhere but to disabled", () => {
    for (const { to, on } of MAP_UPDATE_MACHINE.moves) {
      if (on.includes("map-disable")) expect(to).toBe("disabled")
    }
  })
})
