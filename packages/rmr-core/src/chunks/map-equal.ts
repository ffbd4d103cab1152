/**
 * Whether two dirty maps say the same: every chunk's byte and every page's stamp, however either
 * map happens to share its pages.
 */
import type { MapDirectory } from "./map-directory.js"
import { isSamePage, RANK_COUNT } from "./map-page.js"
import type { MapTree } from "./map-tree.js"

export function haveSameMarks(a: MapTree, b: MapTree): boolean {
  if (a.chunkCount !== b.chunkCount) return false
  for (let rank = 0; rank < RANK_COUNT; rank++) {
    if (a.totals[rank] !== b.totals[rank]) return false
  }
  return a.root.every((directory, index) => haveSamePages(directory, b.root[index]!))
}

function haveSamePages(a: MapDirectory, b: MapDirectory): boolean {
  if (a === b) return true
  if (a.usedCount !== b.usedCount) return false
  if (a.isShared && b.isShared) return isSamePage(a.pages[0]!, b.pages[0]!)
  return a.pages.every((page, slot) => isSamePage(page, b.pages[slot]!))
}
