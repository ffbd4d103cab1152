/** Messages of RTRS have their places, and names that nobody could have are refused. */
import { isKeyOf, keyIn, writeCaller, writeReadHead, writeWriteHead } from "./messages.js"

it("says who calls", () => {
  const bytes = writeCaller("copy1")
  expect([bytes.length, bytes[0], bytes[1]]).toEqual([272, 0, 0])
  expect(new TextDecoder().decode(bytes.subarray(2, 8))).toBe("copy1\0")
  for (const name of ["", "a/b", "a.b", "a b", "é", "x".repeat(255)]) {
    expect(() => writeCaller(name)).toThrow("invalid-argument")
  }
  expect(writeCaller("x".repeat(254))[256]).toBe(0)
})

it("heads writes and reads", () => {
  const view = new DataView(new ArrayBuffer(32))
  writeWriteHead(view, 4, 0x120)
  expect([...new Uint8Array(view.buffer, 4, 4)]).toEqual([2, 0, 0x20, 1])
  const words = Int32Array.of(0x8765_4321 | 0, 0x1234, 0x9abc_def0 | 0)
  writeReadHead(view, 8, 32, words, 65_536)
  expect([...new Uint8Array(view.buffer, 8, 8)]).toEqual([3, 0, 32, 0, 0, 0, 1, 0])
  expect(view.getBigUint64(16, true)).toBe(0x1234_8765_4321n)
  expect([view.getUint32(24, true), view.getUint32(28, true)]).toEqual([0x9abc_def0, 65_536])
})

it("takes the key of the buffer that was answered, and nothing else", () => {
  const view = new DataView(new ArrayBuffer(16))
  view.setUint16(0, 4, true)
  view.setUint16(2, 77, true)
  view.setUint32(4, 0xffff_fff0, true)
  expect([isKeyOf(view, 0, 8, 77), keyIn(view, 0) >>> 0]).toEqual([true, 0xffff_fff0])
  for (const bytes of [0, 7, 9]) expect(isKeyOf(view, 0, bytes, 77)).toBe(false)
  expect(isKeyOf(view, 0, 8, 78)).toBe(false)
  view.setUint16(0, 3, true)
  expect(isKeyOf(view, 0, 8, 77)).toBe(false)
})
