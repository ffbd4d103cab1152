/** Uuids as bytes and as digits. */
import { ZERO_UUID } from "./rules/pool-metadata.js"
import { isUuid, randomUuid, readUuid, writeUuid } from "./uuid.js"

/** Fills with these bytes, one after another. */
function chance(...fills: readonly number[]): Parameters<typeof randomUuid>[0] {
  const left = [...fills]
  const never = (): number => {
    throw new Error("a uuid is drawn by bytes")
  }
  const fill = (bytes: Uint8Array): void => void bytes.fill(left.shift()!)
  return { random: { u32: never, below: never, unit: never, fill } }
}

describe("a uuid", () => {
  it("is read back as it was written, wherever it lies", () => {
    const uuid = "00112233445566778899aabbccddeeff"
    const view = new DataView(new ArrayBuffer(24))
    writeUuid(view, 5, uuid)
    expect([readUuid(view, 5), view.getUint8(4), view.getUint8(21)]).toEqual([uuid, 0, 0])
  })

  it("is known where it lies, and nothing else is taken for it", () => {
    const uuid = "00112233445566778899aabbccddeeff"
    const view = new DataView(new ArrayBuffer(24))
    writeUuid(view, 5, uuid)
    expect(isUuid(view, 5, uuid)).toBe(true)
    for (const other of ["", uuid.slice(1), uuid.toUpperCase(), `${uuid}0`, ZERO_UUID]) {
      expect(isUuid(view, 5, other)).toBe(false)
    }
    for (let bit = 0; bit < 128; bit++) {
      const at = 5 + (bit >> 3)
      view.setUint8(at, view.getUint8(at) ^ (1 << (bit & 7)))
      expect(isUuid(view, 5, uuid)).toBe(false)
      view.setUint8(at, view.getUint8(at) ^ (1 << (bit & 7)))
    }
  })

  it("that is drawn is never the one that stands for none", () => {
    expect(randomUuid(chance(0, 0, 0xab))).toBe("ab".repeat(16))
    expect(randomUuid(chance(1))).not.toBe(ZERO_UUID)
  })

  it.each(["", "0".repeat(31), "0".repeat(33), "G".repeat(32), "AB".repeat(16)])(
    "is not written where it is none: %s",
    (text) => {
      const view = new DataView(new ArrayBuffer(16))
      expect(() => writeUuid(view, 0, text)).toThrow("32 lower-case hex digits")
    },
  )
})
