/**
 * Comments that must be there are missed, and comments that must not be are found.
 */
import { moduleComment, suppressions, unfinishedWork } from "./comments.js"
import { findingsOf } from "./findings.js"

describe("module-comment", () => {
  it("misses the opening of a file, also where the comment comes later or says nothing", () => {
    const texts = {
      "a.ts": "export const a = 1\n",
      "b.ts": 'import "x"\n/** Says a lot, but much too late for a reader. */\n',
      "c.mjs": "/** hm */\n",
    }
    expect(findingsOf(moduleComment, texts).map((line) => line.split(":")[0])).toEqual([
      "a.ts",
      "b.ts",
      "c.mjs",
    ])
  })

  it("takes a block or line comments, also behind the line that names the program", () => {
    const texts = {
      "a.ts": "/**\n * Why this file exists at all.\n */\nexport const a = 1\n",
      "b.js": "#!/usr/bin/env node\n// Why this file\n// exists at all.\nx()\n",
    }
    expect(findingsOf(moduleComment, texts)).toEqual([])
  })

  it("asks no story of settings, nor of a test whose source stands beside it", () => {
    const source = "/** Why this file exists at all. */\nexport const a = 1\n"
    const texts = {
      "packages/x/tsup.config.ts": "export default 1\n",
      "a.ts": source,
      "a.test.ts": "x()\n",
      "b.test.ts": "x()\n",
    }
    expect(findingsOf(moduleComment, texts)).toEqual([
      "b.test.ts:1 no module comment before the first code",
    ])
  })
})

describe("suppressions", () => {
  it("wants a reason for every check that is silenced", () => {
    const ignore = "// biome-ignore lint/style/useConst"
    expect(findingsOf(suppressions, { "a.ts": `${ignore}: the debugger needs it\n` })).toEqual([])
    expect(findingsOf(suppressions, { "a.ts": `${ignore}: why\n` })).toHaveLength(1)
    expect(findingsOf(suppressions, { "a.ts": `${ignore}\n` })).toHaveLength(1)
    expect(findingsOf(suppressions, { "a.ts": "// @ts-expect-error\n" })).toHaveLength(1)
  })

  it("does not take silence that has a better form", () => {
    const texts = {
      "a.ts": "// @ts-ignore: because of the types of x\n",
      "b.ts": "/* eslint-disable */\n",
    }
    expect(findingsOf(suppressions, texts)).toHaveLength(2)
  })
})

describe("unfinished-work", () => {
  const later = ["TO", "DO"].join("")

  it("finds the words in sources and pages, but not inside other words", () => {
    const texts = { "a.ts": `x() // ${later}: more`, "b.md": `- ${later}`, "c.ts": `${later}S` }
    expect(findingsOf(unfinishedWork, texts)).toEqual([
      `a.ts:1 words of unfinished work: ${later}`,
      `b.md:1 words of unfinished work: ${later}`,
    ])
  })

  it("finds code that only says that it is missing", () => {
    const text = `throw new Error("${["not", "implemented"].join(" ")}")`
    expect(findingsOf(unfinishedWork, { "a.ts": text })).toHaveLength(1)
  })
})
