import {
  askKernel,
  type JhashVector,
  readVectors,
  vectorInputs,
  whyNoKernel,
} from "../scripts/jhash-vectors.js"
import { RmrError } from "./errors.js"
import { groupIdOfName, jhash, poolNameProblem } from "./group-id.js"

const vectors: readonly JhashVector[] = readVectors()

describe("jhash", () => {
  it("answers what the kernel's own header answered, for every length 0…64 and long ones", () => {
    const lengths = new Set(vectors.map(({ hex }) => hex.length / 2))
    for (let length = 0; length <= 64; length++) expect(lengths).toContain(length)
    expect(lengths).toContain(255)
    expect(Math.max(...lengths)).toBeGreaterThan(255)
    for (const { hex, initval, hash } of vectors) {
      expect([hex, initval, jhash(Buffer.from(hex, "hex"), initval)]).toEqual([hex, initval, hash])
    }
  })

  it("hashes only the first `length` bytes, whatever follows them", () => {
    for (const { hex, initval, hash } of vectors) {
      const bytes = Buffer.from(`${hex}a5a5a5a5a5a5a5a5a5a5a5a5a5`, "hex")
      expect(jhash(bytes, initval, hex.length / 2)).toBe(hash)
    }
  })

  const missing = whyNoKernel()
  const title = "agrees with the kernel's linux/jhash.h, compiled now"
  const run = (): void => expect(askKernel(vectorInputs())).toEqual(vectors)
  if (missing === undefined) it(title, run)
  else it.skip(`${title} (skipped: ${missing})`, run)
})

describe("groupIdOfName", () => {
  it("is the jhash of the name's bytes with initval 0, for every vector that is a name", () => {
    let names = 0
    for (const { hex, initval, hash } of vectors) {
      const name = Buffer.from(hex, "hex").toString("latin1")
      if (initval !== 0 || poolNameProblem(name) !== undefined) continue
      expect(groupIdOfName(name)).toBe(hash)
      names++
    }
    expect(names).toBeGreaterThan(70)
  })

  it("takes 1…255 visible ASCII characters and refuses anything else with words", () => {
    expect(poolNameProblem("p".repeat(255))).toBeUndefined()
    expect(poolNameProblem("!~#@:.")).toBeUndefined()
    const refused: readonly [name: string, words: string][] = [
      ["", "the pool name is empty"],
      ["p".repeat(256), "the pool name has 256 characters, at most 255 may be"],
      ["a b", "the pool name has U+0020 at 1; visible ASCII except '/' is allowed"],
      ["a/b", "the pool name has U+002F at 1; visible ASCII except '/' is allowed"],
      ["a\n", "the pool name has U+000A at 1; visible ASCII except '/' is allowed"],
      ["\u007f", "the pool name has U+007F at 0; visible ASCII except '/' is allowed"],
      ["pööl", "the pool name has U+00F6 at 1; visible ASCII except '/' is allowed"],
      ["p\ud83d\ude00", "the pool name has U+D83D at 1; visible ASCII except '/' is allowed"],
    ]
    for (const [name, words] of refused) {
      expect(poolNameProblem(name)).toBe(words)
      expect(() => groupIdOfName(name)).toThrow(new RmrError("invalid-argument", words))
    }
  })
})
