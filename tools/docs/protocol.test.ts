/**
 * docs/PROTOCOL.md has a table for every layout and a section for every command, and none of them
 * can drift: pages.test.ts fails when a table is not what the code says.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { protocolMarks, renderProtocol } from "./protocol.js"

const page = readFileSync(join(__dirname, "../../docs/PROTOCOL.md"), "utf8")

describe("docs/PROTOCOL.md", () => {
  it("describes every layout, command and list of the code, each once", () => {
    for (const mark of protocolMarks())
      expect([mark, page.split(mark).length - 1]).toEqual([mark, 1])
    expect(page.match(/<!-- (layout|command|list) /g)).toHaveLength(protocolMarks().length)
    expect(page.match(/<!-- end -->/g)).toHaveLength(protocolMarks().length)
  })

  it("is mended when a number in a table was changed, and its words are left alone", () => {
    const bent = page.replace("| 88 | 2 | `unit` |", "| 86 | 2 | `unit` |")
    expect(bent).not.toBe(page)
    expect(renderProtocol(bent)).toBe(page)
    const reworded = page.replace("**There is none.**", "**None.**")
    expect(renderProtocol(reworded)).toBe(reworded)
  })

  it("cannot ask for a table that the code does not have", () => {
    const asking = "<!-- layout nonsense -->\n<!-- end -->"
    expect(() => renderProtocol(asking)).toThrow("nonsense")
  })

  it("numbers its sections without a gap, so that tests can cite them", () => {
    const numbers = [...page.matchAll(/^#{2,3} (\d+)\.(\d+)? /gm)].map((match) => [
      Number(match[1]),
      match[2] === undefined ? 0 : Number(match[2]),
    ])
    let [section, part] = [0, 0]
    for (const [major, minor] of numbers) {
      const expected = minor === 0 ? [section + 1, 0] : [section, part + 1]
      expect([major, minor]).toEqual(expected)
      ;[section, part] = [major!, minor!]
    }
    expect(section).toBe(11)
  })
})
