/**
 * What part of a ceiling a pool has, and what a table says of whoever has no process of its own.
 */
import { CPP_CEILING, sharesOf } from "./ceilings.js"
import { tableOf } from "./compare.js"
import { JOBS } from "./jobs.js"
import { POOL } from "./pool.js"
import { rowOf } from "./test-row.js"

const [WRITES, READS] = JOBS as [(typeof JOBS)[0], (typeof JOBS)[0]]

test("a share is the median of the ratios of neighbours, and judged for one job", () => {
  const shares = sharesOf([
    rowOf({ job: WRITES, target: POOL, iopsOfRounds: [70, 90, 10] }),
    rowOf({ job: WRITES, target: CPP_CEILING, iopsOfRounds: [100, 100, 100] }),
    rowOf({ job: READS, target: POOL, iopsOfRounds: [10] }),
    rowOf({ job: READS, target: CPP_CEILING, iopsOfRounds: [100] }),
  ])
  expect(shares).toEqual([
    { words: `${WRITES.name}: 0.70 of the C++ ceiling, must be ≥ 0.8: short`, isShort: true },
    { words: `${READS.name}: 0.10 of the C++ ceiling`, isShort: false },
  ])
})

test("eight tenths are enough, and where there is no ceiling, nothing is said", () => {
  const ours = rowOf({ job: WRITES, target: POOL, iopsOfRounds: [80] })
  const ceiling = rowOf({ job: WRITES, target: CPP_CEILING, iopsOfRounds: [100] })
  expect(sharesOf([ours, ceiling])[0]?.isShort).toBe(false)
  expect(sharesOf([ours])).toEqual([])
})

test("a table says no CPU time of who has no process", () => {
  const run = { ...rowOf({}).run, cpuUs: 0 }
  const [, , raw] = tableOf([rowOf({ run, cpuRatio: undefined })]).split("\n")
  const cells = raw?.split(" | ").map((cell) => cell.trim())
  expect(cells?.slice(6, 11)).toEqual(["", "1.0", "", "QEMU", ""])
})
