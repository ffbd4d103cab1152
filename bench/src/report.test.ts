/**
 * Verdicts are made on the median, and a bench that does not measure is a failure, never a zero.
 */
import type { Bench } from "./bench.js"
import { failureOf, medianOf, numberText, resultOf, tableOf } from "./report.js"

const bench = (better: "more" | "less", must?: number): Bench => ({
  name: "something",
  unit: "M/s",
  better,
  ...(must === undefined ? {} : { must }),
  run: () => 1,
})

describe("resultOf", () => {
  it.each([
    ["more", 5, [9, 1, 5], "ok"],
    ["more", 5, [9, 1, 4.9], "short"],
    ["less", 5, [9, 1, 5], "ok"],
    ["less", 5, [9, 1, 5.1], "short"],
    ["less", undefined, [9, 1, 5.1], "open"],
    ["less", 5, [0, 0, 0], "ok"],
  ] as const)("%s, must %s, measured %j: %s", (better, must, values, verdict) => {
    expect(resultOf("m", bench(better, must), values).verdict).toBe(verdict)
  })

  it("keeps the spread beside the median", () => {
    const result = resultOf("m", bench("more"), [3, 10, 2, 4])
    expect([result.low, result.median, result.high]).toEqual([2, 3.5, 10])
  })

  it.each([[[]], [[1, Number.NaN]], [[1, Number.POSITIVE_INFINITY]], [[-1]]])(
    "%j is no measurement",
    (values) => {
      expect(resultOf("m", bench("more", 0), values).verdict).toBe("failed")
    },
  )
})

describe("medianOf", () => {
  it("is the middle one, or between the two middle ones", () => {
    expect([medianOf([7]), medianOf([1, 2]), medianOf([1, 2, 9])]).toEqual([7, 1.5, 2])
  })
})

describe("tableOf", () => {
  it("shows what was asked, what came and whether it was enough, in columns", () => {
    const table = tableOf([
      resultOf("wire: encode", bench("more", 5), [12.34, 11, 13]),
      failureOf("wire: decode", bench("more", 5), "it broke"),
    ])
    expect(table.split("\n")).toEqual([
      "bench         median  spread    unit  must  verdict",
      "────────────  ──────  ────────  ────  ────  ───────",
      "wire: encode  12.3    11 … 13   M/s   ≥ 5   ok",
      "wire: decode  –       it broke  M/s   ≥ 5   failed",
    ])
  })
})

describe("numberText", () => {
  it.each([
    [0, "0"],
    [0.0001, "< 0.001"],
    [0.01234, "0.0123"],
    [5, "5"],
    [999.4, "999"],
    [1234567.8, "1,234,568"],
  ])("%d is %s", (value, text) => {
    expect(numberText(value)).toBe(text)
  })
})
