/**
 * Links that lead nowhere are found, and nothing else that looks like a link.
 */
import { findingsOf } from "./findings.js"
import { docLinks } from "./links.js"

const pages = {
  "README.md": "# Read me\n\n## One step: `set up`!\n\n## Twice\n\n## Twice\n",
  "docs/a.md": "# A",
  "src/x.ts": "",
}
const inDocs = (text: string): string[] => findingsOf(docLinks, { ...pages, "docs/p.md": text })

describe("doc-links", () => {
  it.each([
    "[x](a.md)",
    "[x](../README.md#one-step-set-up)",
    "[x](../README.md#twice-1)",
    "[x](../src/)",
    "![x](../src/x.ts)",
    '[x](a.md "title")',
    "[x](https://example.org/none.md)",
    "[x](mailto:a@example.org)",
    "# Here\n[x](#here)",
    "`[x](none.md)`",
    "```\n[x](none.md)\n```",
    "[x]: a.md",
  ])("follows %s", (text) => {
    expect(inDocs(text)).toEqual([])
  })

  it.each([
    "[x](none.md)",
    "see [x](a.md) and [y](none.md)",
    "![x](none.svg)",
    "[x]: none.md",
    "[x](a.md#none)",
    "[x](#none)",
    "[x](../../outside.md)",
    "[x](/docs/a.md)",
    "```\n```\n[x](none.md)",
  ])("finds that %s leads nowhere", (text) => {
    expect(inDocs(text)).toHaveLength(1)
  })
})
