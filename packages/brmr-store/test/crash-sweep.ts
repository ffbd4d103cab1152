/**
 * Crash sweeps: every disk that a power cut at any moment of some work could leave, opened and
 * judged.
 *
 * Each change of what a cut could leave is a crash point (`recordCrashPoints`); an image of it
 * picks a version for every unit that is not durable: lost, kept, torn and reordered writes.
 * A point with no more images than the bound is exhausted, of others so many are sampled. Opening
 * an image is work, too: the crash points of some of these are swept in the same way.
 */
import { AssertionError, type ErrorCode, RmrError } from "@rmr/core"
import type { CrashPoint, SparseBytes } from "@rmr/testkit"
import { seededRandom } from "@rmr/testkit"
import {
  CrashBench,
  DISK_KINDS,
  type DiskKind,
  diskTitle,
  type Possible,
  SHAPE,
} from "./crash-bench.js"
import { type CrashLedger, describeCells, type Found } from "./crash-ledger.js"
import type { LifeEnd } from "./data-ledger.js"

/** `RMR_LONG=1`: all disks, more images of each point, more recoveries and faults. */
export const isLong: boolean = process.env["RMR_LONG"] === "1"

/** Points with at most so many images are exhausted; of a long story, fewer. */
export const IMAGES_MAX: number = isLong ? 256 : 16
export const IMAGES_MAX_LONG_STORY: number = isLong ? 64 : 4
const IMAGES_MAX_RECOVERY = isLong ? 32 : 4

/** So many images of each point go through one more power cut, with work before it. */
const WORKED_ON = 2
type ImageCheck = "is found" | "and works"

/** What a place says in which a store was being made or erased. */
const ABSENT_SAYS: readonly ErrorCode[] = ["not-found"]

export interface SweepTally {
  points: number
  images: number
  /** Points of which not every image was opened: what had happened, and how many there are. */
  sampled: string[]
}

/** Gives how each operation ended. */
export type Work = (bench: CrashBench) => Promise<readonly string[]>

interface Moment {
  readonly point: CrashPoint
  possible: Possible[]
}

/** Does the work on a bench that is ready for it, and sweeps it. */
export async function sweep(
  bench: CrashBench,
  work: Work,
  imagesMax: number = IMAGES_MAX,
): Promise<SweepTally> {
  const tally: SweepTally = { points: 0, images: 0, sampled: [] }
  for (const moment of await momentsOf(bench, work)) {
    const { point } = moment
    tally.points++
    if (!point.isExhaustive(imagesMax)) tally.sampled.push(`${point.after} (${point.imageCount})`)
    let nth = 0
    for (const { content, choice } of point.images(imagesMax)) {
      tally.images++
      const check = nth++ < WORKED_ON ? "and works" : "is found"
      await mustBeFound(bench.kind, content, moment, check, `${point.after}, with ${choice}`)
    }
  }
  return tally
}

/** Opens some images of the work, and sweeps that: crashes in the recovery from a crash. */
export async function sweepRecoveries(
  bench: CrashBench,
  work: Work,
  imageCount: number,
): Promise<SweepTally> {
  const all: SweepTally = { points: 0, images: 0, sampled: [] }
  const random = seededRandom(`recoveries of ${bench.world.seed}`)
  const moments = await momentsOf(bench, work)
  for (let nth = 0; nth < imageCount; nth++) {
    const moment = random.pick(moments)
    const { content } = random.pick([...moment.point.images(IMAGES_MAX)])
    const { points, images, sampled } = await sweepRecovery(bench.kind, content, moment)
    all.points += points
    all.images += images
    all.sampled.push(...sampled)
  }
  return all
}

/**
 * What was told by the time of a point is what its images are held to: nothing can be told in the
 * step that changes the disk, and what is told later changes no disk.
 */
