import { type Choosable, chooserOf, PATH_POLICIES } from "./choosing.js"

function paths(...parts: readonly [inFlight: number, latencyMs: number][]): Choosable[] {
  return parts.map(([inFlight, latencyMs]) => ({ inFlight, latencyMs }))
}

function chosen(count: number, choose: () => number): number[] {
  return Array.from({ length: count }, choose)
}

it.each(PATH_POLICIES)("%s takes the only one there is", (policy) => {
  const choose = chooserOf(policy)
  expect(new Set(chosen(200, () => choose(paths([3, 4]))))).toEqual(new Set([0]))
})

it("round-robin takes all in turns, whatever they do", () => {
  const choose = chooserOf("round-robin")
  expect(chosen(6, () => choose(paths([9, 9], [0, 0], [5, 5])))).toEqual([1, 2, 0, 1, 2, 0])
})

it("round-robin goes on when there are fewer", () => {
  const choose = chooserOf("round-robin")
  chosen(2, () => choose(paths([0, 0], [0, 0], [0, 0])))
  expect(chosen(3, () => choose(paths([0, 0], [0, 0])))).toEqual([0, 1, 0])
})

it("min-inflight takes the one with the fewest under way, and equals in turns", () => {
  const choose = chooserOf("min-inflight")
  expect(chosen(3, () => choose(paths([2, 0], [1, 9], [2, 0])))).toEqual([1, 1, 1])
  expect(new Set(chosen(3, () => choose(paths([1, 0], [1, 0], [1, 0]))))).toEqual(
    new Set([0, 1, 2]),
  )
})

it("min-latency takes the fastest, and tries the others now and then", () => {
  const choose = chooserOf("min-latency")
  const all = chosen(640, () => choose(paths([0, 5], [9, 2], [0, 3])))
  const counts = [0, 1, 2].map((path) => all.filter((nth) => nth === path).length)
  expect(counts[1]).toBeGreaterThan(620)
  expect(counts[0]).toBeGreaterThanOrEqual(3)
  expect(counts[2]).toBeGreaterThanOrEqual(3)
})

it("min-latency measures what was never measured first", () => {
  expect(chooserOf("min-latency")(paths([0, 1], [0, 0]))).toBe(1)
})
