/** Rates and CPU time of a pool beside its peer, by job; and nothing else is taken for a row. */
import { parsePools, poolSummary } from "./pools.js"

const SAID = [
  "md-rnbd randwrite 16 4000 1000 100",
  "pool randwrite 16 1000 1000 200",
  "md-rnbd randwrite 16 2000 1000 100",
  "pool randwrite 16 1000 2000 200",
  "md-rnbd randwrite 16 3000 1000 100",
  "pool randwrite 16 1500 1000 150",
].join("\n")

it("compares medians with those of the peer", () => {
  const [head, , ...lines] = poolSummary(parsePools(`${SAID}\n`)).split("\n")
  expect(head).toContain("| to md-rnbd |")
  expect(lines).toEqual(["| randwrite 16 | 3000 | 1000 | 0.33 | 333 | 2000 | 6.00 |"])
})

it("refuses a line that is no row, and numbers that say nothing was measured", () => {
  for (const line of ["", "there is a device", "pool randread 1 0 9 9", "pool randread 1 9 9"]) {
    expect(() => parsePools(line)).toThrow(/no row/)
  }
})
