/**
 * A story on a disk whose nth operation fails, and what must hold afterwards: every answer is a
 * known code, the store stays open, nothing that was told is lost, and nothing is left behind.
 */
import { AssertionError } from "@rmr/core"
import { POWER_FATES } from "@rmr/testkit"
import type { CrashBench, DiskKind, Possible } from "./crash-bench.js"
import { isSameCells } from "./crash-ledger.js"
import type { Story } from "./crash-stories.js"
import { cell } from "./crash-stories.js"
import { complaintsAbout, judge, settleOn } from "./crash-sweep.js"

export interface Fault {
  readonly on: readonly ("read" | "write" | "zero" | "flush")[]
  readonly fails: "io-error" | "no-space"
  /** How many operations fail, from the nth on. */
  readonly times: number
}

/** What struck; undefined where the story has no nth operation. */
export async function runWithFault(
  story: Story,
  kind: DiskKind,
  fault: Fault,
  nth: number,
): Promise<string | undefined> {
  const bench = await story.begin(kind)
  const takeBack = bench.disk.addRule({ ...fault, passes: nth })
  const ends = await story.work(bench)
  const [struck] = bench.disk.struckByRules
  try {
    if (struck !== undefined) await mustHaveSurvived(bench, fault, nth, ends, takeBack)
  } catch (thrown) {
    const words = thrown instanceof Error ? thrown.message : String(thrown)
    const where = `operation ${nth} (${struck}) failed with ${fault.fails}`
    throw new AssertionError(`${where}, told ${ends.join(", ")}: ${words}`, { cause: thrown })
  }
  return struck
}

async function mustHaveSurvived(
  bench: CrashBench,
  fault: Fault,
  nth: number,
  ends: readonly string[],
  takeBack: () => void,
): Promise<void> {
  const wrong = ends.filter((end) => end !== "ok" && end !== fault.fails && end !== "io-error")
  if (wrong.length > 0) throw new AssertionError(`S13: told ${wrong.join(", ")}`)
  bench.noteFaults()
  if (fault.times > 1) await closeUnderFaults(bench)
  takeBack()
  if (bench.isOpen) await mustWork(bench)
  await endLife(bench, nth)
  if (bench.disk.isOpen || bench.leaseCount > 0) throw new AssertionError("S15: something is left")
  await mustOpen(bench)
}

/** S12: close never fails. */
async function closeUnderFaults(bench: CrashBench): Promise<void> {
  if (bench.isOpen) await bench.close()
}

/** S9, S13: what failed has changed nothing yet, and what is asked now works. */
async function mustWork(bench: CrashBench): Promise<void> {
  // A flush that is about to fail may be under way, and takes along what is written before it has.
  await bench.run()
  const found = await bench.find()
  const { ledger } = bench
  if (!isSameCells(found.cells, ledger.cells)) throw new AssertionError("S9: a read sees a failure")
  const [end] = await bench.ends(bench.startCommit([cell("map", 6, 6)]))
  if (end !== "ok") throw new AssertionError(`S13: the next commit is told ${end}`)
  // One flush may have to tell that one of metadata's has failed; not two.
  await bench.ends(bench.startFlush())
  await bench.done(bench.startFlush(), bench.startHeat([6]))
}

async function endLife(bench: CrashBench, nth: number): Promise<void> {
  if (!bench.isOpen) return
  const way = nth % 3
  if (way === 0) await bench.close()
  else if (way === 1) bench.kill()
  else bench.powerCut(POWER_FATES[nth % POWER_FATES.length]!)
}

/** S10, S11: it is not busy, and it holds what it may. */
async function mustOpen(bench: CrashBench): Promise<void> {
  const { possible } = bench
  for (const one of possible) {
    if (one === "absent") continue
    const [end] = await bench.ends(bench.startOpen())
    if (end === "ok") return mustHold(bench, possible)
    break
  }
  const content = bench.disk.content()
  const { sizeBytes } = bench.disk
  const wrong = await complaintsAbout(bench.kind, content, sizeBytes, possible, "and works")
  if (wrong.length > 0) throw new AssertionError(wrong.join("; "))
}

async function mustHold(bench: CrashBench, possible: readonly Possible[]): Promise<void> {
  const found = await bench.find()
  const { ledger, complaints } = judge(found, possible, bench.unitBytes, bench.lastEnd)
  if (ledger === undefined) throw new AssertionError(complaints.join("; "))
  bench.ledger = ledger
  settleOn(bench, found)
  await bench.done(bench.startCommit([cell("map", 6, 7)]))
  await bench.close()
}