async function momentsOf(bench: CrashBench, work: Work): Promise<Moment[]> {
  const recorder = bench.disk.recordCrashPoints()
  const moments: Moment[] = []
  let { toldCount } = bench
  bench.onStep = () => {
    const fresh = recorder.points.slice(moments.length)
    for (const point of fresh) moments.push({ point, possible: bench.possible })
    if (bench.toldCount === toldCount) return
    toldCount = bench.toldCount
    moments.at(-1)!.possible = bench.possible
  }
  bench.onStep()
  const failed = (await work(bench)).filter((end) => end !== "ok")
  if (failed.length > 0) throw new AssertionError(`the work itself: ${failed.join(", ")}`)
  await bench.run()
  recorder.stop()
  bench.onStep = () => undefined
  return moments
}

async function mustBeFound(
  kind: DiskKind,
  image: SparseBytes,
  { point, possible }: Moment,
  check: ImageCheck,
  where: string,
): Promise<void> {
  const complaints = await complaintsAbout(kind, image, point.sizeBytes, possible, check)
  if (complaints.length === 0) return
  throw new AssertionError(`after ${where} (${diskTitle(kind)}): ${complaints.join("; ")}`)
}

/** What an image of a disk breaks of all that may be found there. */
export async function complaintsAbout(
  kind: DiskKind,
  content: SparseBytes,
  sizeBytes: number,
  possible: readonly Possible[],
  check: ImageCheck,
): Promise<string[]> {
  // Another seed is another boot of the machine.
  const bench = new CrashBench({ kind, seed: IMAGE_SEED, content, sizeBytes })
  try {
    await bench.open()
  } catch (thrown) {
    const { code, message } = RmrError.from(thrown)
    const isFree = !bench.disk.isOpen && bench.leaseCount === 0
    const looked = await bench.inspect()
    const isLooked = code !== "not-found" || looked === code
    bench.end()
    const isAllowed = isLooked && ABSENT_SAYS.includes(code) && possible.includes("absent")
    return isAllowed && isFree ? [] : [`S10: it does not open: ${message}, ${looked}`]
  }
  const found = await bench.find()
  const { ledger, complaints } = judge(found, possible, kind.atomicBytes)
  if (ledger === undefined) return complaints
  bench.ledger = ledger
  await goOn(bench, found, check)
  bench.end()
  return []
}

const IMAGE_SEED = 977

/** Which of the possible ledgers the store found is of; or what it breaks. */
export function judge(
  found: Found,
  possible: readonly Possible[],
  unitBytes: number,
  end: LifeEnd = "power",
): { ledger: CrashLedger | undefined; complaints: string[] } {
  let complaints = ["S10: there is a store"]
  for (const one of possible) {
    if (one === "absent") continue
    complaints = one.complaints(found, end, unitBytes)
    if (complaints.length === 0) return { ledger: one.copy(), complaints }
  }
  return { ledger: undefined, complaints }
}

/** What was found is found again, and the store works: a commit and data after it are kept. */
async function goOn(bench: CrashBench, found: Found, check: ImageCheck): Promise<void> {
  settleOn(bench, found)
  await bench.close()
  await openAgain(bench, "a clean close")
  await workOn(bench, found)
  if (check === "is found") {
    await bench.close()
    return
  }
  bench.powerCut("lost")
  await openAgain(bench, "one more commit and a power cut")
  await bench.close()
}

/** The ledger is held to what an open has found. */
export function settleOn(bench: CrashBench, found: Found, end: LifeEnd = "power"): void {
  bench.ledger.settle(found, end === "power")
  bench.ledger.phase = "open"
}

/** Opens, and finds what the ledger allows. */
export async function openAgain(
  bench: CrashBench,
  what: string,
  end: LifeEnd = "power",
): Promise<Found> {
  const before = bench.ledger.copy()
  await bench.open()
  const found = await bench.find()
  const complaints = before.complaints(found, end, bench.unitBytes)
  if (complaints.length > 0) throw new AssertionError(`${what}: ${complaints.join("; ")}`)
  settleOn(bench, found, end)
  return found
}

