/**
 * Promises and tests: a promise without a test and a citation without a promise are both found.
 */
import { findingsOf } from "./findings.js"
import { promisePairs } from "./promises.js"

const TRANSPORT = "packages/rmr-core/src/ports/transport.ts"
const STORE = "packages/rmr-core/src/ports/store.ts"
const SUITE = "packages/rmr-testkit/src/contract/transport/dial.ts"
const TEST = "packages/rmr-client/src/a.test.ts"

const pages = {
  "docs/RULES.md": "- **V1** The view. **V4b** a joiner.\n- **S2** A sync read.",
  "docs/PROMISES.md": "- **P1 Durable.** A write",
  "docs/HAZARDS.md": "### RT-2. Something",
}

const test = (title: string): string => `it(${JSON.stringify(title)}, () => {})`
const cites = (title: string): string[] =>
  findingsOf(promisePairs, { ...pages, [TEST]: test(title) })

describe("promise-pairs", () => {
  it("misses the test of a promise", () => {
    const texts = {
      [TRANSPORT]: "/** - **T1** Meets.\n - **T2** Fails. */",
      [TEST]: test("T1 meets"),
    }
    expect(findingsOf(promisePairs, texts)).toEqual([`${TRANSPORT}:0 no test begins with T2`])
  })

  it("takes a clause of a contract suite for a test", () => {
    const texts = {
      [TRANSPORT]: "/** - **T1** Meets. */",
      [SUITE]: 'export const c = { promise: "T1", title: "x", run() {} }',
    }
    expect(findingsOf(promisePairs, texts)).toEqual([])
  })

  it("does not take a mutant's entry or a number inside a title for a test", () => {
    const texts = {
      [TRANSPORT]: "/** - **T1** Meets. */",
      [TEST]: `const m = { promise: "T1", title: "x" }\n${test("breaks T1")}`,
    }
    expect(findingsOf(promisePairs, texts)).toEqual([`${TRANSPORT}:0 no test begins with T1`])
  })

  it("takes only tests about stores for proofs of the store's promises", () => {
    const port = { [STORE]: "/** - **S2** Zero. */" }
    expect(findingsOf(promisePairs, { ...port, [TEST]: test("S2 sync read") })).toHaveLength(1)
    const suite = "packages/rmr-testkit/src/contract/store/zero.ts"
    const texts = { ...port, [suite]: 'const c = { promise: "S2" }' }
    expect(findingsOf(promisePairs, texts)).toEqual([])
  })

  it.each(["V1 x", "V1: x", "V1, P1 x", "V4b x", "P1 and V1: x", "RT-2 x", "S2: x", "V1's range"])(
    "knows what %s cites",
    (title) => {
      expect(cites(title)).toEqual([])
    },
  )

  it.each(["V2 x", "V2: x", "V1, P9: x", "V4c x", "RT-3: x", "V1/V9 x", "P1 + V7 x"])(
    "finds that something %s cites does not exist",
    (title) => {
      expect(cites(title)).toHaveLength(1)
    },
  )

  it.each(["U32 overflows", "a V9 is fine inside", "Vx1", "NBD2 is another family"])(
    "does not take %s for a citation",
    (title) => {
      expect(cites(title)).toEqual([])
    },
  )

  it("reads titles of templates and of tests over tables", () => {
    const text = "it(`V9 of $" + "{x}`, () => {})\nit.each([1])('V8 %d', () => {})"
    expect(findingsOf(promisePairs, { ...pages, [TEST]: text })).toHaveLength(2)
  })
})
