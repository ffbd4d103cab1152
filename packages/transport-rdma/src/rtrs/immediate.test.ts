/** Immediate data of RTRS: each place of a buffer has a number, and answers are taken apart. */
import fc from "fast-check"
import {
  answeredBuffer,
  answeredErrno,
  beatTold,
  bitsFor,
  isNameable,
  requestTold,
  TOLD_ANSWER,
  TOLD_BEAT,
  TOLD_BEAT_ANSWER,
  TOLD_REQUEST,
  toldType,
} from "./immediate.js"

it("takes as many bits as the largest number has", () => {
  expect([1, 2, 3, 512, 513, 131_072].map(bitsFor)).toEqual([0, 1, 2, 9, 10, 17])
})

it("knows how much can be named", () => {
  expect([isNameable(512, 131_072), isNameable(2048, 131_072)]).toEqual([true, true])
  expect([isNameable(2049, 131_072), isNameable(512, 2 ** 20)]).toEqual([false, false])
})

it("names buffer and place as the kernel's server takes them apart", () => {
  // 9 bits number 512 buffers, so 19 are left for places.
  expect(requestTold(3, 4128, 512)).toBe(3 * 2 ** 19 + 4128)
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2047 }), fc.nat(), fc.nat(), (count, some, place) => {
      const buffer = some % count
      const left = 28 - bitsFor(count)
      const at = place % 2 ** left
      const told = requestTold(buffer, at, count) >>> 0
      expect(toldType(told)).toBe(TOLD_REQUEST)
      expect([Math.floor(told / 2 ** left), told % 2 ** left]).toEqual([buffer, at])
    }),
  )
})

it("takes answers and beats apart", () => {
  const told = TOLD_ANSWER * 2 ** 28 + 107 * 2 ** 19 + 511
  expect([toldType(told), answeredErrno(told), answeredBuffer(told)]).toEqual([1, 107, 511])
  expect([beatTold(TOLD_BEAT), beatTold(TOLD_BEAT_ANSWER)]).toEqual([0x8000_0000, 0x9000_0000])
  expect(toldType(beatTold(TOLD_BEAT_ANSWER))).toBe(TOLD_BEAT_ANSWER)
})
