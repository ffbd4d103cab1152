/**
 * What a volume may hold, in plain memory: the judge over random operations and crashes.
 *
 * For each atomic unit it keeps the versions since the last durable one, oldest first. A read must
 * see the latest; a power cut may leave any of them; a dying process only decides whether what was
 * in flight happened. After each crash what is found is checked and becomes the truth.
 *
 * Changes that are in flight together must not overlap: which one is last would be nobody's
 * promise.
 */
import { AssertionError, assert } from "@rmr/core"
import { isSame } from "./content.js"

/** One write or zero. */
export interface OracleChange {
  readonly offset: number
  readonly content: Uint8Array
  /** Order of completion; 0 while in flight. */
  completedAt: number
}

interface Version {
  readonly bytes: Uint8Array
  /** Undefined for the durable version. */
  readonly change: OracleChange | undefined
}

export class VolumeOracle {
  /** What a read sees. */
  readonly content: Uint8Array
  private readonly unitBytes: number
  /** Units that are not surely durable as they read; the durable version first. */
  private readonly versionsByUnit = new Map<number, Version[]>()
  private readonly inFlight = new Set<OracleChange>()
  private completedCount = 0

  constructor(content: Uint8Array, unitBytes: number) {
    this.content = content
    this.unitBytes = unitBytes
  }

  begin(offset: number, content: Uint8Array): OracleChange {
    const change: OracleChange = { offset, content, completedAt: 0 }
    this.inFlight.add(change)
    for (const unit of this.unitsOf(offset, content.length)) {
      const versions = this.versionsByUnit.get(unit) ?? [
        { bytes: this.unitOf(this.content, unit), change: undefined },
      ]
      versions.push({ bytes: this.unitOf(content, unit, offset), change })
      this.versionsByUnit.set(unit, versions)
    }
    return change
  }

  complete(change: OracleChange): void {
    assert(this.inFlight.delete(change), "a change completes once")
    change.completedAt = ++this.completedCount
    this.content.set(change.content, change.offset)
  }

  /** What a flush that is submitted now covers. */
  get coverage(): number {
    return this.completedCount
  }

  flushed(coverage: number): void {
    this.harden((change) => change.completedAt > 0 && change.completedAt <= coverage)
  }

  /** The change was made durable by itself. */
  forced(forced: OracleChange): void {
    this.harden((change) => change === forced)
  }

  /** Everything in flight happened or not, unit by unit; what was completed is there. */
  afterKill(found: Uint8Array): void {
    for (const [unit, versions] of this.versionsByUnit) {
      const bytes = this.unitOf(found, unit)
      const isPossible = (version: Version): boolean =>
        isSame(version.bytes, bytes) && this.isNewest(version, versions)
      if (!versions.some(isPossible)) this.refuse(unit, "a dying process", bytes)
      const happened = versions.filter((version) => {
        return !this.isInFlight(version) || isSame(version.bytes, bytes)
      })
      this.versionsByUnit.set(unit, happened)
    }
    for (const change of this.inFlight) change.completedAt = ++this.completedCount
    this.inFlight.clear()
    this.adopt(found)
  }

  /** Each unit is what was durable last, or something that was written there since. */
  afterPowerCut(found: Uint8Array): void {
    for (const [unit, versions] of this.versionsByUnit) {
      const bytes = this.unitOf(found, unit)
      if (!versions.some((version) => isSame(version.bytes, bytes))) {
        this.refuse(unit, "a power cut", bytes)
      }
    }
    this.adopt(found)
    this.inFlight.clear()
    this.versionsByUnit.clear()
  }

  /** In flight, or what a read saw before the crash. */
  private isNewest(version: Version, versions: readonly Version[]): boolean {
    if (this.isInFlight(version)) return true
    const completed = versions.filter((other) => !this.isInFlight(other))
    return version === completed[completed.length - 1]
  }

  private isInFlight({ change }: Version): boolean {
    return change !== undefined && this.inFlight.has(change)
  }

  /** Units without versions must be as they were. */
  private adopt(found: Uint8Array): void {
    for (let unit = 0; unit < this.content.length / this.unitBytes; unit++) {
      if (this.versionsByUnit.has(unit)) continue
      const bytes = this.unitOf(found, unit)
      if (!isSame(bytes, this.unitOf(this.content, unit))) this.refuse(unit, "a crash", bytes)
    }
    this.content.set(found)
  }

  private harden(isDurable: (change: OracleChange) => boolean): void {
    for (const [unit, versions] of this.versionsByUnit) {
      let last = versions.length - 1
      while (last > 0 && !isDurable(versions[last]!.change!)) last--
      if (last === 0) continue
      if (last === versions.length - 1) this.versionsByUnit.delete(unit)
      else {
        const durable: Version = { bytes: versions[last]!.bytes, change: undefined }
        this.versionsByUnit.set(unit, [durable, ...versions.slice(last + 1)])
      }
    }
  }

  private *unitsOf(offset: number, bytes: number): Generator<number> {
    const end = (offset + bytes) / this.unitBytes
    for (let unit = offset / this.unitBytes; unit < end; unit++) yield unit
  }

  private unitOf(content: Uint8Array, unit: number, offset = 0): Uint8Array {
    const at = unit * this.unitBytes - offset
    return content.slice(at, at + this.unitBytes)
  }

  private refuse(unit: number, cause: string, bytes: Uint8Array): never {
    const versions = this.versionsByUnit.get(unit)
    const known = versions?.map((version) => head(version.bytes)).join(", ") ?? "its last version"
    const at = unit * this.unitBytes
    const story = `the unit at ${at}, after ${cause}, to begin as one of: ${known}`
    throw new AssertionError(`expected ${story}; not ${head(bytes)}`)
  }
}

function head(bytes: Uint8Array): string {
  return [...bytes.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join("")
}
