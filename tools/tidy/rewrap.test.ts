/**
 * Wrapping moves words, and only words: a picture, a list or code must come out as it went in.
 */
import { rewrap } from "./rewrap.js"

const wrap = (...lines: string[]): string[] => rewrap(lines.join("\n"), 20).split("\n")

describe("rewrap", () => {
  it("moves words over the edge into the next line of the paragraph, and on", () => {
    expect(wrap(" * one two three four five", " * six seven eight", " *", " * next")).toEqual([
      " * one two three",
      " * four five six",
      " * seven eight",
      " *",
      " * next",
    ])
  })

  it("leaves what fits as it is, however short", () => {
    const lines = [" * one", " * two", "const x = 1"]
    expect(wrap(...lines)).toEqual(lines)
  })

  it("opens a comment of one line", () => {
    expect(wrap("  /** one two three four */", "  x(): void")).toEqual([
      "  /**",
      "   * one two three",
      "   * four",
      "   */",
      "  x(): void",
    ])
  })

  it("keeps the indentation of a list and never joins two items", () => {
    expect(wrap(" * - one two three four", " * - five", " *   six")).toEqual([
      " * - one two three",
      " *   four",
      " * - five",
      " *   six",
    ])
    expect(wrap(" * - one two three four", " *   five")).toEqual([
      " * - one two three",
      " *   four five",
    ])
  })

  it("wraps line comments too", () => {
    expect(wrap("// one two three four five", "x()")).toEqual([
      "// one two three",
      "// four five",
      "x()",
    ])
  })

  it.each([
    ["code", "const wide = aVeryLongName + another"],
    ["a table", " * | one | two | three | four |"],
    ["a picture", " * a ──► b ──► c ──► d ──► e"],
    ["columns", " * one    two    three    four"],
    ["a word wider than a line", " * https://example.org/a/b/c"],
    ["a tag", " * @property {string} name it"],
  ])("does not touch %s", (_, line) => {
    expect(wrap(line)).toEqual([line])
  })

  it("does not touch what stands in a fence", () => {
    const lines = [" * ```", " * one two three four five", " * ```"]
    expect(wrap(...lines)).toEqual(lines)
  })
})
