/**
 * A disk whose nth operation fails, for every n of every operation on metadata and of short data
 * work; and one that fails from the nth on.
 */
import type { DiskKind } from "./crash-bench.js"
import {
  COMMIT_STORIES,
  DATA_STORIES,
  HOT_STORIES,
  LIFE_STORIES,
  PLACE_STORIES,
  RENEWAL_STORY,
  type Story,
} from "./crash-stories.js"
import { isLong, onDisks } from "./crash-sweep.js"
import { type Fault, runWithFault } from "./fault-run.js"

jest.setTimeout(300_000)

const STORIES: readonly Story[] = [
  ...COMMIT_STORIES,
  ...HOT_STORIES,
  ...LIFE_STORIES,
  ...PLACE_STORIES,
  ...DATA_STORIES,
  ...(isLong ? [RENEWAL_STORY] : []),
].filter(({ hasFault = false }) => !hasFault)
const METADATA = STORIES.filter((story) => !DATA_STORIES.includes(story))
const ANY = ["read", "write", "zero", "flush"] as const
const ONCE: Fault = { on: ANY, fails: "io-error", times: 1 }
const FOR_EVER: Fault = { on: ANY, fails: "io-error", times: Number.POSITIVE_INFINITY }
const FULL_ONCE: Fault = { on: ["write", "zero"], fails: "no-space", times: 1 }
const FULL: Fault = { ...FULL_ONCE, times: Number.POSITIVE_INFINITY }

/** Every operation up to this one, beyond it in growing strides. */
const EACH_MAX = isLong ? 1000 : 16

async function runAll(story: Story, kind: DiskKind, fault: Fault, stride = 1): Promise<string[]> {
  const struck: string[] = []
  for (let nth = 0; ; nth = nth < EACH_MAX ? nth + stride : Math.ceil(nth * 1.5)) {
    const one = await runWithFault(story, kind, fault, nth)
    if (one === undefined) return struck
    struck.push(one)
  }
}

describe("S13: one operation of the disk fails, each in turn", () => {
  it.each(onDisks(STORIES, 1))("%s", async (_, story, kind) => {
    expect((await runAll(story, kind, ONCE)).length).toBeGreaterThan(0)
  })
})

describe("S12, S13, S15: every operation of the disk fails, from one on", () => {
  it.each(onDisks(STORIES, 1))("%s", async (_, story, kind) => {
    const struck = await runAll(story, kind, FOR_EVER, isLong ? 1 : 2)
    expect(struck.length).toBeGreaterThan(0)
  })
})

describe.each([
  ["once", FULL_ONCE],
  ["for good", FULL],
])("S9, S13: a medium that is full %s, at a write", (_, fault) => {
  it.each(onDisks(METADATA, 1))("%s", async (_title, story, kind) => {
    expect((await runAll(story, kind, fault, isLong ? 1 : 2)).length).toBeGreaterThan(0)
  })
})
