/**
 * The vocabulary: banned words are found in any form of a name, and right words are left alone.
 */
import { findingsOf } from "./findings.js"
import { BANNED_WORDS, vocabulary } from "./words.js"

const inPackage = (folder: string, text: string): string[] =>
  findingsOf(vocabulary, { [`packages/${folder}/src/a.ts`]: text })
const core = (text: string): string[] => inPackage("rmr-core", text)

describe("vocabulary", () => {
  it.each([
    ["a constant", "const replicaCount = 1"],
    ["a plural", "const replicas = []"],
    ["a type", "interface ClusterName { x: number }"],
    ["a property", "interface X { readonly backendKind: string }"],
    ["a parameter", "function f(dirtyBitmap: number) {}"],
    ["what is taken out of an object", "const { connectionPool } = options"],
    ["a method", "class X { resyncNow() {} }"],
    ["a constant in capitals", "const CHUNK_INDEX_MAX = 1"],
    ["two words in a row", "const volumeGroup = 1"],
  ])("finds a banned word in %s", (_, text) => {
    expect(core(text)).toHaveLength(1)
  })

  it("finds it in the name of a file", () => {
    const path = "packages/rmr-core/src/dirty-bitmap.ts"
    expect(findingsOf(vocabulary, { [path]: "" })).toEqual([
      `${path}:0 dirty-bitmap.ts: not "bitmap" but "dirty map"`,
    ])
  })

  it.each([
    "const replicatedBytes = 1",
    "const blockBytes = 1",
    "const hostName = 1",
    "const history = []",
    "const legsByMember = new Map()",
    "socket.connection.close()",
    "const x = 'replica'",
    "const indexOfChunk = 1",
  ])("leaves %s alone", (text) => {
    expect(core(text)).toEqual([])
  })

  it("lets sockets have connections, below the session", () => {
    expect(inPackage("transport-tcp", "const connection = 1")).toEqual([])
    expect(core("const connection = 1")).toHaveLength(1)
  })

  it("looks at packages, and not at tools", () => {
    expect(findingsOf(vocabulary, { "tools/a.ts": "const replica = 1" })).toEqual([])
  })

  it("has a table whose entries can match at all: singular, lower case, and none twice", () => {
    const words = BANNED_WORDS.map((entry) => entry.words)
    expect(new Set(words).size).toBe(words.length)
    for (const name of words) {
      const asName = name.replace(/ (\w)/g, (_, letter: string) => letter.toUpperCase())
      expect(inPackage("rmr-server", `const ${asName} = 1`)).toHaveLength(1)
    }
  })
})
