/**
 * The medium of a simulated disk: its bytes, its cache, its bad sectors, and what a power cut
 * leaves.
 *
 * No time passes here and nobody waits; disk-operation.ts says what an operation does to it, and
 * sim-block-file.ts when. The unit of everything is the sector: what the medium writes whole.
 */
import { assert } from "@rmr/core"
import type { CrashPoint } from "./crash-images.js"
import { crashPoint } from "./crash-images.js"
import type { CachedWrite, UncertainUnit, UnitVersion } from "./disk-cache.js"
import { DiskCache, lastKept, writesOf } from "./disk-cache.js"
import type { SeededRandom } from "./seeded-random.js"
import { SparseBytes } from "./sparse-bytes.js"

export const POWER_FATES = ["lost", "kept", "torn", "reordered", "scrambled"] as const

/**
 * What becomes of the writes that are not durable when the power fails.
 *
 * - `lost`: none of them happened.
 * - `kept`: all of them happened.
 * - `torn`: they happened in order up to one, of which some sectors are there and some are not.
 * - `reordered`: each of them happened or did not, whatever became of the others.
 * - `scrambled`: each sector has any of the versions it ever had since it was last durable.
 */
export type PowerFate = (typeof POWER_FATES)[number]

const JUNK_BYTES = 16_384

export interface MediumOptions {
  readonly sizeBytes: number
  /** How far it can grow by itself, as a file can. */
  readonly sizeBytesMax: number
  readonly sectorBytes: number
  readonly content: SparseBytes | undefined
  readonly random: SeededRandom
}

/** Which operations a damaged sector fails; what fails reads alone is healed by writing. */
export type Damage = "reads" | "writes" | "both"

/** A run of unreadable or unwritable bytes. */
export interface BadRange {
  readonly offset: number
  readonly length: number
}

export class DiskMedium {
  readonly cache: DiskCache = new DiskCache()
  readonly sectorBytes: number
  sizeBytes: number
  readonly sizeBytesMax: number
  /** Called after every change of what a power cut could leave, with what it was. */
  onChange: ((after: string) => void) | undefined
  private readonly bytes: SparseBytes
  private readonly random: SeededRandom
  private readonly damageBySector = new Map<number, Damage>()

  constructor(options: MediumOptions) {
    this.sizeBytes = options.sizeBytes
    this.sizeBytesMax = options.sizeBytesMax
    this.sectorBytes = options.sectorBytes
    this.random = options.random
    this.bytes = options.content?.copy() ?? new SparseBytes()
  }

  get allocatedBytes(): number {
    return this.bytes.allocatedBytes
  }

  missingBytes(offset: number, length: number): number {
    return this.bytes.missingBytes(offset, length)
  }

  read(offset: number, into: Uint8Array): void {
    this.bytes.read(offset, into)
  }

  /** As after a power cut that loses everything it may lose. */
  readDurable(offset: number, into: Uint8Array): void {
    this.bytes.read(offset, into)
    if (this.cache.isEmpty) return
    const sector = new Uint8Array(this.sectorBytes)
    this.forEachSector(offset, into.length, (number, start) => {
      const durable = this.cache.durableOf(number)
      if (durable === undefined) return
      if (durable.bytes === undefined) sector.fill(0)
      else sector.set(durable.bytes)
      copyOverlap(sector, start, into, offset)
    })
  }

  write(offset: number, from: Uint8Array, write: CachedWrite): void {
    this.forEachSector(offset, from.length, (sector, start) => {
      const at = start - offset
      this.remember(sector, write, from.slice(at, at + this.sectorBytes))
    })
    this.bytes.write(offset, from)
    this.onChange?.(`write ${offset}+${from.length}`)
  }

  /** `isKept`: the space stays allocated. */
  zero(offset: number, length: number, isKept: boolean, write: CachedWrite): void {
    this.forEachSector(offset, length, (sector) => this.remember(sector, write, undefined))
    this.bytes.zero(offset, length, isKept)
    this.onChange?.(`zero ${offset}+${length}`)
  }

  flush(coverage: number): void {
    this.cache.flush(coverage)
    this.onChange?.("flush")
  }

  harden(write: CachedWrite): void {
    this.cache.hardenWrite(write)
    this.onChange?.("forced unit access")
  }

  /** Changes bytes behind everybody's back, durably; any offset and length. */
  poke(offset: number, from: Uint8Array): void {
    this.bytes.write(offset, from)
    this.forEachSector(offset, from.length, (sector, start) => {
      this.cache.rewrite(sector, (bytes) => {
        const changed = bytes?.slice() ?? new Uint8Array(this.sectorBytes)
        copyOverlap(from, offset, changed, start)
        return changed
      })
    })
    this.onChange?.(`poke ${offset}+${from.length}`)
  }

  damage(offset: number, length: number, damage: Damage): void {
    this.forEachSector(offset, length, (sector) => this.damageBySector.set(sector, damage))
  }

