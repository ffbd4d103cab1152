/** Pieces of a room never overlap, stay inside of it, and come back whole. */
import fc from "fast-check"
import { Extents, NO_EXTENT } from "./extents.js"

it("gives pieces inside of the room, apart from each other, as long as there are some", () => {
  const steps = fc.array(fc.tuple(fc.integer({ min: 1, max: 20_000 }), fc.boolean()), {
    maxLength: 200,
  })
  fc.assert(
    fc.property(steps, (wishes) => {
      const base = 640
      const room = new Extents(base, 64 * 1024)
      const held: { place: number; bytes: number }[] = []
      for (const [bytes, givesBack] of wishes) {
        const place = room.take(bytes)
        if (place !== NO_EXTENT) {
          expect(place).toBeGreaterThanOrEqual(base)
          expect(place + bytes).toBeLessThanOrEqual(base + 64 * 1024)
          expect(place % 64).toBe(0)
          for (const other of held) {
            expect(place + bytes <= other.place || other.place + other.bytes <= place).toBe(true)
          }
          held.push({ place, bytes })
        }
        if (givesBack && held.length > 0) room.give(held.shift()!.place)
      }
      for (const { place } of held) room.give(place)
      expect(room.take(64 * 1024)).toBe(base)
    }),
  )
})

it("gives nothing where there is no room, and nothing that is larger than it", () => {
  expect(new Extents(0, 0).take(1)).toBe(NO_EXTENT)
  expect(new Extents(0, 1023).take(1)).toBe(NO_EXTENT)
  const room = new Extents(0, 5000)
  expect(room.take(4097)).toBe(NO_EXTENT)
  expect(room.take(4096)).toBe(0)
  expect(room.take(1)).toBe(NO_EXTENT)
})
