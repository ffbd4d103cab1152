/**
 * Tests that do not run are found; the one honest skip is not.
 */
import { findingsOf } from "./findings.js"
import { runningTests } from "./tests.js"

const inTest = (text: string): string[] => findingsOf(runningTests, { "a.test.ts": text })
const skip = ["it", "skip"].join(".")

describe("running-tests", () => {
  it.each([
    ["only", `${["it", "only"].join(".")}("x", () => {})`],
    ["only of a table", `${["it", "only"].join(".")}.each([1])("x", () => {})`],
    ["only of a group", `${["describe", "only"].join(".")}("x", () => {})`],
    ["an intention", `${["it", "todo"].join(".")}("x")`],
    ["a short form", `${["x", "it("].join("")}"x", () => {})`],
    ["another short form", `${["f", "describe("].join("")}"x", () => {})`],
    ["a skip", `${skip}("x", () => {})`],
    ["a skip without a reason", `if (a) ${skip}("x", () => {})`],
    ["a skip without a condition", `${skip}("x (skipped: no device)", () => {})`],
  ])("finds %s", (_, text) => {
    expect(inTest(text)).toHaveLength(1)
  })

  it("takes a skip that is conditional and says why", () => {
    const title = "x (skipped: $" + "{why})"
    expect(inTest(`if (why) ${skip}(\`${title}\`, () => {})`)).toEqual([])
    expect(inTest(`why ? ${skip}("x (skipped: no device)", f) : it("x", f)`)).toEqual([])
  })

  it("takes other things of these names for what they are", () => {
    expect(inTest("iterator.skip(3)\nlist.only(x)\nit('x', () => {})")).toEqual([])
  })
})
