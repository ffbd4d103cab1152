/**
 * Bytes under a volatile cache: what is read, what is on the medium, and what differs between them.
 *
 * Everything is counted in atomic units. A unit that was written since it was last durable is
 * *unflushed*; a power cut decides for each unflushed unit, by chance, whether the cache had
 * written it back in time. This is the whole difference between a dying process and a dying
 * machine.
 */
import type { Random } from "@rmr/core"
import { SparseBytes } from "../world/sparse-bytes.js"

export class CachedBytes {
  readonly unitBytes: number
  /** What a read sees. */
  protected current: SparseBytes = new SparseBytes()
  /** What is on the medium. */
  protected durable: SparseBytes = new SparseBytes()
  /** Numbers of the units in which the two may differ. */
  protected readonly unflushed: Set<number> = new Set()
  private readonly scratch: Uint8Array

  constructor(unitBytes: number) {
    this.unitBytes = unitBytes
    this.scratch = new Uint8Array(unitBytes)
  }

  get allocatedBytes(): number {
    return this.current.allocatedBytes
  }

  read(offset: number, into: Uint8Array): void {
    this.current.read(offset, into)
  }

  write(offset: number, from: Uint8Array): void {
    this.current.write(offset, from)
    this.touch(offset, from.length)
  }

  /** With `givesBack`, the range occupies nothing afterwards. */
  zero(offset: number, bytes: number, givesBack: boolean): void {
    this.current.zero(offset, bytes, !givesBack)
    this.touch(offset, bytes)
  }

  flush(): void {
    for (const unit of this.unflushed) this.writeBack(unit)
    this.unflushed.clear()
  }

  /** Makes one range durable: what FUA asks for. */
  force(offset: number, bytes: number): void {
    const end = (offset + bytes) / this.unitBytes
    for (let unit = offset / this.unitBytes; unit < end; unit++) {
      if (this.unflushed.delete(unit)) this.writeBack(unit)
    }
  }

  /** The cache is gone: each unflushed unit had been written back, or is what it was before. */
  loseCache(random: Random): void {
    for (const unit of this.unflushed) {
      if (random.below(2) === 0) this.writeBack(unit)
      else this.revert(unit)
    }
    this.unflushed.clear()
  }

  /** What is on the medium now; the result puts it back, under an empty cache. */
  snapshot(): () => void {
    const kept = this.durable.copy()
    return () => {
      this.durable = kept.copy()
      this.current = kept.copy()
      this.unflushed.clear()
    }
  }

  protected writeBack(unit: number): void {
    copyUnit(this.current, this.durable, unit * this.unitBytes, this.scratch)
  }

  protected revert(unit: number): void {
    copyUnit(this.durable, this.current, unit * this.unitBytes, this.scratch)
  }

  private touch(offset: number, bytes: number): void {
    const end = (offset + bytes) / this.unitBytes
    for (let unit = offset / this.unitBytes; unit < end; unit++) this.unflushed.add(unit)
  }
}

/** Zeroes stay thin on their way. */
function copyUnit(from: SparseBytes, to: SparseBytes, offset: number, scratch: Uint8Array): void {
  from.read(offset, scratch)
  if (isZero(scratch)) to.zero(offset, scratch.length)
  else to.write(offset, scratch)
}

function isZero(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at++) if (bytes[at] !== 0) return false
  return true
}
