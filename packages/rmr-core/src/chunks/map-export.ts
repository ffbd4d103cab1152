/**
 * MapExport: a dirty map on its way to another member, pass by pass (rule M3).
 *
 * The first pass writes every page that holds something; each later one what has changed since,
 * also pages that are empty now. It remembers the digest of each page as it was written, so marks
 * cost nothing more while an export goes on. Whoever has taken in all records of a pass has the
 * same map, if nothing has changed since the pass began. Directories are looked at first, then
 * groups of pages: what did not change costs one comparison for a thousand pages, and what did one
 * for each of its neighbours (promise P9).
 *
 * ```
 *   begin ─► write ─► write ─► … 0 bytes: the pass is over ─► begin ─► …
 * ```
 */
import { Hash128 } from "./hash128.js"
import { addDigest, digestDirectory, digestPage } from "./map-digest.js"
import {
  DIGEST_WORDS,
  DIRECTORY_MASK,
  DIRECTORY_PAGES,
  DIRECTORY_SHIFT,
  EMPTY_DIRECTORY,
  GROUP_COUNT,
  GROUP_MASK,
  GROUP_PAGES,
  GROUP_SHIFT,
  type MapDirectory,
} from "./map-directory.js"
import { EMPTY_PAGE, type MapPage, PAGE_DIGEST_AT } from "./map-page.js"
import { MAP_RECORD_BYTES_MAX, writeRecord } from "./map-page-codec.js"
import type { MapTree } from "./map-tree.js"

/** What was written of one directory: a digest for each page and group, zero where none is. */
interface Sent {
  readonly pages: Int32Array
  readonly groups: Int32Array
  readonly digest: Int32Array
}

export class MapExport {
  private readonly tree: MapTree
  private readonly hash = new Hash128()
  private readonly sent: (Sent | undefined)[] = []
  private next = 0

  constructor(tree: MapTree) {
    this.tree = tree
  }

  /** Another pass, from the first page on. */
  begin(): void {
    this.next = 0
  }

  /**
   * Writes records of pages that have changed since they were written last, as many as fit. Returns
   * how many bytes; 0 when the pass is over.
   */
  write(view: DataView, at: number, bytes: number): number {
    const { tree } = this
    let written = 0
    while (this.next < tree.pageCount && bytes - written >= MAP_RECORD_BYTES_MAX) {
      const from = this.next
      const isSkipped = (from & GROUP_MASK) === 0 && this.skipUnchanged()
      if (isSkipped && this.next - from === DIRECTORY_PAGES) continue
      if (!isSkipped) {
        written += this.writePage(view, at + written)
        this.endGroups(from)
      }
      const isLast = (this.next & DIRECTORY_MASK) === 0 || this.next >= tree.pageCount
      if (isLast) this.endDirectory(from >>> DIRECTORY_SHIFT)
    }
    return written
  }

  /** Passes over a directory or a group that is as it was written; false where neither is. */
  private skipUnchanged(): boolean {
    const { next, tree } = this
    const index = next >>> DIRECTORY_SHIFT
    const directory = tree.root[index]!
    if ((next & DIRECTORY_MASK) === 0 && this.isUnchanged(index, directory)) {
      this.next += DIRECTORY_PAGES
      return true
    }
    if (!this.isGroupUnchanged(index, directory, (next & DIRECTORY_MASK) >>> GROUP_SHIFT)) {
      return false
    }
    this.next += GROUP_PAGES
    return true
  }

  private isGroupUnchanged(index: number, directory: MapDirectory, group: number): boolean {
    const at = group * DIGEST_WORDS
    const groups = this.sent[index]?.groups
    if (directory.present[group] === 0) return groups === undefined || isZero(groups, at)
    if (groups === undefined || (directory.digestedGroups & (1 << group)) === 0) return false
    return isSame(groups, at, directory.groupDigests, at)
  }

  private isUnchanged(index: number, directory: MapDirectory): boolean {
    const sent = this.sent[index]
    if (sent === undefined || directory === EMPTY_DIRECTORY) {
      return sent === undefined && directory === EMPTY_DIRECTORY
    }
    return directory.isDigested && isSame(sent.digest, 0, directory.digest, 0)
  }

