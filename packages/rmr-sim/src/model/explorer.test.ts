/** The explorer on a machine small enough to know every answer. */
import { explore, FingerprintTable, type Machine } from "./explorer.js"

/** Two counters, 0…9 each; a step raises one of them, or swaps both. */
class Counters implements Machine {
  readonly stateBytes = 2
  readonly #forbidden: number

  constructor(forbidden: number) {
    this.#forbidden = forbidden
  }

  initial(): Uint8Array[] {
    return [new Uint8Array(2)]
  }

  expand(state: Uint8Array, emit: (label: number, next: Uint8Array) => void): void {
    for (const at of [0, 1]) {
      const next = state.slice()
      next[at] = (next[at] as number) + 1
      if ((next[at] as number) < 10) emit(at, next)
    }
  }

  check(state: Uint8Array): string | undefined {
    const sum = (state[0] as number) + (state[1] as number)
    return sum === this.#forbidden ? `the sum is ${sum}` : undefined
  }

  describe(label: number): string {
    return `raise ${label === 0 ? "left" : "right"}`
  }

  /** Which counter is which does not matter. */
  canonicalize(state: Uint8Array): void {
    state.sort()
  }
}

describe("explore", () => {
  it("sees every state once, up to renaming", () => {
    const result = explore(new Counters(99), { statesMax: 1000 })
    expect(result).toMatchObject({ states: 55, isComplete: true, violation: undefined, depth: 18 })
  })

  it("tells the shortest schedule to a violation", () => {
    const result = explore(new Counters(3), { statesMax: 1000 })
    expect(result.isComplete).toBe(false)
    expect(result.violation).toMatchObject({ message: "the sum is 3" })
    expect(result.violation?.trace).toHaveLength(3)
  })

  it("does not call a search complete that it gave up", () => {
    expect(explore(new Counters(99), { statesMax: 10 })).toMatchObject({ isComplete: false })
  })
})

it("a fingerprint table knows what it has seen, also after growing", () => {
  const table = new FingerprintTable()
  const state = new Uint8Array(4)
  const view = new DataView(state.buffer)
  for (const isNew of [true, false]) {
    for (let i = 0; i < 100_000; i++) {
      view.setUint32(0, i)
      if (table.add(state) !== isNew) throw new Error(`state ${i} is ${isNew ? "not new" : "new"}`)
    }
  }
  expect(table.count).toBe(100_000)
})
