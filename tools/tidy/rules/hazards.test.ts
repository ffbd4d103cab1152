/** Hazards and their tests: a test that is not there, or does not name its hazard, is found. */
import { findingsOf } from "./findings.js"
import { toldHazards } from "./hazards.js"

const PAGE = "docs/HAZARDS.md"
const TEST = "packages/rmr-sim/src/scenarios/sync.test.ts"

function found(section: string, text: string): string[] {
  return findingsOf(toldHazards, { [PAGE]: section, [TEST]: text })
}

describe("told-hazards", () => {
  it("is content with a test that names its hazard, by a part of its path or all of it", () => {
    const text = 'it("P1: RT-3: is told", () => {})'
    expect(found("### RT-3. A write\n\nTold in `scenarios/sync.test.ts`.", text)).toEqual([])
    expect(found(`### RT-3. A write\n\nTold in \`${TEST}\`.`, text)).toEqual([])
  })

  it("finds a test that is not there", () => {
    const said = found("### RT-3. A write\n\nTold in `other.test.ts`.", "RT-3")
    expect(said).toEqual([`${PAGE}:3 there is no other.test.ts`])
  })

  it("takes no part of a name for it", () => {
    const said = found("### RT-3. A write\n\nTold in `c.test.ts`.", "RT-3")
    expect(said).toEqual([`${PAGE}:3 there is no c.test.ts`])
  })

  it("finds each hazard of a section that its test does not name", () => {
    const said = found("### RT-3, RT-4. A write\n\nTold in `sync.test.ts`.", "RT-4 RT-31")
    expect(said).toEqual([`${PAGE}:3 sync.test.ts does not name RT-3`])
  })

  it("asks nothing of what stands in no hazard's section", () => {
    const said = found("### RT-3. A write\n\n## How\n\nSee `sync.test.ts`.", "")
    expect(said).toEqual([])
  })
})
