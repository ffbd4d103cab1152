/** UTF-8 against the runtime's own, strict on the way in. */
import fc from "fast-check"
import { cutUtf8, readUtf8, utf8Bytes, writeUtf8 } from "./utf8.js"

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

function written(text: string): Uint8Array {
  const bytes = new Uint8Array(utf8Bytes(text))
  writeUtf8(new DataView(bytes.buffer), 0, text)
  return bytes
}

function read(bytes: Uint8Array): string | undefined {
  return readUtf8(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length)
}

function readByRuntime(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes)
  } catch {
    return undefined
  }
}

describe("utf8", () => {
  it("writes what the runtime writes, lone surrogates as U+FFFD", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 30 }), (text) => {
        expect(Buffer.from(written(text))).toEqual(Buffer.from(text, "utf8"))
      }),
      { numRuns: 2000, seed: 8 },
    )
    expect(Buffer.from(written("a\ud800b"))).toEqual(Buffer.from("a\ufffdb", "utf8"))
  })

  it("reads what the runtime reads, and refuses what it refuses", () => {
    // Bytes that are likely to be almost right: leads, continuations and a few plain letters.
    const byte = fc.constantFrom(
      ...[0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0],
      ...[0xe1, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xff],
    )
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 8 }), (bytes) => {
        const data = Uint8Array.from(bytes)
        expect(read(data)).toBe(readByRuntime(data))
      }),
      { numRuns: 20_000, seed: 8 },
    )
  })

  it.each([
    ["an overlong slash", "c0af"],
    ["an overlong zero of three bytes", "e08080"],
    ["a surrogate", "eda080"],
    ["a number above U+10FFFF", "f4908080"],
    ["a cut sequence", "e282"],
    ["a continuation alone", "80"],
    ["a lead before a letter", "c341"],
  ])("refuses %s", (_what, hex) => {
    expect(read(Buffer.from(hex, "hex"))).toBeUndefined()
  })

  it("cuts between characters, never inside one", () => {
    expect(cutUtf8("añb☂c", 3)).toBe("añ")
    expect(cutUtf8("añb☂c", 6)).toBe("añb")
    expect(cutUtf8("añb☂c", 7)).toBe("añb☂")
    expect(cutUtf8("x😀", 4)).toBe("x")
    expect(cutUtf8("short", 100)).toBe("short")
  })
})
