/**
 * The transport suite is tested too: each broken transport is noticed by the promise that it
 * breaks, and the frame that the defects are put in is noticed by none.
 */
import { brokenPromises, runAll } from "../src/contract/index.js"
import { transportClauses } from "../src/contract/transport/index.js"
import { connectingMutants } from "./transport-mutants-connecting.js"
import { endingMutants } from "./transport-mutants-ending.js"
import { exchangingMutants } from "./transport-mutants-exchanging.js"
import { holdingMutants } from "./transport-mutants-holding.js"
import { simTransportHarness } from "./transport-sim-harness.js"
import { withDefect } from "./transport-wrap.js"

const SEED = "mutants"
const LIMIT_MS = 60_000
const MUTANTS = [...connectingMutants, ...exchangingMutants, ...holdingMutants, ...endingMutants]

describe("the transport suite", () => {
  it(
    "finds nothing in a transport whose wrapper changes nothing",
    async () => {
      const outcomes = await runAll(transportClauses(), {
        open: () => simTransportHarness({ seed: SEED, wrap: (inner) => withDefect(inner, {}) }),
      })
      const failed = outcomes.filter(({ error }) => error !== undefined)
      expect(failed.map(({ clause, error }) => `${clause.title}: ${error?.message}`)).toEqual([])
    },
    LIMIT_MS,
  )

  it.each(MUTANTS.map((mutant) => [mutant.promise, mutant.does, mutant] as const))(
    "%s notices a transport that %s",
    async (promise, _does, { make, options }) => {
      const clauses = transportClauses().filter((clause) => clause.promise === promise)
      const outcomes = await runAll(clauses, {
        open: () =>
          simTransportHarness({
            seed: SEED,
            ...(options === undefined ? {} : { transport: options }),
            wrap: (inner, network) => withDefect(inner, make(network)),
          }),
      })
      expect(brokenPromises(outcomes)).toEqual([promise])
    },
    LIMIT_MS,
  )

  it("has a broken transport for every promise that it tests", () => {
    const broken = new Set(MUTANTS.map((mutant) => mutant.promise))
    const tested = new Set(transportClauses().map((clause) => clause.promise))
    expect([...tested].filter((promise) => !broken.has(promise))).toEqual([])
  })
})
