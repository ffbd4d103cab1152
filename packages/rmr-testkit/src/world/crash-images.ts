/**
 * Every disk that a power cut at one moment could leave behind.
 *
 * A crash point is the disk at a moment: its bytes, and the versions of every unit that is not
 * durable. An image picks one version per unit. If there are few combinations all of them are
 * enumerated; otherwise the telling ones come first (all lost, all kept, every prefix of the
 * writes, every single write missing or alone) and random ones fill up to the bound. `isExhaustive`
 * says which of the two it was, and a test should say which it expects.
 *
 * A test of crash safety records the points of an operation and opens its store on every image of
 * every point.
 */
import type { CachedWrite, UncertainUnit } from "./disk-cache.js"
import { lastKept, writesOf } from "./disk-cache.js"
import type { SeededRandom } from "./seeded-random.js"
import type { SparseBytes } from "./sparse-bytes.js"

export interface CrashImage {
  /** The bytes; hand a disk made of them to the code under test. */
  readonly content: SparseBytes
  /** Which version each uncertain unit got: "3:0 7:2". */
  readonly choice: string
}

export interface CrashPoint {
  /** What had happened just before: "write 4096+8192", "flush". */
  readonly after: string
  /** How large the disk was. */
  readonly sizeBytes: number
  /** Distinct images; `Infinity` beyond what can be counted. */
  readonly imageCount: number
  isExhaustive(countMax: number): boolean
  /** At most `countMax` images; all of them when there are no more. */
  images(countMax: number): Generator<CrashImage>
}

export interface CrashPointParts {
  readonly after: string
  readonly sizeBytes: number
  readonly content: SparseBytes
  readonly unitBytes: number
  readonly units: readonly UncertainUnit[]
  readonly random: SeededRandom
}

/** One version index per uncertain unit. */
type Choice = readonly number[]

export function crashPoint(parts: CrashPointParts): CrashPoint {
  const units = parts.units.map(withDistinct).filter((unit) => unit.distinct.length > 1)
  const imageCount = units.reduce((product, unit) => product * unit.distinct.length, 1)
  const image = (choice: Choice): CrashImage => ({
    content: imageOf(parts, units, choice),
    choice: units.map(({ unit }, at) => `${unit}:${choice[at]}`).join(" "),
  })
  return {
    after: parts.after,
    sizeBytes: parts.sizeBytes,
    imageCount,
    isExhaustive: (countMax) => imageCount <= countMax,
    images: function* (countMax) {
      const isExhaustive = imageCount <= countMax
      let count = 0
      for (const choice of isExhaustive ? allChoices(units) : tellingChoices(units, parts.random)) {
        if (count++ >= countMax) return
        yield image(choice)
      }
    },
  }
}

interface ChoosableUnit extends UncertainUnit {
  /** Indexes of the versions whose bytes no earlier version has. */
  readonly distinct: readonly number[]
}

function withDistinct({ unit, versions }: UncertainUnit): ChoosableUnit {
  const distinct: number[] = []
  for (const [at, version] of versions.entries()) {
    const isKnown = distinct.some((known) => isSame(versions[known]!.bytes, version.bytes))
    if (!isKnown) distinct.push(at)
  }
  return { unit, versions, distinct }
}

function imageOf(
  parts: CrashPointParts,
  units: readonly ChoosableUnit[],
  choice: Choice,
): SparseBytes {
  const content = parts.content.copy()
  for (const [at, { unit, versions }] of units.entries()) {
    const { bytes } = versions[choice[at]!]!
    const offset = unit * parts.unitBytes
    if (bytes === undefined) content.zero(offset, parts.unitBytes)
    else content.write(offset, bytes)
  }
  return content
}

/** Counts through the distinct versions like an odometer with a wheel per unit. */
function* allChoices(units: readonly ChoosableUnit[]): Generator<Choice> {
  const wheels = units.map(() => 0)
  for (;;) {
    yield units.map((unit, at) => unit.distinct[wheels[at]!]!)
    let at = 0
    while (at < units.length && wheels[at] === units[at]!.distinct.length - 1) wheels[at++] = 0
    if (at === units.length) return
    wheels[at] = wheels[at]! + 1
  }
}

/** Without end: the telling ones first, then random ones. */
function* tellingChoices(units: readonly ChoosableUnit[], random: SeededRandom): Generator<Choice> {
  const writes = writesOf(units.map((unit) => unit.versions))
  const keeping = (isKept: (write: CachedWrite) => boolean): Choice =>
    units.map((unit) => lastKept(unit.versions, isKept))
  yield keeping(() => false)
  yield keeping(() => true)
  for (const last of writes.slice(0, -1)) yield keeping((write) => write.number <= last.number)
  for (const missing of writes) yield keeping((write) => write !== missing)
  for (const alone of writes) yield keeping((write) => write === alone)
  for (;;) yield units.map((unit) => random.below(unit.versions.length))
}

function isSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  const length = (a ?? b)?.length ?? 0
  for (let at = 0; at < length; at++) {
    if ((a?.[at] ?? 0) !== (b?.[at] ?? 0)) return false
  }
  return true
}
