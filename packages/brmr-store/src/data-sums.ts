/**
 * DataSums: a sum for each 4 KiB of data, as far as it is known.
 *
 * A sum is what a read that begins now must find, and 0 where that is not known: nothing was
 * written there yet, a write is under way or has failed, or a crash may have cut one short. Sums of
 * extents that the log calls hot change, so they stay here; those of cold extents do not, and come
 * from their places when they are wanted, as many as there is room for.
 */
import { assert } from "@rmr/core"
import type { SumsSlots } from "./sums-slots.js"

/** No sum: whatever is there passes. */
export const NOT_KNOWN = 0

export interface ExtentSums {
  readonly extent: number
  /** CRC-32C of each block, as a signed number. */
  readonly sums: Int32Array
  /** Since they were last asked for, the hand of the cache has not come by. */
  isUsed: boolean
  /** The place says something else. */
  isChanged: boolean
}

/** Sums of cold extents that are kept, in bytes, and in extents. */
const COLD_BYTES = 1024 * 1024
const COLD_EXTENTS_MAX = 1024
const COLD_EXTENTS_MIN = 8

export class DataSums {
  readonly slots: SumsSlots
  /** Counts failed flushes: what was written before one may come back as it was. */
  losses = 0
  /** A load has ended. */
  onLoaded: () => void = () => undefined
  /** Hot in the log. They cannot be had from their places. */
  private readonly hot = new Map<number, ExtentSums>()
  private readonly cold = new Map<number, ExtentSums>()
  private readonly coldMax: number
  private readonly loading = new Map<number, Promise<ExtentSums>>()

  constructor(slots: SumsSlots) {
    this.slots = slots
    const fitting = Math.floor(COLD_BYTES / (4 * slots.count))
    this.coldMax = Math.max(COLD_EXTENTS_MIN, Math.min(COLD_EXTENTS_MAX, fitting))
  }

  /** Nothing is being loaded. */
  get isIdle(): boolean {
    return this.loading.size === 0
  }

  /** Undefined where they have to be loaded first. */
  of(extent: number): ExtentSums | undefined {
    const hot = this.hot.get(extent)
    if (hot !== undefined) return hot
    const cold = this.cold.get(extent)
    if (cold !== undefined) cold.isUsed = true
    return cold
  }

  /** Never fails: what cannot be loaded is not known. */
  load(extent: number): Promise<ExtentSums> {
    const known = this.of(extent)
    if (known !== undefined) return Promise.resolve(known)
    const running = this.loading.get(extent)
    if (running !== undefined) return running
    const started = this.read(extent)
    this.loading.set(extent, started)
    return started
  }

  /** From now on they change here. Before the extents are hot for anybody who writes. */
  async track(extents: readonly number[]): Promise<void> {
    await Promise.all(
      extents.map(async (extent) => {
        const loaded = await this.load(extent)
        // Somebody else may have tracked it while this was loaded.
        if (this.hot.has(extent)) return
        this.cold.delete(extent)
        this.hot.set(extent, loaded)
      }),
    )
  }

  /** Hot when the process before died: a write that it had under way may be there in part. */
  trackUnknown(extents: readonly number[]): void {
    for (const extent of extents) {
      const sums = new Int32Array(this.slots.count)
      this.hot.set(extent, { extent, sums, isUsed: false, isChanged: true })
    }
  }

  /** The log calls it cold: its place says all that is known. */
  release(extent: number): void {
    const sums = this.hot.get(extent)
    if (sums === undefined) return
    this.hot.delete(extent)
    this.keep(sums)
  }

  /** These are hot, and their places do not say what is known. */
  changed(): number[] {
    return [...this.hot.values()].filter(({ isChanged }) => isChanged).map(({ extent }) => extent)
  }

  /** After a failed flush data may be as it was before, and then no sum of this life is true. */
  forget(): void {
    this.losses++
    for (const one of this.hot.values()) {
      one.sums.fill(NOT_KNOWN)
      one.isChanged = true
    }
  }

  private async read(extent: number): Promise<ExtentSums> {
    if (extent >= this.slots.extentsMax) assert(false, `extent ${extent} has a place for its sums`)
    const sums = (await this.slots.read(extent)) ?? new Int32Array(this.slots.count)
    this.loading.delete(extent)
    const read =
      this.hot.get(extent) ?? this.keep({ extent, sums, isUsed: false, isChanged: false })
    this.onLoaded()
    return read
  }

  private keep(sums: ExtentSums): ExtentSums {
    this.cold.set(sums.extent, sums)
    // What was used since the hand came by last stays for another round.
    for (const [extent, oldest] of this.cold) {
      if (this.cold.size <= this.coldMax) break
      this.cold.delete(extent)
      if (!oldest.isUsed && oldest !== sums) continue
      oldest.isUsed = false
      this.cold.set(extent, oldest)
    }
    return sums
  }
}
