/**
 * Limits are met exactly at their edge, and titled blocks are counted by themselves.
 */
import { findingsOf } from "./findings.js"
import { fileLength, functionLength, lineWidth } from "./size.js"

const lines = (count: number, line: string): string => `${line}\n`.repeat(count)

describe("line-width", () => {
  it("allows 100 columns and refuses 101, counting characters and not code units", () => {
    const allowed = { "a.ts": `// ${"x".repeat(97)}`, "b.h": `// ${"𝕏".repeat(97)}` }
    expect(findingsOf(lineWidth, allowed)).toEqual([])
    expect(findingsOf(lineWidth, { "a.ts": `ok\n// ${"x".repeat(98)}` })).toEqual([
      "a.ts:2 101 columns",
    ])
  })

  it("leaves pages and data alone", () => {
    const wide = "x".repeat(200)
    expect(findingsOf(lineWidth, { "a.md": wide, "golden/a.json": wide })).toEqual([])
  })
})

describe("file-length", () => {
  it("allows 450 lines and refuses 451", () => {
    expect(findingsOf(fileLength, { "a.ts": lines(450, "x()") })).toEqual([])
    expect(findingsOf(fileLength, { "a.cc": lines(451, "x();") })).toHaveLength(1)
  })
})

describe("function-length", () => {
  const body = (count: number): string => lines(count, "  x()")

  it("allows 70 lines and refuses 71, for functions, methods and arrows alike", () => {
    expect(findingsOf(functionLength, { "a.ts": `function f() {\n${body(68)}}\n` })).toEqual([])
    expect(
      findingsOf(functionLength, {
        "a.ts": `function f() {\n${body(69)}}\n`,
        "b.ts": `class C {\n  m() {\n${body(69)}}\n}\n`,
        "c.ts": `const f = () => {\n${body(69)}}\n`,
      }),
    ).toEqual(["a.ts:1 f has 71 lines", "b.ts:2 m has 71 lines", "c.ts:1 a function has 71 lines"])
  })

  it("measures titled blocks by themselves, wherever they stand", () => {
    const test = `it("t", () => {\n${body(50)}})\n`
    const clause = `{ title: "t", run() {\n${body(50)}} },\n`
    const texts = {
      "a.test.ts": `describe("d", () => {\n${test}${test}})\n`,
      "suite.ts": `function suite() {\n  return [\n${clause}${clause}  ]\n}\n`,
    }
    expect(findingsOf(functionLength, texts)).toEqual([])
    const long = `describe("d", () => {\nit("t", () => {\n${body(69)}})\n})\n`
    expect(findingsOf(functionLength, { "a.test.ts": long })).toEqual([
      "a.test.ts:2 a function has 71 lines",
    ])
  })

  it("still counts what stands around titled blocks", () => {
    const around = `describe("d", () => {\n${body(69)}it("t", () => {})\n})\n`
    expect(findingsOf(functionLength, { "a.test.ts": around })).toHaveLength(1)
  })
})
