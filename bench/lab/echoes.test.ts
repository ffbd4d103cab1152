/** What the guest says becomes a table of medians and ratios, and nothing else is taken for it. */
import { parseEchoes, summary } from "./echoes.js"

const SAID = [
  "c 24 1000 1.0 0.004 0.006",
  "rdma 24 500 1.0 0.010 0.010",
  "c 24 3000 1.0 0.006 0.006",
  "rdma 24 700 1.0 0.007 0.007",
  "c 24 2000 1.0 0.010 0.010",
  "c+heads 24 1000 1.0 0.010 0.010",
  "rdma 24 600 1.0 0.012 0.012",
].join("\n")

it("compares medians with those of C", () => {
  expect(
    summary(parseEchoes(`${SAID}\n`))
      .split("\n")
      .slice(2),
  ).toEqual([
    "| c | 24 | 2000 | 1.00 | 2.00 | 10 | 1.00 | 0.50 |",
    "| rdma | 24 | 600 | 0.30 | 0.60 | 40 | 4.00 | 2.00 |",
    "| c+heads | 24 | 1000 | 0.50 | 1.00 | 20 | 2.00 | 1.00 |",
  ])
})

it("refuses a line that is no row, and numbers that say nothing was measured", () => {
  for (const line of ["", "ready", "c 24 0 1.0 0.1 0.1", "c 24 10 1.0 0.1", "c 24 1 x 1 1"]) {
    expect(() => parseEchoes(line)).toThrow(/no row/)
  }
})
