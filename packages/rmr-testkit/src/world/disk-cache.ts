/**
 * What a disk has taken but not yet made durable, unit by unit.
 *
 * A unit is what the medium writes whole. For each unit that was written since it was last durable,
 * the versions it had are kept: the durable one first, the one that reads see last. A power cut may
 * leave any of them, in each unit on its own; that single sentence covers writes that are lost,
 * kept, torn between two units and carried out in another order than they were asked.
 *
 * A flush covers the writes that had completed when it was submitted: in each unit, the last
 * covered version becomes the durable one, and later ones stay uncertain. A flush that fails covers
 * nothing, and does so for ever: as with Linux, what it should have written counts as clean
 * afterwards, and no later flush tries it again.
 */
import { assert } from "@rmr/core"

/** One write or zero, as the order of versions and the coverage of flushes see it. */
export interface CachedWrite {
  /** Order of execution. */
  readonly number: number
  /** When its completion was delivered, as a count of completions; 0 until then. */
  completedAt: number
  /** A flush that should have covered it failed. */
  isOrphan: boolean
}

export interface UnitVersion {
  /** Undefined for the durable version. */
  readonly write: CachedWrite | undefined
  /** Never changed once it is here; undefined reads zero. */
  readonly bytes: Uint8Array | undefined
}

/** A unit that is not durable as it reads. At least two versions, the durable one first. */
export interface UncertainUnit {
  readonly unit: number
  readonly versions: readonly UnitVersion[]
}

export class DiskCache {
  private readonly versionsByUnit = new Map<number, UnitVersion[]>()
  private writeCount = 0
  private completionCount = 0

  get isEmpty(): boolean {
    return this.versionsByUnit.size === 0
  }

  /** What a flush submitted now would cover. */
  get coverage(): number {
    return this.completionCount
  }

  beginWrite(): CachedWrite {
    return { number: ++this.writeCount, completedAt: 0, isOrphan: false }
  }

  complete(write: CachedWrite): void {
    if (write.completedAt === 0) write.completedAt = ++this.completionCount
  }

  /** Whoever wrote them is gone: what was executed counts as completed for flushes of others. */
  completeAll(): void {
    for (const write of this.writesInOrder()) this.complete(write)
  }

  isUncertain(unit: number): boolean {
    return this.versionsByUnit.has(unit)
  }

  /** The unit will differ from what is durable, which is this. */
  begin(unit: number, durable: Uint8Array | undefined): void {
    assert(!this.isUncertain(unit), "a unit has one durable version")
    this.versionsByUnit.set(unit, [{ write: undefined, bytes: durable }])
  }

  put(unit: number, write: CachedWrite, bytes: Uint8Array | undefined): void {
    const versions = this.versionsByUnit.get(unit)
    assert(versions !== undefined, "a version lies on a durable one")
    versions.push({ write, bytes })
  }

  /** The durable version of a unit that reads differently. */
  durableOf(unit: number): UnitVersion | undefined {
    return this.versionsByUnit.get(unit)?.[0]
  }

  flush(coverage: number): void {
    this.harden((write) => isCovered(write, coverage) && !write.isOrphan)
  }

  failFlush(coverage: number): void {
    for (const write of this.writesInOrder()) {
      if (isCovered(write, coverage)) write.isOrphan = true
    }
  }

  /** Makes one write durable, with everything it lies upon. */
  hardenWrite(hardened: CachedWrite): void {
    this.harden((write) => write === hardened)
  }

  /** Replaces what a unit holds in every version: damage does not ask which one is durable. */
  rewrite(unit: number, change: (bytes: Uint8Array | undefined) => Uint8Array | undefined): void {
    const versions = this.versionsByUnit.get(unit)
    if (versions === undefined) return
    const changed = versions.map(({ write, bytes }) => ({ write, bytes: change(bytes) }))
    this.versionsByUnit.set(unit, changed)
  }

  forget(unit: number): void {
    this.versionsByUnit.delete(unit)
  }

  clear(): void {
    this.versionsByUnit.clear()
  }

  /** Units whose latest write a failed flush has left without anybody who would write it again. */
  orphanedUnits(): UncertainUnit[] {
    return this.uncertainUnits().filter((unit) => unit.versions.at(-1)?.write?.isOrphan === true)
  }

  /** Ascending by unit; a snapshot that later writes do not change. */
  uncertainUnits(): UncertainUnit[] {
    return [...this.versionsByUnit]
      .map(([unit, versions]) => ({ unit, versions: [...versions] }))
      .sort((a, b) => a.unit - b.unit)
  }

  writesInOrder(): CachedWrite[] {
    return writesOf(this.versionsByUnit.values())
  }

  private harden(isDurable: (write: CachedWrite) => boolean): void {
    for (const [unit, versions] of this.versionsByUnit) {
      let last = versions.length - 1
      while (last > 0 && !isDurable(versions[last]!.write!)) last--
      if (last === 0) continue
      if (last === versions.length - 1) this.versionsByUnit.delete(unit)
      else {
        const durable: UnitVersion = { write: undefined, bytes: versions[last]!.bytes }
        this.versionsByUnit.set(unit, [durable, ...versions.slice(last + 1)])
      }
    }
  }
}

/** Every write that appears in these versions, once, in order of execution. */
export function writesOf(units: Iterable<readonly UnitVersion[]>): CachedWrite[] {
  const writes = new Set<CachedWrite>()
  for (const versions of units) {
    for (const { write } of versions) if (write !== undefined) writes.add(write)
  }
  return [...writes].sort((a, b) => a.number - b.number)
}

/** The version that is left when exactly these writes reached the medium. */
export function lastKept(
  versions: readonly UnitVersion[],
  isKept: (write: CachedWrite) => boolean,
): number {
  let last = versions.length - 1
  while (last > 0) {
    const write = versions[last]!.write
    assert(write !== undefined, "only the durable version has no write")
    if (isKept(write)) break
    last--
  }
  return last
}

function isCovered(write: CachedWrite, coverage: number): boolean {
  return write.completedAt > 0 && write.completedAt <= coverage
}