  /** The first run of bytes in the range that reads, or else writes, fail on. */
  firstBad(offset: number, length: number, fails: "reads" | "writes"): BadRange | undefined {
    if (this.damageBySector.size === 0) return undefined
    let first = -1
    let end = -1
    this.forEachSector(offset, length, (sector, start) => {
      const damage = this.damageBySector.get(sector)
      const isBad = damage === fails || damage === "both"
      if (!isBad || (first >= 0 && end !== start)) return
      if (first < 0) first = start
      end = start + this.sectorBytes
    })
    return first < 0 ? undefined : { offset: first, length: end - first }
  }

  /** Makes it at least this long, durably; false where there is no room. */
  grow(sizeBytes: number): boolean {
    if (sizeBytes <= this.sizeBytes) return true
    if (sizeBytes > this.sizeBytesMax) return false
    // Nobody promises what new bytes hold: the first and the last of them are rubbish here.
    const junkByte = 1 + this.random.fork(`junk-${sizeBytes}`).below(255)
    const junk = new Uint8Array(Math.min(sizeBytes - this.sizeBytes, JUNK_BYTES)).fill(junkByte)
    this.bytes.write(this.sizeBytes, junk)
    this.bytes.write(sizeBytes - junk.length, junk)
    this.sizeBytes = sizeBytes
    this.onChange?.(`grow to ${sizeBytes}`)
    return true
  }

  resize(sizeBytes: number): void {
    assert(sizeBytes % this.sectorBytes === 0, "a disk holds whole sectors")
    this.sizeBytes = sizeBytes
    this.bytes.truncate(sizeBytes)
    for (const { unit } of this.cache.uncertainUnits()) {
      if (unit * this.sectorBytes >= sizeBytes) this.cache.forget(unit)
    }
  }

  powerCut(fate: PowerFate): void {
    for (const { unit, versions } of this.cache.uncertainUnits().map(this.chooser(fate))) {
      this.putBack(unit, versions)
    }
    this.cache.clear()
    this.onChange?.(`power cut: ${fate}`)
  }

  /**
   * The last user of the cache is gone. What a failed flush left behind counts as clean, so it is
   * dropped at some time, and then reads see what had reached the medium.
   */
  dropOrphans(): void {
    for (const { unit, versions } of this.cache.orphanedUnits()) {
      this.putBack(unit, [versions[this.random.below(versions.length)]!])
      this.cache.forget(unit)
    }
    this.cache.completeAll()
  }

  copyOfBytes(): SparseBytes {
    return this.bytes.copy()
  }

  crashPoint(after: string): CrashPoint {
    return crashPoint({
      after,
      sizeBytes: this.sizeBytes,
      content: this.bytes.copy(),
      unitBytes: this.sectorBytes,
      units: this.cache.uncertainUnits(),
      random: this.random.fork("crash-point"),
    })
  }

  /** Cuts a unit's versions down to the one that this fate leaves. */
  private chooser(fate: PowerFate): (unit: UncertainUnit) => UncertainUnit {
    const random = this.random
    const writes = writesOf(this.cache.uncertainUnits().map((unit) => unit.versions))
    const torn = writes.length === 0 ? undefined : random.pick(writes)
    const kept = new Set(writes.filter(() => random.chance(0.5)))
    const isKept = (write: CachedWrite): boolean => {
      if (fate === "torn" && torn !== undefined) {
        return write === torn ? random.chance(0.5) : write.number < torn.number
      }
      return fate === "kept" || (fate === "reordered" && kept.has(write))
    }
    return ({ unit, versions }) => {
      const at = fate === "scrambled" ? random.below(versions.length) : lastKept(versions, isKept)
      return { unit, versions: [versions[at]!] }
    }
  }

  private putBack(unit: number, [version]: readonly UnitVersion[]): void {
    const offset = unit * this.sectorBytes
    if (version?.bytes === undefined) this.bytes.zero(offset, this.sectorBytes)
    else this.bytes.write(offset, version.bytes)
  }

  /** A sector is about to be written: keep what it was, and what it will be. */
  private remember(sector: number, write: CachedWrite, bytes: Uint8Array | undefined): void {
    if (!this.cache.isUncertain(sector)) this.cache.begin(sector, this.sectorCopy(sector))
    this.cache.put(sector, write, bytes)
    if (this.damageBySector.get(sector) === "reads") this.damageBySector.delete(sector)
  }

  private sectorCopy(sector: number): Uint8Array | undefined {
    const offset = sector * this.sectorBytes
    if (this.bytes.missingBytes(offset, this.sectorBytes) >= this.sectorBytes) return undefined
    const bytes = new Uint8Array(this.sectorBytes)
    this.bytes.read(offset, bytes)
    return bytes
  }

  /** Every sector that the range touches. */
  private forEachSector(
    offset: number,
    length: number,
    visit: (sector: number, start: number) => void,
  ): void {
    const end = offset + length
    for (let sector = Math.floor(offset / this.sectorBytes); ; sector++) {
      const start = sector * this.sectorBytes
      if (start >= end) return
      visit(sector, start)
    }
  }
}

/** Copies what two byte ranges have in common, each given with where it starts. */
function copyOverlap(from: Uint8Array, fromAt: number, into: Uint8Array, intoAt: number): void {
  const start = Math.max(fromAt, intoAt)
  const end = Math.min(fromAt + from.length, intoAt + into.length)
  if (start < end) into.set(from.subarray(start - fromAt, end - fromAt), start - intoAt)
}
