/**
 * MapDirectory: a run of 1,024 pages of a dirty map, the first level of its two.
 *
 * A volume of 512 TiB in chunks of 4 KiB has 33 million pages; a flat table of them would be 256
 * MiB for an empty map. So the first level is cut into directories, and like pages they exist only
 * where something is, and one shared directory stands wherever all its pages are dirty alike.
 */
import { EMPTY_PAGE, lowestBit, type MapPage } from "./map-page.js"

export const DIRECTORY_SHIFT = 10
export const DIRECTORY_PAGES: number = 1 << DIRECTORY_SHIFT
export const DIRECTORY_MASK: number = DIRECTORY_PAGES - 1
export const NO_SLOT_USED = -1

/** With the runtime's own bookkeeping. */
export const DIRECTORY_BYTES: number = DIRECTORY_PAGES * 8 + 700

const PRESENT_WORDS = DIRECTORY_PAGES / 32

export class MapDirectory {
  /** Shared: never written, and all of its pages are the same one. */
  readonly isShared: boolean
  readonly pages: MapPage[]
  /** One bit per page that is not empty. */
  readonly present: Int32Array = new Int32Array(PRESENT_WORDS)
  usedCount = 0
  /** True while `isDigested`. */
  readonly digest: Int32Array = new Int32Array(4)
  isDigested = false

  constructor(isShared: boolean, page: MapPage) {
    this.isShared = isShared
    this.pages = new Array<MapPage>(DIRECTORY_PAGES).fill(page)
    if (page === EMPTY_PAGE) return
    this.present.fill(-1)
    this.usedCount = DIRECTORY_PAGES
  }

  /** Puts another page in a slot and keeps count. The map's totals are the caller's business. */
  put(slot: number, page: MapPage): void {
    const old = this.pages[slot]!
    this.pages[slot] = page
    this.isDigested = false
    if (old === EMPTY_PAGE && page !== EMPTY_PAGE) {
      this.usedCount++
      this.present[slot >> 5]! |= 1 << (slot & 31)
    } else if (old !== EMPTY_PAGE && page === EMPTY_PAGE) {
      this.usedCount--
      this.present[slot >> 5]! &= ~(1 << (slot & 31))
    }
  }

  /** The first slot at or after this one whose page is not empty, or `NO_SLOT_USED`. */
  nextUsed(slot: number): number {
    if (slot >= DIRECTORY_PAGES) return NO_SLOT_USED
    let index = slot >> 5
    let bits = this.present[index]! & (-1 << (slot & 31))
    while (bits === 0) {
      if (++index === PRESENT_WORDS) return NO_SLOT_USED
      bits = this.present[index]!
    }
    return (index << 5) + lowestBit(bits)
  }

  /** Makes this one a copy of another, before the first change to what was shared. */
  copyFrom(source: MapDirectory): void {
    for (let slot = 0; slot < DIRECTORY_PAGES; slot++) this.pages[slot] = source.pages[slot]!
    this.present.set(source.present)
    this.usedCount = source.usedCount
    this.digest.set(source.digest)
    this.isDigested = source.isDigested
  }
}

/** What stands wherever a map has nothing. */
export const EMPTY_DIRECTORY: MapDirectory = new MapDirectory(true, EMPTY_PAGE)
