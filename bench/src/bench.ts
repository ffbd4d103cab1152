/**
 * What a bench is: a number with a unit, and how much it must be.
 *
 * A module beside this file exports `benches`; main.ts finds it by itself, gives every bench fresh
 * processes, warms it up, and reports the median and the spread of several rounds. So a bench does
 * no statistics of its own: `run` does its work once and answers with one number.
 *
 * `scale` is 1 for a real measurement and tiny for a smoke run, which only proves that it still
 * runs. Multiply the amount of work by it (`times` does), not the thing that is measured.
 */

export interface Bench {
  /** What is measured: `io header: encode`. The module's file name is put in front. */
  readonly name: string
  /** `M/s`, `ms`, `KiB`, … */
  readonly unit: string
  readonly better: "more" | "less"
  /** What the median has to reach, or may not exceed; undefined where nothing is promised. */
  readonly must?: number
  /** One measurement, in `unit`. */
  run(scale: number): number | Promise<number>
}

/**
 * How often to do something: `full` times in a measurement, fewer in a smoke run, at least once.
 */
export function times(full: number, scale: number): number {
  return Math.max(1, Math.round(full * scale))
}

/** How long `work` takes, in milliseconds. */
export function elapsedMs(work: () => void): number {
  const start = performance.now()
  work()
  return performance.now() - start
}

/** Millions of operations per second, for `count` operations done by `work`. */
export function millionsPerSecond(count: number, work: () => void): number {
  const ms = elapsedMs(work)
  return count / Math.max(ms, 1e-6) / 1000
}

/** Bytes of heap and array buffers in use, after everything unreachable was collected. */
export function usedBytes(): number {
  if (globalThis.gc === undefined)
    throw new Error("run by bench/src/main.ts: it exposes the collector")
  globalThis.gc()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

/** Few enough that what they allocate fits the young generation: no collection hides it. */
const SLICE_OPERATIONS = 10_000

/**
 * Heap bytes that an operation leaves behind, garbage included, as the median over slices of work.
 *
 * Steady-state code must allocate nothing, not even what is collected at once, so each slice starts
 * with an empty young generation and ends before V8 has a reason to collect. The smallest object
 * has 12 bytes; what shows below 1 is the measurement itself.
 */
export function allocatedPerOperation(count: number, work: (count: number) => void): number {
  const slices: number[] = []
  for (let done = 0; done < count; done += SLICE_OPERATIONS) {
    const operations = Math.min(SLICE_OPERATIONS, count - done)
    globalThis.gc?.()
    const before = process.memoryUsage().heapUsed
    work(operations)
    slices.push(Math.max(0, process.memoryUsage().heapUsed - before) / operations)
  }
  slices.sort((a, b) => a - b)
  return slices[slices.length >> 1] as number
}

const sink = new Int32Array(1)

/** Keeps a result alive, so that the compiler cannot drop the work that made it. */
export function keep(value: number): void {
  sink[0] = (sink[0] as number) ^ value
}
