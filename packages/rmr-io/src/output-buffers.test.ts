/** Output buffers: however many connections write in a turn, the next turn finds them again. */
import { OUTPUT_BYTES, OutputBuffers, SMALL_OUTPUT_BYTES } from "./output-buffers.js"

/** Takes so many for so many bytes, gives them back, and answers them. */
function turn(buffers: OutputBuffers, count: number, bytes: number): Set<ArrayBufferView> {
  const taken = Array.from({ length: count }, () => buffers.take(bytes))
  for (const buffer of taken) buffers.give(buffer)
  return new Set(taken.map(({ view }) => view))
}

it.each([
  ["few bytes each", 64, 100],
  ["a full small one each", 64, SMALL_OUTPUT_BYTES],
  ["much each", 8, OUTPUT_BYTES],
])("connections with %s make no memory anew in the next turn", (_, count, bytes) => {
  const buffers = new OutputBuffers()
  const first = turn(buffers, count, bytes)
  expect(first.size).toBe(count)
  expect(turn(buffers, count, bytes)).toEqual(first)
})

it("who has much gets a small one where the large ones are in use", () => {
  const buffers = new OutputBuffers()
  const sizes = Array.from({ length: 10 }, () => buffers.take(OUTPUT_BYTES).bytes.length)
  expect(sizes.filter((bytes) => bytes === OUTPUT_BYTES)).toHaveLength(8)
  expect(sizes.filter((bytes) => bytes === SMALL_OUTPUT_BYTES)).toHaveLength(2)
})

it("buffers that are in use never overlap, also beyond those that are kept", () => {
  const buffers = new OutputBuffers()
  const taken = Array.from({ length: 100 }, (_, nth) => {
    const buffer = buffers.take(nth % 9 === 0 ? OUTPUT_BYTES : 1)
    buffer.bytes.fill(nth)
    return buffer
  })
  for (const [nth, { bytes, view }] of taken.entries()) {
    expect(bytes.every((byte) => byte === nth)).toBe(true)
    expect([view.byteLength, view.getUint8(0)]).toEqual([bytes.length, nth])
  }
  for (const buffer of taken) buffers.give(buffer)
  expect(turn(buffers, 8, OUTPUT_BYTES).size).toBe(8)
})
