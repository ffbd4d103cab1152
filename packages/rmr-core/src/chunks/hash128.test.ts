import { Hash128 } from "./hash128.js"

/**
 * MurmurHash3_x86_128, seed 0, made by a C implementation that passes SMHasher's verification
 * (b3ece62a).
 */
const VECTORS: readonly (readonly [bytes: number, digest: string])[] = [
  [0, "00000000000000000000000000000000"],
  [16, "5c2b0380f2fc8fcdf113fe10ce78be4e"],
  [32, "9484de4b64f208db1af7b2d82a698bad"],
  [48, "7fbcc40d254e1939b220a6375137ce0a"],
  [64, "ad8f22d107436a152364e40e29c025e3"],
]
const VECTOR_4096 = "e1b165fff005cd8b834a23337f205824"

function digestOfBytes(hash: Hash128, bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer)
  const words = Int32Array.from({ length: bytes.length / 4 }, (_, at) =>
    view.getInt32(at * 4, true),
  )
  hash.begin()
  hash.addWords(words, 0, words.length)
  const digest = new Int32Array(6)
  hash.end(digest, 1)
  expect([digest[0], digest[5]]).toEqual([0, 0])
  return Array.from(digest.subarray(1, 5), (word) =>
    (word >>> 0).toString(16).padStart(8, "0"),
  ).join("")
}

describe("Hash128", () => {
  it.each(VECTORS)("gives the published digest of %i bytes", (length, digest) => {
    const bytes = Uint8Array.from({ length }, (_, at) => at * 7 + 1)
    expect(digestOfBytes(new Hash128(), bytes)).toBe(digest)
  })

  it("gives the published digest of a page, also when it was used before", () => {
    const hash = new Hash128()
    hash.add(1, 2, 3, 4)
    const bytes = Uint8Array.from({ length: 4096 }, (_, at) => (at * 131) >> 3)
    expect(digestOfBytes(hash, bytes)).toBe(VECTOR_4096)
  })
})
