/**
 * MapDirectory: a run of 1,024 pages of a dirty map, the first level of its two.
 *
 * A volume of 512 TiB in chunks of 4 KiB has 33 million pages; a flat table of them would be 256
 * MiB for an empty map. So the first level is cut into directories, and like pages they exist only
 * where something is, and one shared directory stands wherever all its pages are dirty alike.
 *
 * For digests its pages are 32 groups of 32 (map-digest.ts), so that a page that changes costs the
 * digests of its neighbours and of the groups, and not those of a thousand pages.
 */
import { EMPTY_PAGE, lowestBit, type MapPage } from "./map-page.js"

export const DIRECTORY_SHIFT = 10
export const DIRECTORY_PAGES: number = 1 << DIRECTORY_SHIFT
export const DIRECTORY_MASK: number = DIRECTORY_PAGES - 1
export const NO_SLOT_USED = -1

/** Pages of a group: as many as a word has bits. */
export const GROUP_SHIFT = 5
export const GROUP_PAGES: number = 1 << GROUP_SHIFT
export const GROUP_MASK: number = GROUP_PAGES - 1
export const GROUP_COUNT: number = DIRECTORY_PAGES / GROUP_PAGES
export const DIGEST_WORDS = 4

/** With the runtime's own bookkeeping. */
export const DIRECTORY_BYTES: number = DIRECTORY_PAGES * 8 + 1400

export class MapDirectory {
  /** Shared: never written, and all of its pages are the same one. */
  readonly isShared: boolean
  readonly pages: MapPage[]
  /** One bit per page that is not empty; a word per group. */
  readonly present: Int32Array = new Int32Array(GROUP_COUNT)
  usedCount = 0
  /** True while `isDigested`. */
  readonly digest: Int32Array = new Int32Array(DIGEST_WORDS)
  isDigested = false
  /** Of each group, true where its bit is set; zeroes where none of its pages is present. */
  readonly groupDigests: Int32Array = new Int32Array(GROUP_COUNT * DIGEST_WORDS)
  digestedGroups = 0

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
    this.noteChanged(slot)
    if (old === EMPTY_PAGE && page !== EMPTY_PAGE) {
      this.usedCount++
      this.present[slot >> 5]! |= 1 << (slot & 31)
    } else if (old !== EMPTY_PAGE && page === EMPTY_PAGE) {
      this.usedCount--
      this.present[slot >> 5]! &= ~(1 << (slot & 31))
    }
  }

  /** No digest above this page is true any more. */
  noteChanged(slot: number): void {
    this.isDigested = false
    this.digestedGroups &= ~(1 << (slot >> GROUP_SHIFT))
  }

  /** The first slot at or after this one whose page is not empty, or `NO_SLOT_USED`. */
  nextUsed(slot: number): number {
    if (slot >= DIRECTORY_PAGES) return NO_SLOT_USED
    let index = slot >> 5
    let bits = this.present[index]! & (-1 << (slot & 31))
    while (bits === 0) {
      if (++index === GROUP_COUNT) return NO_SLOT_USED
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
    this.groupDigests.set(source.groupDigests)
    this.digestedGroups = source.digestedGroups
  }
}

/** What stands wherever a map has nothing. */
export const EMPTY_DIRECTORY: MapDirectory = new MapDirectory(true, EMPTY_PAGE)
