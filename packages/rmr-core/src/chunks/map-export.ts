/**
 * MapExport: a dirty map on its way to another member, pass by pass (rule M3).
 *
 * The first pass writes every page that holds something; each later one what has changed since,
 * also pages that are empty now. It remembers the digest of each page as it was written, so marks
 * cost nothing more while an export goes on. Whoever has taken in all records of a pass has the
 * same map, if nothing has changed since the pass began. Directories are looked at first: what did
 * not change costs one comparison for a thousand pages (promise P9).
 *
 * ```
 *   begin ─► write ─► write ─► … 0 bytes: the pass is over ─► begin ─► …
 * ```
 */
import { Hash128 } from "./hash128.js"
import { addPage, digestDirectory, digestPage } from "./map-digest.js"
import {
  DIRECTORY_MASK,
  DIRECTORY_PAGES,
  DIRECTORY_SHIFT,
  EMPTY_DIRECTORY,
  type MapDirectory,
} from "./map-directory.js"
import { EMPTY_PAGE, type MapPage, PAGE_DIGEST_AT } from "./map-page.js"
import { MAP_RECORD_BYTES_MAX, writeRecord } from "./map-page-codec.js"
import type { MapTree } from "./map-tree.js"

const DIGEST_WORDS = 4

/** What was written of one directory: a digest for each page, zero for none, and one over them. */
interface Sent {
  readonly pages: Int32Array
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
      const index = this.next >>> DIRECTORY_SHIFT
      const directory = tree.root[index]!
      if ((this.next & DIRECTORY_MASK) === 0 && this.isUnchanged(index, directory)) {
        this.next += DIRECTORY_PAGES
        continue
      }
      written += this.writePage(view, at + written)
      const isLast = (this.next & DIRECTORY_MASK) === 0 || this.next >= tree.pageCount
      if (isLast) this.endDirectory(index)
    }
    return written
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

  /** Every page of it was looked at: the next pass compares one digest, if nothing changes. */
  private endDirectory(index: number): void {
    const directory = this.tree.root[index]!
    const sent = this.sent[index]
    if (sent === undefined) return
    if (directory === EMPTY_DIRECTORY && sent.pages.every((word) => word === 0)) {
      this.sent[index] = undefined
      return
    }
    this.hash.begin()
    for (let slot = 0; slot < DIRECTORY_PAGES; slot++) {
      const at = slot * DIGEST_WORDS
      if (!isZero(sent.pages, at)) addPage(this.hash, slot, sent.pages, at)
    }
    this.hash.end(sent.digest, 0)
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
