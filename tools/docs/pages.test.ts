/**
 * Generated pages cannot drift from the code, and the parts that read source text read it right.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as limits from "../../packages/rmr-core/src/limits.js"
import { limitTexts, relations, valueText } from "./limits.js"
import { table } from "./markdown.js"
import { PAGES, stalePages } from "./pages.js"
import { renderStates } from "./states.js"

const root = join(__dirname, "../..")
const read = (path: string): string => readFileSync(join(root, path), "utf8")

describe("generated pages", () => {
  it("say what the code says; `pnpm pages` mends a stale one", () => {
    expect(stalePages(read)).toEqual([])
  })

  it("are found stale when one character differs or a page is missing", () => {
    const bent = (path: string): string => {
      if (path === "docs/STATES.md") return read(path).replace("reconnecting", "reconecting")
      if (path === "docs/ERRORS.md") throw new Error("no such file")
      return read(path)
    }
    expect(stalePages(bent)).toEqual(["docs/STATES.md", "docs/ERRORS.md"])
  })

  it("begin with a warning to whoever opens them to edit", () => {
    for (const page of PAGES)
      expect(page.render(read)).toMatch(/^<!-- Written by tools\/docs from /)
  })
})

describe("docs/STATES.md", () => {
  it("draws names with a hyphen under an id that Mermaid can read", () => {
    const page = renderStates()
    expect(page).toContain('  state "no-io" as no_io\n')
    expect(page).toContain("  normal --> no_io : open, rejoin,")
    expect(page).toContain("  removing --> [*]\n")
  })
})

describe("docs/LIMITS.md", () => {
  const source = read("packages/rmr-core/src/limits.ts")

  it("lists every exported limit and what it bounds", () => {
    const listed = limitTexts(source)
    expect(listed.map(({ name }) => name).sort()).toEqual(Object.keys(limits).sort())
    expect(listed.filter(({ comment }) => comment === "")).toEqual([])
  })

  it("lists every asserted relation", () => {
    expect(relations(source)).toHaveLength(source.split(/^assert\(/m).length - 1)
  })

  it("takes the comment above a limit, over several lines, and never that of another", () => {
    const text = [
      "/**",
      " * What the file is.",
      " */",
      'import { assert } from "./assert.js"',
      "/** One",
      " * and a half. */",
      "export const A_MAX = 1",
      "export const B_MAX: number = 2",
      "/** Left alone. */",
      "",
      "export const C_MAX = 3",
    ].join("\n")
    expect(limitTexts(text)).toEqual([
      { name: "A_MAX", comment: "One and a half." },
      { name: "B_MAX", comment: "" },
      { name: "C_MAX", comment: "" },
    ])
  })

  it("says bytes in the largest whole unit", () => {
    expect(valueText("CHUNK_BYTES_DEFAULT", 128 * 1024)).toBe("128 KiB (131,072)")
    expect(valueText("VOLUME_BYTES_MAX", 512 * 2 ** 40)).toBe("512 TiB (562,949,953,421,312)")
    expect(valueText("POOL_NAME_BYTES_MAX", 255)).toBe("255")
    expect(valueText("ODD_BYTES", 1025)).toBe("1,025")
    expect(valueText("MAP_PAGE_CHUNKS", 4096)).toBe("4,096")
  })
})

describe("table", () => {
  it("keeps a bar inside its cell", () => {
    expect(table(["a"], [["x | y"]])).toBe("| a |\n| --- |\n| x \\| y |")
  })
})
