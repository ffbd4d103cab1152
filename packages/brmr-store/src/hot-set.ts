/**
 * HotSet: the extents of the intent log as the store knows them, between asked and durable.
 *
 * An extent is hot for whoever writes when a frame says so durably, and until it is cooled. Cooling
 * is lazy: such an extent is not hot any more for anybody, but the log still says it is until some
 * frame takes it back. Never are more hot in the log than it has room for: an extent that is heated
 * goes into the same frame as those that were cooled before.
 */

export class HotSet {
  private readonly max: number
  /** For whoever writes: what was heated durably and not cooled since. */
  private readonly hot: Set<number>
  /** Extents that will be hot when what was asked is durable. */
  private readonly heating = new Set<number>()
  /** Cooled, and the log does not say so yet. */
  private readonly cooled = new Set<number>()

  constructor(found: readonly number[], max: number) {
    this.hot = new Set(found)
    this.max = max
  }

  has(extent: number): boolean {
    return this.hot.has(extent)
  }

  get cooledCount(): number {
    return this.cooled.size
  }

  get hasCooled(): boolean {
    return this.cooled.size > 0
  }

  /** Room for these; false where there is none, and then nothing was reserved. */
  reserve(extents: readonly number[]): boolean {
    const added = new Set<number>()
    for (const extent of extents) {
      if (!this.hot.has(extent) && !this.heating.has(extent)) added.add(extent)
    }
    if (this.hot.size + this.heating.size + added.size > this.max) return false
    for (const extent of added) this.heating.add(extent)
    return true
  }

  /** Which of these a frame has to heat. */
  cold(extents: readonly number[]): number[] {
    return [...new Set(extents)].filter((extent) => !this.hot.has(extent))
  }

  noteHeated(extents: readonly number[], isDurable: boolean): void {
    for (const extent of extents) {
      this.heating.delete(extent)
      if (isDurable) this.hot.add(extent)
    }
  }

  cool(extents: readonly number[]): void {
    for (const extent of extents) if (this.hot.delete(extent)) this.cooled.add(extent)
  }

  /** For the next frame to take back. */
  takeCooled(): number[] {
    const taken = [...this.cooled]
    this.cooled.clear()
    return taken
  }

  get count(): number {
    return this.hot.size
  }

  /** Durably hot, ascending. What was cooled is not among them. */
  all(): number[] {
    return [...this.hot].sort((a, b) => a - b)
  }

  /** The frame failed: the log still says that they are hot. */
  noteCooled(cooled: readonly number[], isDurable: boolean): void {
    if (isDurable) return
    for (const extent of cooled) if (!this.hot.has(extent)) this.cooled.add(extent)
  }
}
