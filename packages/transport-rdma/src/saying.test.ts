/** What is said on a link: read back as said, and nothing else is taken for it. */
import fc from "fast-check"
import {
  readRoom,
  roomText,
  SAY_ROOM,
  said,
  saidKind,
  saidTextAt,
  saidTextBytes,
} from "./saying.js"

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}

it("says where a room is", () => {
  const words = Int32Array.of(-5, 77, -1, 4096)
  const bytes = said(SAY_ROOM, roomText(words))
  const view = viewOf(bytes)
  expect(saidKind(view, 0, bytes.length)).toBe(SAY_ROOM)
  expect(readRoom(view, saidTextAt(0), saidTextBytes(bytes.length))).toEqual(words)
})

it("takes no room of no bytes, of more than any has, or of another length", () => {
  const rooms = [0, -1, 2 ** 30 + 1].map((bytes) => roomText(Int32Array.of(1, 2, 3, bytes)))
  for (const text of [...rooms, new Uint8Array(0), new Uint8Array(17)]) {
    expect(readRoom(viewOf(text), 0, text.length)).toBeUndefined()
  }
})

it("takes nothing of strangers", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      const isMagic = bytes[0] === 0x52 && bytes[1] === 0x53
      fc.pre(!isMagic)
      expect(saidKind(viewOf(bytes), 0, bytes.length)).toBe(0)
    }),
  )
})
