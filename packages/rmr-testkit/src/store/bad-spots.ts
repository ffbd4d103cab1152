/**
 * Where a medium cannot be read or written, in atomic units.
 */

export interface BadRange {
  readonly offset: number
  readonly bytes: number
}

export class BadSpots {
  private readonly units = new Set<number>()
  private readonly unitBytes: number

  constructor(unitBytes: number) {
    this.unitBytes = unitBytes
  }

  add(offset: number, bytes: number): void {
    for (const unit of this.unitsOf(offset, bytes)) this.units.add(unit)
  }

  /** Sectors that were written anew are good again: the drive has put others in their place. */
  heal(offset: number, bytes: number): void {
    if (this.units.size === 0) return
    for (const unit of this.unitsOf(offset, bytes)) this.units.delete(unit)
  }

  /** The first run of bad bytes inside the range. */
  firstIn(offset: number, bytes: number): BadRange | undefined {
    if (this.units.size === 0) return undefined
    let from = -1
    let until = -1
    for (const unit of this.unitsOf(offset, bytes)) {
      if (this.units.has(unit)) {
        if (from < 0) from = unit
        until = unit + 1
      } else if (from >= 0) break
    }
    if (from < 0) return undefined
    return { offset: from * this.unitBytes, bytes: (until - from) * this.unitBytes }
  }

  private *unitsOf(offset: number, bytes: number): Generator<number> {
    const first = Math.floor(offset / this.unitBytes)
    const end = Math.ceil((offset + bytes) / this.unitBytes)
    for (let unit = first; unit < end; unit++) yield unit
  }
}
