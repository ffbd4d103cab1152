/**
 * Bytes of a disk that may be far larger than the machine: pages exist once something is written.
 *
 * What was never written reads zero. A copy costs one table and shares all pages; whoever writes to
 * a shared page first gets its own. This makes it cheap to keep the disk as it was at every moment
 * of a run, which is what crash tests do.
 */
import { assert } from "@rmr/core"

export const SPARSE_PAGE_BYTES = 4096

interface Page {
  readonly bytes: Uint8Array
  /** Who may write to it; everybody else copies first. */
  readonly owner: object
}

export class SparseBytes {
  private owner: object = {}
  private readonly pages: Map<number, Page>

  constructor(pages: ReadonlyMap<number, Page> = new Map()) {
    this.pages = new Map(pages)
  }

  get allocatedBytes(): number {
    return this.pages.size * SPARSE_PAGE_BYTES
  }

  /** The same bytes, independent from now on. */
  copy(): SparseBytes {
    this.owner = {}
    return new SparseBytes(this.pages)
  }

  read(offset: number, into: Uint8Array): void {
    forEachPiece(offset, into.length, (pageNumber, inPage, at, bytes) => {
      const page = this.pages.get(pageNumber)
      if (page === undefined) into.fill(0, at, at + bytes)
      else into.set(page.bytes.subarray(inPage, inPage + bytes), at)
    })
  }

  write(offset: number, from: Uint8Array): void {
    forEachPiece(offset, from.length, (pageNumber, inPage, at, bytes) => {
      this.ownPage(pageNumber).set(from.subarray(at, at + bytes), inPage)
    })
  }

  /** The range reads zero; whole pages of it are given back unless `isKept`. */
  zero(offset: number, length: number, isKept = false): void {
    forEachPiece(offset, length, (pageNumber, inPage, _at, bytes) => {
      if (!this.pages.has(pageNumber)) return
      if (bytes === SPARSE_PAGE_BYTES && !isKept) this.pages.delete(pageNumber)
      else this.ownPage(pageNumber).fill(0, inPage, inPage + bytes)
    })
  }

  /** How much more would be allocated by a write to this range. */
  missingBytes(offset: number, length: number): number {
    let missing = 0
    forEachPiece(offset, length, (pageNumber) => {
      if (!this.pages.has(pageNumber)) missing += SPARSE_PAGE_BYTES
    })
    return missing
  }

  /** Gives back what lies wholly beyond, and zeroes the rest of the last page. */
  truncate(sizeBytes: number): void {
    for (const pageNumber of [...this.pages.keys()]) {
      const start = pageNumber * SPARSE_PAGE_BYTES
      if (start >= sizeBytes) this.pages.delete(pageNumber)
      else if (start + SPARSE_PAGE_BYTES > sizeBytes) {
        this.ownPage(pageNumber).fill(0, sizeBytes - start)
      }
    }
  }

  private ownPage(pageNumber: number): Uint8Array {
    const page = this.pages.get(pageNumber)
    if (page !== undefined && page.owner === this.owner) return page.bytes
    const bytes = page === undefined ? new Uint8Array(SPARSE_PAGE_BYTES) : page.bytes.slice()
    this.pages.set(pageNumber, { bytes, owner: this.owner })
    return bytes
  }
}

/** Cuts a byte range at page boundaries. */
function forEachPiece(
  offset: number,
  length: number,
  visit: (pageNumber: number, inPage: number, at: number, bytes: number) => void,
): void {
  assert(Number.isSafeInteger(offset) && offset >= 0 && length >= 0, "a range of bytes")
  let at = 0
  while (at < length) {
    const pageNumber = Math.floor((offset + at) / SPARSE_PAGE_BYTES)
    const inPage = offset + at - pageNumber * SPARSE_PAGE_BYTES
    const bytes = Math.min(SPARSE_PAGE_BYTES - inPage, length - at)
    visit(pageNumber, inPage, at, bytes)
    at += bytes
  }
}
