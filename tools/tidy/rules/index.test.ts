/**
 * The table of rules: names are words for people, and none hides another.
 */
import { RULES } from "./index.js"

describe("rules", () => {
  it("have names that differ, in kebab-case, and a sentence each", () => {
    const names = RULES.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    for (const { name, title } of RULES) {
      expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/)
      expect(title.length).toBeGreaterThan(20)
    }
  })
})
