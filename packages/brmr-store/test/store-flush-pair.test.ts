/**
 * Two flushes near one another, the first of which fails. What it should have written counts as
 * clean afterwards, so the second one succeeds without it, and its success promises nothing.
 */
import { BLOCK_FUA } from "@rmr/core"
import type { CrashBench } from "./crash-bench.js"
import { cell, openFilled } from "./crash-stories.js"
import { openAgain } from "./crash-sweep.js"

jest.setTimeout(60_000)

const PAIRS: Readonly<Record<string, (bench: CrashBench) => Promise<unknown>>> = {
  "two flushes": async (bench) => {
    await bench.done(bench.startWrite(0, 1))
    await bench.ends(bench.startFlush(), bench.startFlush())
  },
  "two FUA writes": (bench) =>
    bench.ends(bench.startWrite(0, 1, BLOCK_FUA), bench.startWrite(1, 2, BLOCK_FUA)),
  "two FUA zeroes": (bench) =>
    bench.ends(bench.startZero(0, 1, BLOCK_FUA), bench.startZero(1, 2, BLOCK_FUA)),
  "a commit and a flush": async (bench) => {
    await bench.done(bench.startWrite(0, 1))
    const commit = bench.startCommit([cell("state", 0, 9)])
    await bench.run(() => false, bench.world.random.below(6))
    await bench.ends(commit, bench.startFlush())
  },
  "a commit and a FUA write": async (bench) => {
    const commit = bench.startCommit([cell("state", 0, 9)])
    await bench.ends(commit, bench.startWrite(0, 1, BLOCK_FUA))
  },
  "a commit that is too long to be forced and a flush": async (bench) => {
    const commit = bench.startCommit([cell("last-io", 0, 9, 70_000)])
    await bench.run(() => false, bench.world.random.below(12))
    await bench.ends(commit, bench.startFlush())
  },
  "a heat and a flush": async (bench) => {
    await bench.done(bench.startWrite(0, 1))
    const heat = bench.startHeat([5])
    await bench.run(() => false, bench.world.random.below(6))
    await bench.ends(heat, bench.startFlush())
  },
}

describe.each([false, true])("a flush that fails, on a disk that forces units: %s", (isForced) => {
  const kind = { atomicBytes: 4096, forcedUnitAccess: isForced } as const
  it.each(Object.keys(PAIRS))("S6, S9, S16: of %s says nothing that is not so", async (name) => {
    for (let seed = 0; seed < 20; seed++) {
      for (const passes of [0, 1]) {
        const bench = await openFilled(kind, seed)
        const takeBack = bench.disk.addRule({ on: ["flush"], passes, fails: "io-error", times: 1 })
        await PAIRS[name]!(bench)
        takeBack()
        bench.powerCut("lost")
        await openAgain(bench, `seed ${seed}, flush ${passes}`)
        await bench.close()
        bench.end()
      }
    }
  })
})
