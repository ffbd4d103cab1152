/**
 * The store suite has teeth: each of these stores is broken in one way, and the promise that it
 * breaks notices. A suite that only sound stores have passed is only hope.
 */
import { runAll } from "../src/contract/clause.js"
import { storeClauses } from "../src/contract/store/index.js"
import { memoryHarness } from "./store-harness.js"
import { DATA_MUTANTS } from "./store-mutants-data.js"
import { METADATA_MUTANTS } from "./store-mutants-metadata.js"

jest.setTimeout(30_000)

const MUTANTS = [...DATA_MUTANTS, ...METADATA_MUTANTS]

describe("the store suite", () => {
  it.each(MUTANTS)("notices a store that $title, by $breaks", async ({ breaks, harness }) => {
    const clauses = storeClauses().filter((clause) => clause.promise === breaks)
    const open = () => memoryHarness({ seed: 9, store: { latencyMs: [0, 1] }, ...harness })
    const broken = (await runAll(clauses, { open })).filter(({ error }) => error !== undefined)
    expect(broken.length).toBeGreaterThan(0)
    for (const { error } of broken) expect(error).not.toBeInstanceOf(TypeError)
  })

  it("has a mutant for every promise", () => {
    const promises = new Set(storeClauses().map(({ promise }) => promise))
    expect([...new Set(MUTANTS.map(({ breaks }) => breaks))].sort()).toEqual([...promises].sort())
  })
})

describe("a power that is declared absent", () => {
  const absent = { powerCut: "nobody cuts the power here" }
  const statements = storeClauses(absent).filter(({ title }) => title.includes("nobody cuts"))

  it("takes the place of every clause that needs it, with its reason", () => {
    expect(statements.map(({ title }) => title)).toEqual([
      expect.stringMatching(/^S1, S6, .*not shown where powerCut is needed, because nobody cuts/),
    ])
    expect(storeClauses(absent).length).toBeLessThan(storeClauses().length)
  })

  it("is held to be absent: a place that has it breaks the clause", async () => {
    const kept = await runAll(statements, { open: () => memoryHarness({ absent }) })
    expect(kept.map(({ error }) => error)).toEqual([undefined])
    const broken = await runAll(statements, { open: () => memoryHarness() })
    expect(broken[0]?.error?.message).toContain("no power powerCut")
  })
})
