/**
 * HotSet: the extents of the intent log as the store knows them, between asked and durable.
 *
 * An extent is hot for whoever writes when a frame says so durably, and until it is cooled. Cooling
 * is lazy: such an extent is not hot any more for anybody, but the log still says it is until some
 * frame takes it back. Never are more hot in the log than it has room for: an extent that is heated
 * goes into the same frame as those that were cooled before.
 *
 * In a store that keeps sums the log does not take an extent back before its sums are saved, since
 * those of a cold extent are believed: until then it is cooled for whoever writes, hot in the log.
 */

export class HotSet {
  private readonly max: number
  /** For whoever writes: what was heated durably and not cooled since. */
  private readonly hot: Set<number>
  /** Extents that will be hot when what was asked is durable. */
  private readonly heating = new Set<number>()
  /** Cooled, and the log does not say so yet. */
  private readonly cooled = new Set<number>()
  /** Cooled, and the log may not say so yet, by when it was asked. */
  private readonly unsaved = new Map<number, number>()
  private readonly keepsSums: boolean
  private cooling = 0

  constructor(found: readonly number[], max: number, keepsSums: boolean) {
    this.hot = new Set(found)
    this.max = max
    this.keepsSums = keepsSums
  }

  has(extent: number): boolean {
    return this.hot.has(extent)
  }

  /** How many the next frame may take back, at most. */
  get cooledCount(): number {
    return this.cooled.size + this.unsaved.size
  }

  get hasCooled(): boolean {
    return this.cooled.size > 0
  }

  /** The log says that it is hot, or may. */
  isLogged(extent: number): boolean {
    return this.hot.has(extent) || this.cooled.has(extent) || this.unsaved.has(extent)
  }

  /** How many the log calls hot once these are, and those are taken back that may be. */
  countWith(heated: readonly number[]): number {
    return this.count + heated.filter((extent) => !this.unsaved.has(extent)).length
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
      if (!isDurable) continue
      this.hot.add(extent)
      this.cooled.delete(extent)
      this.unsaved.delete(extent)
    }
  }

  cool(extents: readonly number[]): void {
    for (const extent of extents) {
      if (!this.hot.delete(extent)) continue
      if (this.keepsSums) this.unsaved.set(extent, ++this.cooling)
      else this.cooled.add(extent)
    }
  }

  /** Cooled extents whose sums are to be saved, each with the cooling that asks for it. */
  toSave(): ReadonlyMap<number, number> {
    return new Map(this.unsaved)
  }

  /** Its sums are at their place durably, unless it was heated since. */
  noteSaved(extent: number, cooling: number): void {
    if (this.unsaved.get(extent) !== cooling) return
    this.unsaved.delete(extent)
    this.cooled.add(extent)
  }

  /** For the next frame to take back. */
  takeCooled(): number[] {
    const taken = [...this.cooled]
    this.cooled.clear()
    return taken
  }

  get count(): number {
    return this.hot.size + this.unsaved.size
  }

  /** What a log must go on to call hot, ascending: not what was cooled, but for what is unsaved. */
  all(): number[] {
    return [...this.hot, ...this.unsaved.keys()].sort((a, b) => a - b)
  }

  /** The frame failed: the log still says that they are hot. */
  noteCooled(cooled: readonly number[], isDurable: boolean): void {
    if (isDurable) return
    for (const extent of cooled) if (!this.hot.has(extent)) this.cooled.add(extent)
  }
}
