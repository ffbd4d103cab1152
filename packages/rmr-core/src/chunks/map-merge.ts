/**
 * Merging whole pages into a dirty map: how facts and stamps add up (rules R1, M1).
 *
 * Bytes merge chunk by chunk, the stronger fact wins. Stamps merge page by page, the later view
 * wins: two stamps that are both valid name views of one absence, one of them proposed and
 * superseded before it was effective, so the later one covers both. Where in doubt a mark stays:
 * too many cost a copy, too few cost data. Void marks must therefore be dropped *before* they meet
 * valid ones.
 *
 * In a member's own map every page has the stamp `NO_VIEW`: what the member says of itself is never
 * void.
 */
import { NO_VIEW, type ViewNumber } from "../rules/pool-metadata.js"
import {
  DIRECTORY_MASK,
  DIRECTORY_PAGES,
  DIRECTORY_SHIFT,
  EMPTY_DIRECTORY,
} from "./map-directory.js"
import {
  compareStamp,
  EMPTY_PAGE,
  isCoveredBy,
  isShared,
  type MapPage,
  mergeByteEverywhere,
  mergeBytes,
  stampOf,
  uniformByteOf,
} from "./map-page.js"
import type { MapTree } from "./map-tree.js"

/** Whether a stamp says "none": a member's own marks. */
export function isOwnStamp(stamp: ViewNumber): boolean {
  return stamp.epoch === 0 && stamp.version === 0
}

/** The stamp that marks with this one get in this map. */
export function stampIn(tree: MapTree, stamp: ViewNumber): ViewNumber {
  if (isOwnStamp(tree.stamp)) return NO_VIEW
  return isOwnStamp(stamp) ? tree.stamp : stamp
}

/** Merges one byte into all chunks of whole pages. `stamp` is one of `stampIn`. */
export function mergeUniform(
  tree: MapTree,
  first: number,
  count: number,
  byte: number,
  stamp: ViewNumber,
): void {
  const end = first + count
  let number = first
  while (number < end) {
    const index = number >>> DIRECTORY_SHIFT
    const isWhole = (number & DIRECTORY_MASK) === 0 && number + DIRECTORY_PAGES <= end
    if (isWhole && tree.root[index]!.isShared) {
      // One answer for all of its pages, unless there are too many stamps to share them.
      const page = uniformResult(tree, tree.pageAt(number), byte, stamp)
      if (page !== undefined && isShared(page)) {
        tree.setDirectory(index, tree.uniformDirectory(page))
        number += DIRECTORY_PAGES
        continue
      }
    }
    mergeUniformPage(tree, number, byte, stamp)
    number++
  }
}

/**
 * The page that all chunks being merged with this byte makes of another, if it is dirty alike then.
 */
function uniformResult(
  tree: MapTree,
  old: MapPage,
  byte: number,
  stamp: ViewNumber,
): MapPage | undefined {
  const result = isCoveredBy(old, byte) ? byte : uniformByteOf(old)
  if (result === 0) return undefined
  return tree.uniform(result, compareStamp(old, stamp) > 0 ? stampOf(old) : stamp)
}

function mergeUniformPage(tree: MapTree, number: number, byte: number, stamp: ViewNumber): void {
  const old = tree.pageAt(number)
  const uniform = uniformResult(tree, old, byte, stamp)
  if (uniform !== undefined) {
    tree.setPage(number, uniform)
    return
  }
  const page = tree.openPage(number)
  tree.count(page, -1)
  mergeByteEverywhere(page, byte)
  tree.count(page, 1)
  tree.raiseStamp(page, stamp)
}

/** Merges the bytes of one page of another map. `stamp` is one of `stampIn`. */
export function mergePage(tree: MapTree, number: number, source: MapPage, stamp: ViewNumber): void {
  const byte = uniformByteOf(source)
  if (byte !== 0) {
    mergeUniformPage(tree, number, byte, stamp)
    return
  }
  if (tree.pageAt(number) === EMPTY_PAGE) {
    tree.setPage(number, tree.own(source, stamp))
    return
  }
  const page = tree.openPage(number)
  tree.count(page, -1)
  mergeBytes(page, source)
  tree.count(page, 1)
  tree.raiseStamp(page, stamp)
  tree.normalise(number, page)
}

/** Empties whole pages. */
export function clearPages(tree: MapTree, first: number, count: number): void {
  const end = first + count
  let number = first
  while (number < end) {
    const next = Math.min((number | DIRECTORY_MASK) + 1, tree.pageCount)
    if ((number & DIRECTORY_MASK) === 0 && next <= end) {
      tree.setDirectory(number >>> DIRECTORY_SHIFT, EMPTY_DIRECTORY)
      number = next
    } else {
      tree.setPage(number, EMPTY_PAGE)
      number++
    }
  }
}
