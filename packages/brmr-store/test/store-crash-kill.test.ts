/**
 * A process that dies at every step of an operation, while the machine and its cache live: nothing
 * that completed is lost, and what the next process has read of it survives a power cut after that.
 */
import { AssertionError } from "@rmr/core"
import { type CrashBench, type DiskKind, Interrupted } from "./crash-bench.js"
import {
  COMMIT_STORIES,
  DATA_STORIES,
  HOT_STORIES,
  LIFE_STORIES,
  type Story,
} from "./crash-stories.js"
import { isLong, onDisks, openAgain } from "./crash-sweep.js"

jest.setTimeout(300_000)

/** Of an operation with more steps, so many are taken, evenly. */
const DEATHS_MAX = isLong ? 200 : 8

/** False where the work was over before so many steps. */
async function isKilledAfter(steps: number, bench: CrashBench, story: Story): Promise<boolean> {
  bench.stepEnd = bench.world.stepCount + steps
  try {
    await story.work(bench)
    await bench.run()
  } catch (thrown) {
    if (!(thrown instanceof Interrupted)) throw thrown
  }
  const isOver = bench.world.stepCount < bench.stepEnd
  bench.stepEnd = Number.POSITIVE_INFINITY
  bench.kill()
  return !isOver
}

async function stepsOf(story: Story, kind: DiskKind): Promise<number> {
  const bench = await story.begin(kind)
  const before = bench.world.stepCount
  await story.work(bench)
  await bench.run()
  return bench.world.stepCount - before
}

describe("a process that dies at any step", () => {
  it.each(onDisks([...COMMIT_STORIES, ...HOT_STORIES, ...LIFE_STORIES, ...DATA_STORIES], 1))(
    "%s",
    async (_, story, kind) => {
      const steps = await stepsOf(story, kind)
      const stride = Math.ceil(steps / DEATHS_MAX)
      let deathCount = 0
      for (let step = 0; step <= steps; step += stride) {
        const bench = await story.begin(kind)
        if (await isKilledAfter(step, bench, story)) deathCount++
        try {
          await openAgain(bench, "the process died", "kill")
          bench.powerCut("lost")
          await openAgain(bench, "the machine died after that")
          await bench.close()
        } catch (thrown) {
          const words = `${thrown instanceof Error ? thrown.message : thrown}`
          throw new AssertionError(`after ${step} of ${steps} steps: ${words}`, { cause: thrown })
        }
        bench.end()
      }
      expect(deathCount).toBeGreaterThan(2)
    },
  )
})
