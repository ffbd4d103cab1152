/**
 * What runs in a daemon before everything else, to say how it does with memory: at a SIGUSR2 it
 * collects all garbage and adds a line to the file that RMR_GROWTH_SAYS names.
 *
 * The line has what is in use then, and the pauses of the collector since the line before, without
 * those of the collection that was asked for.
 */
import { appendFileSync } from "node:fs"
import { constants, PerformanceObserver } from "node:perf_hooks"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

const file = process.env["RMR_GROWTH_SAYS"]
/** @type {number[]} */
let pauses = []

if (file !== undefined) {
  setFlagsFromString("--expose-gc")
  /** @type {() => void} */
  const collect = runInNewContext("gc")
  const observer = new PerformanceObserver((list) => note(list.getEntries()))
  observer.observe({ entryTypes: ["gc"] })
  process.on("SIGUSR2", () => {
    note(observer.takeRecords())
    collect()
    collect()
    const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage()
    appendFileSync(file, `${JSON.stringify({ rss, heapUsed, external, arrayBuffers, pauses })}\n`)
    pauses = []
  })
}

/** @param {import("node:perf_hooks").PerformanceEntry[]} entries */
function note(entries) {
  for (const { duration, detail } of entries) {
    const { flags } = /** @type {{ flags: number }} */ (detail)
    if ((flags & constants.NODE_PERFORMANCE_GC_FLAGS_FORCED) === 0) pauses.push(duration)
  }
}
