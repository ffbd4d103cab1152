import { AssertionError, RmrError } from "@rmr/core"
import type { Fixture } from "./clause.js"
import { clauseTitle, runAll } from "./clause.js"
import type { Lifecycle, Trait } from "./traits.js"
import { traitClauses } from "./traits.js"

/** A door: open, locked, or gone. */
type State = "open" | "locked" | "gone"
interface Door {
  pass(): Promise<void>
}
interface House {
  door(state: State): Door
}

const lifecycle: Lifecycle<House, State, Door> = {
  states: ["open", "locked", "gone"],
  enter: (house, state) => house.door(state),
}

const passing: Trait<House, State, Door> = {
  promise: "D1",
  operation: "passing",
  results: { open: "done", locked: "busy", gone: "refused" },
  run: (door) => door.pass(),
}

function house(pass: (state: State) => Promise<void>): Fixture<House> {
  return { open: () => ({ door: (state) => ({ pass: () => pass(state) }) }) }
}

async function goodDoor(state: State): Promise<void> {
  if (state === "locked") throw new RmrError("busy", "locked")
  if (state === "gone") throw new AssertionError("there is no door")
}

describe("traitClauses", () => {
  const clauses = traitClauses(lifecycle, [passing])

  it("makes one clause per state, titled by what must become of the operation", () => {
    expect(clauses.map(clauseTitle)).toEqual([
      "D1 passing while open: it is done",
      "D1 passing while locked: it fails with busy",
      "D1 passing while gone: it is refused by assertion",
    ])
  })

  it("passes a subject that does in each state what it must", async () => {
    const outcomes = await runAll(clauses, house(goodDoor))
    expect(outcomes.filter((outcome) => outcome.error !== undefined)).toEqual([])
  })

  it("fails in exactly the state whose result differs, and says both results", async () => {
    const late = async (state: State): Promise<void> => {
      if (state === "locked") throw new RmrError("deadline", "waited at the door")
      return goodDoor(state)
    }
    const outcomes = await runAll(clauses, house(late))
    expect(outcomes.map((outcome) => outcome.error?.message)).toEqual([
      undefined,
      "expected passing while locked: it fails with busy (in truth, it fails with deadline)",
      undefined,
    ])
  })

  it("does not take a crash for a refusal", async () => {
    const crash = async (): Promise<void> => {
      throw new TypeError("undefined is not a door")
    }
    const outcomes = await runAll(clauses, house(crash))
    expect(outcomes.map((outcome) => outcome.error?.name)).toEqual(Array(3).fill("TypeError"))
  })
})
