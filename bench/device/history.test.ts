/**
 * What decides whether a run of the device bench has lost something: the recorded lines, and what
 * perf says. The picture of a line has what the line has.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { lastOf, lossesSince, type Measured, type MeasuredRow, record } from "./history.js"
import { plotOf } from "./plot.js"
import { countIn } from "./syscalls.js"

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

test("the newest line of a place is found again", () => {
  const folder = mkdtempSync(join(tmpdir(), "rmr-history-"))
  const path = join(folder, "results", "device.jsonl")
  try {
    expect(lastOf(path, "tmpfs")).toBeUndefined()
    record(path, { ...MEASURED, rounds: 1 })
    record(path, MEASURED)
    record(path, { ...MEASURED, place: "disk" })
    expect(lastOf(path, "tmpfs")).toEqual(MEASURED)
    expect(lastOf(path, "nowhere")).toBeUndefined()
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test("a loss is a fifth of a ratio of the same job and target, and no less", () => {
  expect([...lossesSince(MEASURED, [{ ...ROW, ratio: 2.41 }])]).toEqual([])
  const [[job, words] = []] = lossesSince(MEASURED, [{ ...ROW, ratio: 2.39 }])
  expect(job).toBe(ROW.job)
  expect(words).toBe("ours: 2.39 times QEMU, 3.00 on 2026-11-28")
  expect([...lossesSince(MEASURED, [{ ...ROW, job: "a new one", ratio: 0.1 }])]).toEqual([])
  expect([...lossesSince(MEASURED, [{ ...ROW, beside: "another", ratio: 0.1 }])]).toEqual([])
  expect([...lossesSince(MEASURED, [{ ...ROW, target: "another", ratio: 0.1 }])]).toEqual([])
})

test("a plot has a bar for each job of the target, and words that are no markup", () => {
  const svg = plotOf(MEASURED, "ours", "a title")
  expect(svg.match(/<rect x=/g)).toHaveLength(2)
  expect(svg).toContain("2 × some &#60;processor&#62;")
  expect(plotOf(MEASURED, "nobody", "a title")).not.toContain("<rect x=")
})

test("the count of perf is found in what it says, and nothing where it did not count", () => {
  expect(countIn("# started\n\n1234,,raw_syscalls:sys_enter,99,100.00,,\n")).toBe(1234)
  expect(countIn("<not supported>,,raw_syscalls:sys_enter,0,100.00,,\n")).toBeUndefined()
  expect(countIn("something else")).toBeUndefined()
})
