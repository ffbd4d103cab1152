/**
 * The pool model itself: that renaming is sound, and that small bounds behave. `pnpm model`
 * explores.
 */
import { boundOf, freshPool, returnedPool } from "./bounds.js"
import { explore } from "./explorer.js"
import { PoolMachine } from "./machine.js"
import { MUTANTS } from "./mutants.js"
import { RULES } from "./rule-table.js"
import { ALL, type State } from "./state.js"
import { canonicalize, ORDERS, renamed } from "./symmetry.js"

const bound = boundOf({ name: "walk", restarts: 1, misses: 1, initial: () => freshPool(ALL) })

/** Successors of the state, as text, up to renaming. */
function successors(machine: PoolMachine, state: State): Set<string> {
  const found = new Set<string>()
  machine.expand(state, (_, next) => {
    const copy = next.slice()
    canonicalize(copy)
    found.add(copy.join())
  })
  return found
}

describe("renaming members", () => {
  it("gives every renaming of a state one representative, and the same successors", () => {
    const machine = new PoolMachine(RULES, bound)
    let seed = 12345
    for (let walk = 0; walk < 40; walk++) {
      let state: State = walk % 2 === 0 ? freshPool(ALL) : returnedPool()
      for (let step = 0; step < 14; step++) {
        const expected = state.slice()
        canonicalize(expected)
        const next = successors(machine, state)
        for (const order of ORDERS) {
          const other = renamed(state, order)
          expect(successors(machine, other)).toEqual(next)
          canonicalize(other)
          expect(other).toEqual(expected)
        }
        const all: State[] = []
        machine.expand(state, (_, s) => all.push(s.slice()))
        if (all.length === 0) break
        seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
        state = all[seed % all.length] as State
      }
    }
  })
})

describe("the model", () => {
  it("explores one further view without a violation, and tells how far it went", () => {
    const small = boundOf({ name: "small", furtherViews: 1, initial: () => freshPool(ALL) })
    const result = explore(new PoolMachine(RULES, small), { statesMax: 100_000 })
    expect(result.violation?.trace).toBeUndefined()
    expect(result.isComplete).toBe(true)
    expect(result.states).toBeGreaterThan(500)
  })

  it("F4 tells the schedule by which a fenced client loses a write, step by step", () => {
    const mutant = MUTANTS.find((candidate) => candidate.name.startsWith("F4"))
    if (mutant === undefined) throw new Error("no mutant of F4")
    const result = explore(new PoolMachine(mutant.rules, mutant.bound), { statesMax: 100_000 })
    expect(result.violation?.message).toContain("P1")
    expect(result.violation?.trace.join("\n")).toContain("takes the OPEN of C1")
    expect(result.violation?.trace.at(-1)).toBe("C0 acknowledges its write")
  })

  it("every mutant names a rule, and no two the same absence", () => {
    const names = MUTANTS.map((mutant) => mutant.name)
    expect(new Set(names).size).toBe(names.length)
    for (const rule of ["V3", "V2", "F1", "F4", "M2", "R3", "R6"]) {
      expect(names.some((name) => name.startsWith(rule))).toBe(true)
    }
  })
})