  /** Writes the next page, if it has changed, with those behind it that are the same shared one. */
  private writePage(view: DataView, at: number): number {
    const { tree, next } = this
    const page = tree.pageAt(next)
    const directoryEnd = (next | DIRECTORY_MASK) + 1
    const span = Math.min(tree.uniformSpan(next), directoryEnd - next)
    if (page !== EMPTY_PAGE) digestPage(page, this.hash)
    if (this.isSent(next, page)) {
      this.next = next + 1
      return 0
    }
    this.next = next + span
    this.keep(next, span, page)
    return writeRecord(tree, next, span, view, at)
  }

  private isSent(number: number, page: MapPage): boolean {
    const sent = this.sent[number >>> DIRECTORY_SHIFT]
    if (sent === undefined) return page === EMPTY_PAGE
    const at = (number & DIRECTORY_MASK) * DIGEST_WORDS
    // The empty page has no digest, and so has what was never written.
    return isSame(sent.pages, at, page, PAGE_DIGEST_AT)
  }

  private keep(number: number, span: number, page: MapPage): void {
    const index = number >>> DIRECTORY_SHIFT
    const sent = this.sent[index] ?? {
      pages: new Int32Array(DIRECTORY_PAGES * DIGEST_WORDS),
      groups: new Int32Array(GROUP_COUNT * DIGEST_WORDS),
      digest: new Int32Array(DIGEST_WORDS),
    }
    this.sent[index] = sent
    for (let nth = 0; nth < span; nth++) {
      const at = ((number + nth) & DIRECTORY_MASK) * DIGEST_WORDS
      for (let word = 0; word < DIGEST_WORDS; word++) {
        sent.pages[at + word] = page[PAGE_DIGEST_AT + word]!
      }
    }
  }

  /** The pages of these groups were looked at, from the one with this page on to the next page. */
  private endGroups(from: number): void {
    const sent = this.sent[from >>> DIRECTORY_SHIFT]
    if (sent === undefined) return
    const end = this.next >= this.tree.pageCount ? this.next + GROUP_MASK : this.next
    for (let group = from >>> GROUP_SHIFT; group < end >>> GROUP_SHIFT; group++) {
      this.endGroup(sent, group % GROUP_COUNT)
    }
  }

  private endGroup({ pages, groups }: Sent, group: number): void {
    const first = group << GROUP_SHIFT
    let isEmpty = true
    this.hash.begin()
    for (let slot = first; slot < first + GROUP_PAGES; slot++) {
      const at = slot * DIGEST_WORDS
      if (isZero(pages, at)) continue
      addDigest(this.hash, slot, pages, at)
      isEmpty = false
    }
    const at = group * DIGEST_WORDS
    if (isEmpty) groups.fill(0, at, at + DIGEST_WORDS)
    else this.hash.end(groups, at)
  }

  /** Every group of it was looked at: the next pass compares one digest, if nothing changes. */
  private endDirectory(index: number): void {
    const directory = this.tree.root[index]!
    const sent = this.sent[index]
    if (sent === undefined) return
    const { groups, digest } = sent
    if (directory === EMPTY_DIRECTORY && groups.every((word) => word === 0)) {
      this.sent[index] = undefined
      return
    }
    this.hash.begin()
    for (let group = 0; group < GROUP_COUNT; group++) {
      const at = group * DIGEST_WORDS
      if (!isZero(groups, at)) addDigest(this.hash, group, groups, at)
    }
    this.hash.end(digest, 0)
    if (directory !== EMPTY_DIRECTORY) digestDirectory(directory, this.hash)
  }
}

function isSame(a: Int32Array, atA: number, b: Int32Array, atB: number): boolean {
  for (let word = 0; word < DIGEST_WORDS; word++) if (a[atA + word] !== b[atB + word]) return false
  return true
}

function isZero(words: Int32Array, at: number): boolean {
  return (words[at]! | words[at + 1]! | words[at + 2]! | words[at + 3]!) === 0
}
