/**
 * The cell, on a small machine of its own: what it checks, what it remembers, whom it tells.
 */
import { AssertionError } from "../assert.js"
import {
  explain,
  freezeMachine,
  isFinalState,
  StateCell,
  type StateMachine,
} from "./state-machine.js"

type Light = "off" | "on" | "broken"
type Cause = "pressed" | "burnt-out"

const light: StateMachine<Light, Cause> = freezeMachine({
  name: "light",
  initial: "off",
  states: {
    off: { meaning: "It is dark.", next: "Nothing.", help: "Press." },
    on: { meaning: "It shines.", next: "It burns out.", help: "Press." },
    broken: { meaning: "It is broken.", next: "Nothing.", help: "Buy one." },
  },
  events: { pressed: "Somebody pressed.", "burnt-out": "It was old." },
  moves: [
    { from: "off", to: "on", on: ["pressed"] },
    { from: "on", to: "off", on: ["pressed"] },
    { from: "on", to: "broken", on: ["burnt-out"] },
  ],
})

describe("StateCell", () => {
  it("starts in the initial state, since the time it was handed, for no event", () => {
    const cell = new StateCell(light, 7)
    expect([cell.state, cell.sinceMs, cell.event, cell.detail]).toEqual(["off", 7, undefined, ""])
  })

  it("P11: remembers since when and why", () => {
    const cell = new StateCell(light, 0)
    cell.transition("on", "pressed", 10)
    cell.transition("broken", "burnt-out", 25.5, "after 15 ms")
    expect(explain(cell)).toEqual({
      state: "broken",
      sinceMs: 25.5,
      why: "It was old: after 15 ms.",
      next: "Nothing.",
      help: "Buy one.",
    })
  })

  it("P11: explains the initial state by its meaning, for nothing has happened yet", () => {
    expect(explain(new StateCell(light, 3)).why).toBe("It is dark.")
  })

  it("refuses a legal pair of states for the wrong reason, and stays as it was", () => {
    const cell = new StateCell(light, 0)
    cell.transition("on", "pressed", 1)
    expect(() => cell.transition("broken", "pressed", 2)).toThrow(AssertionError)
    expect([cell.state, cell.sinceMs, cell.event]).toEqual(["on", 1, "pressed"])
  })

  it("refuses to stand still: a state is not entered twice", () => {
    expect(() => new StateCell(light, 0).transition("off", "pressed", 1)).toThrow(
      "a light does not go off → off on pressed",
    )
  })

  it("refuses time that runs backwards", () => {
    const cell = new StateCell(light, 5)
    expect(() => cell.transition("on", "pressed", 4)).toThrow(AssertionError)
    expect(cell.state).toBe("off")
  })

  it("tells observers after the move, in order, with the state it came from", () => {
    const cell = new StateCell(light, 0)
    const told: string[] = []
    cell.observe((view, from) => told.push(`first ${from} → ${view.state} on ${view.event}`))
    cell.observe((view, from) => told.push(`second ${from} → ${view.state} at ${view.sinceMs}`))
    cell.transition("on", "pressed", 4)
    expect(told).toEqual(["first off → on on pressed", "second off → on at 4"])
  })

  it("does not tell an observer about a move that was refused", () => {
    const cell = new StateCell(light, 0)
    let told = 0
    cell.observe(() => told++)
    expect(() => cell.transition("broken", "burnt-out", 1)).toThrow(AssertionError)
    expect(told).toBe(0)
  })

  it("stops telling an observer that left, registered twice or leaving meanwhile", () => {
    const cell = new StateCell(light, 0)
    const told: string[] = []
    const run = (): void => void told.push("told")
    const stopOnce = cell.observe(run)
    cell.observe(run)
    const stopLeaver = cell.observe(() => {
      told.push("leaver")
      stopLeaver()
    })
    stopOnce()
    stopOnce()
    cell.transition("on", "pressed", 1)
    cell.transition("off", "pressed", 2)
    expect(told).toEqual(["told", "leaver", "told"])
  })

  it("does not let an observer move it: the others would see the moves in another order", () => {
    const cell = new StateCell(light, 0)
    cell.observe(() => cell.transition("off", "pressed", 1))
    expect(() => cell.transition("on", "pressed", 1)).toThrow(
      "an observer of a light may not move it",
    )
    expect(cell.state).toBe("on")
  })

  it("can move again after an observer threw", () => {
    const cell = new StateCell(light, 0)
    const stop = cell.observe(() => {
      throw new Error("a defect of the observer")
    })
    expect(() => cell.transition("on", "pressed", 1)).toThrow("a defect of the observer")
    stop()
    cell.transition("broken", "burnt-out", 2)
    expect(cell.state).toBe("broken")
  })
})

describe("freezeMachine", () => {
  it("freezes to the leaves", () => {
    const parts = [
      light,
      light.states,
      light.states.on,
      light.events,
      light.moves,
      ...light.moves,
      ...light.moves.map((move) => move.on),
    ]
    expect(parts.filter((part) => !Object.isFrozen(part))).toEqual([])
  })
})

describe("isFinalState", () => {
  it("is one that nothing leads out of", () => {
    expect((["off", "on", "broken"] as const).filter((one) => isFinalState(light, one))).toEqual([
      "broken",
    ])
  })
})
