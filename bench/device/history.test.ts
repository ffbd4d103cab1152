/**
 * What decides whether a run of the device bench has lost something: the recorded lines, and what
 * perf says. The picture of a line has what the line has.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  knownIn,
  lossesSince,
  type Measured,
  type MeasuredRow,
  oursAmong,
  record,
} from "./history.js"
import { plotOf } from "./plot.js"
import { countIn } from "./syscalls.js"
import { rowOf } from "./test-row.js"

const ROW: MeasuredRow = {
  ...{
    job: "4k randwrite, depth 32",
    target: "ours",
    beside: "QEMU",
    iops: 100,
    iopsLow: 90,
    iopsHigh: 110,
  },
  ...{ p50Us: 10, p99Us: 20, cpuUs: 5, ratio: 3, cpuRatio: 0.3, calls: undefined, must: 2.8 },
}
const MEASURED: Measured = {
  ...{ time: "2026-11-28T20:00:00.000Z", machine: "2 × some <processor>", place: "tmpfs" },
  ...{ seconds: 3, rounds: 5, rows: [ROW, { ...ROW, job: "4k randread, depth 32", ratio: 6 }] },
}

const KNOWN = MEASURED.rows.map((row) => ({ ...row, time: MEASURED.time }))

test("of each job the newest row of a place is known, whatever its line has beside", () => {
  const folder = mkdtempSync(join(tmpdir(), "rmr-history-"))
  const path = join(folder, "results", "device.jsonl")
  const later = "2026-11-29T20:00:00.000Z"
  const [, second] = KNOWN
  try {
    expect(knownIn(path, "tmpfs")).toEqual([])
    record(path, MEASURED)
    record(path, { ...MEASURED, time: later, rows: [{ ...ROW, ratio: 5 }] })
    record(path, { ...MEASURED, time: later, place: "disk", rows: [{ ...ROW, ratio: 1 }] })
    expect(knownIn(path, "tmpfs")).toEqual([{ ...ROW, ratio: 5, time: later }, second])
    expect(knownIn(path, "disk")).toEqual([{ ...ROW, ratio: 1, time: later }])
    expect(knownIn(path, "nowhere")).toEqual([])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test("a loss is a fifth of a ratio of the same job and target, and no less", () => {
  expect([...lossesSince(KNOWN, [{ ...ROW, ratio: 2.41 }])]).toEqual([])
  const [[job, words] = []] = lossesSince(KNOWN, [{ ...ROW, ratio: 2.39 }])
  expect(job).toBe(ROW.job)
  expect(words).toBe("ours: 2.39 times QEMU, 3.00 on 2026-11-28")
  expect([...lossesSince(KNOWN, [{ ...ROW, job: "a new one", ratio: 0.1 }])]).toEqual([])
  expect([...lossesSince(KNOWN, [{ ...ROW, beside: "another", ratio: 0.1 }])]).toEqual([])
  expect([...lossesSince(KNOWN, [{ ...ROW, target: "another", ratio: 0.1 }])]).toEqual([])
})

test("what can lose something is ours, and beside another", () => {
  const rows = [
    rowOf({ target: "ours", beside: "QEMU", isOurs: true }),
    rowOf({ target: "ours", beside: "ours", isOurs: true }),
    rowOf({ target: "nbdkit", beside: "QEMU", isOurs: false }),
  ]
  expect(oursAmong(rows)).toEqual([expect.objectContaining({ target: "ours", beside: "QEMU" })])
})

test("a plot has a bar for each job of the target, and words that are no markup", () => {
  const svg = plotOf(MEASURED, ["ours"], "a title")
  expect(svg.match(/<rect x=/g)).toHaveLength(2)
  expect(svg).toContain("2 × some &#60;processor&#62;")
  expect(svg).not.toContain("; ours")
  expect(plotOf(MEASURED, ["another", "ours"], "a title")).toContain("depth 32; ours<")
  expect(plotOf(MEASURED, ["nobody"], "a title")).not.toContain("<rect x=")
})

test("the count of perf is found in what it says, and nothing where it did not count", () => {
  expect(countIn("# started\n\n1234,,raw_syscalls:sys_enter,99,100.00,,\n")).toBe(1234)
  expect(countIn("<not supported>,,raw_syscalls:sys_enter,0,100.00,,\n")).toBeUndefined()
  expect(countIn("something else")).toBeUndefined()
})
