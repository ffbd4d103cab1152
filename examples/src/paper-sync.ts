/**
 * Sync on paper: a member fetches its own dirty chunks, several at once, from whoever has them
 * clean.
 *
 * It runs in a pretend world: copies take virtual milliseconds, chance decides how many, and the
 * whole run takes no time at all and is the same every time.
 */
import { type ChunkNumber, NO_CHUNK } from "@rmr/core"
import type { World } from "@rmr/testkit/world"
import type { PaperMember, PaperPool } from "./paper-pool.js"

const COPIES_AT_ONCE = 4
const COPY_MS_MIN = 1
const COPY_MS_MAX = 8
/** How often the story mentions progress. */
const REPORT_PERCENT = 25

export function drain(
  pool: PaperPool,
  target: PaperMember,
  world: World,
  say: (line: string) => void,
): void {
  const { clock, random } = world.env
  const startCount = target.own.count
  let cursor = 0
  let nextReport = REPORT_PERCENT

  const fetchNext = (): void => {
    const chunk = target.own.nextDirty(cursor)
    if (chunk === NO_CHUNK) return
    cursor = chunk + 1
    const source = sourceOf(pool, target, chunk)
    const copyMs = COPY_MS_MIN + random.unit() * (COPY_MS_MAX - COPY_MS_MIN)
    clock.schedule(copyMs, () => {
      target.contents[chunk] = source.contents[chunk] ?? 0
      target.own.clear(chunk)
      report()
      fetchNext()
    })
  }

  const report = (): void => {
    const percent = ((startCount - target.own.count) / startCount) * 100
    if (percent < nextReport) return
    while (nextReport <= percent) nextReport += REPORT_PERCENT
    const ms = Math.round(clock.nowMs()).toString().padStart(4)
    say(`   ${ms} ms    ${target.own.count.toString().padStart(3)} dirty chunks left`)
  }

  for (let at = 0; at < COPIES_AT_ONCE; at++) fetchNext()
  world.runSync()
}

/** A member that is clean there, in turns. */
function sourceOf(pool: PaperPool, target: PaperMember, chunk: ChunkNumber): PaperMember {
  const clean = pool.members.filter((member) => member !== target && !member.own.isDirty(chunk))
  const source = clean[chunk % clean.length]
  if (source === undefined) throw new Error(`nobody has chunk ${chunk} clean`)
  return source
}
