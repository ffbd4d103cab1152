/** The figures of the growth bench: what is read, and what is made of it. */
import {
  fractionOf,
  growthOf,
  proportionalBytes,
  samplesIn,
  tableOf,
  verdictOf,
} from "./figures.js"

const ROW = { part: "pools", what: "1,000, storage node resident", value: 260, unit: "MB" }

it("judges only what is promised, and takes the bound for good", () => {
  expect(verdictOf(ROW)).toBe("open")
  expect(verdictOf({ ...ROW, most: 260 })).toBe("ok")
  expect(verdictOf({ ...ROW, most: 259 })).toBe("short")
  expect(verdictOf({ ...ROW, value: Number.NaN, most: 1 })).toBe("short")
})

it("draws a table with ratios and verdicts", () => {
  const lines = tableOf([{ ...ROW, most: 400, ratio: 3.715 }]).split("\n")
  expect(lines).toHaveLength(3)
  expect(lines[2]).toBe("| pools: 1,000, storage node resident | 260 | MB | 3.71 | ≤ 400 | ok |")
})

it("finds the value below which a part of all is", () => {
  const values = Array.from({ length: 1000 }, (_, at) => 1000 - at)
  expect(fractionOf(values, 0.5)).toBe(500)
  expect(fractionOf(values, 0.999)).toBe(999)
  expect(fractionOf(values, 1)).toBe(1000)
  expect(fractionOf([7], 0.999)).toBe(7)
  expect(fractionOf([], 0.5)).toBeNaN()
})

it("compares the last fifth with the second, and not with the first", () => {
  const warm = [10, 20, 20, 20, 20, 20, 20, 20, 20, 20]
  expect(growthOf(warm)).toBe(1)
  expect(growthOf([...warm.slice(0, 8), 30, 30])).toBe(1.5)
})

it("reads what the kernel and the daemons say", () => {
  expect(proportionalBytes("Rss:    100 kB\nPss:     64 kB\nPss_Dirty: 9 kB\n")).toBe(65_536)
  expect(() => proportionalBytes("Rss: 100 kB\n")).toThrow("Pss")
  const line = '{"rss":1,"heapUsed":2,"external":3,"arrayBuffers":4,"pauses":[0.5]}'
  expect(samplesIn(`${line}\n${line}\n{"rss"`).map(({ pauses }) => pauses)).toEqual([[0.5], [0.5]])
  expect(samplesIn("")).toEqual([])
})