async function workOn(bench: CrashBench, { cells }: Found): Promise<void> {
  const cell = { kind: "map", index: 7, bytes: Uint8Array.of(cells.size, 77) } as const
  const last = SHAPE.sizeBytes / SHAPE.extentBytes - 1
  const unit = (last * SHAPE.extentBytes) / bench.unitBytes
  await bench.done(bench.startCommit([cell]), bench.startHeat([last]))
  await bench.done(bench.startWrite(unit, unit + 4096 / bench.unitBytes))
  await bench.done(bench.startFlush())
  const read = await bench.wait(bench.store.readCell("map", 7), "cell")
  if (read?.[1] !== 77) {
    throw new AssertionError(`S9: cells are ${describeCells(bench.ledger.cells)} and map 7 is lost`)
  }
}

/** A crash in the recovery from a crash. */
async function sweepRecovery(
  kind: DiskKind,
  content: SparseBytes,
  { point, possible }: Moment,
): Promise<SweepTally> {
  const { sizeBytes } = point
  const bench = new CrashBench({ kind, seed: IMAGE_SEED + 1, content, sizeBytes })
  const ledgers = possible.filter((one) => one !== "absent").map((one) => one.copy())
  for (const ledger of ledgers) ledger.died("power")
  bench.others = [...ledgers, ...(possible.includes("absent") ? (["absent"] as const) : [])]
  const tally = await sweep(
    bench,
    async () => {
      for (const ledger of ledgers) ledger.phase = "opening"
      try {
        await bench.open()
      } catch (thrown) {
        if (!ABSENT_SAYS.includes(RmrError.from(thrown).code)) throw thrown
        bench.others = ["absent"]
        bench.toldCount++
        return []
      }
      const found = await bench.find()
      const { ledger, complaints } = judge(found, bench.others, kind.atomicBytes)
      if (ledger === undefined) throw new AssertionError(`recovered: ${complaints.join("; ")}`)
      bench.ledger = ledger
      settleOn(bench, found)
      bench.isPresent = true
      bench.others = []
      bench.toldCount++
      return []
    },
    IMAGES_MAX_RECOVERY,
  )
  return tally
}

/** Says what was covered: the counts are of the format, so that no test can know them. */
export function printTally(what: string, { points, images, sampled }: SweepTally): void {
  const rest = sampled.length === 0 ? "all of each" : `sampled: ${sampled.join(", ")}`
  process.stdout.write(`${what}: ${points} points, ${images} images, ${rest}\n`)
}

/**
 * Each story on two of the four kinds of disks, one that tears at 512 and one that does not, or on
 * one; on all four with `RMR_LONG=1`. From one story to the next they are others.
 */
export function onDisks<T extends { readonly title: string }>(
  stories: readonly T[],
  kindCount = 2,
): [title: string, story: T, kind: DiskKind][] {
  return stories.flatMap((story, nth) => {
    const kinds = [...DISK_KINDS.slice(nth % 4), ...DISK_KINDS.slice(0, nth % 4)]
    const opposite = [kinds[0]!, kinds.find((kind) => isOpposite(kind, kinds[0]!))!]
    return (isLong ? kinds : opposite.slice(0, kindCount)).map((kind): [string, T, DiskKind] => [
      `${story.title}; ${diskTitle(kind)}`,
      story,
      kind,
    ])
  })
}

function isOpposite(a: DiskKind, b: DiskKind): boolean {
  return a.atomicBytes !== b.atomicBytes && a.forcedUnitAccess !== b.forcedUnitAccess
}

/** A disk with a store that was made and closed, and nothing else, for many benches. */
export async function freshBench(kind: DiskKind, seed: number): Promise<CrashBench> {
  const first = new CrashBench({ kind, seed })
  await first.wait(first.startCreate(false, true), "create")
  const { ledger } = first
  first.end()
  return new CrashBench({ kind, seed: seed + 1, content: first.disk.content(), ledger })
}
