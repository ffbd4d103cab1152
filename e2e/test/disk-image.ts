/**
 * What is on a disk, as pages that are not zero: copied in no time, changed by entries of a log of
 * writes, and written to a sparse file to be opened.
 */
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs"
import { FLAG_DISCARD, FLAG_MARK, type LogEntry } from "./write-log.js"

const PAGE_BYTES = 4096
const ZEROES = Buffer.alloc(PAGE_BYTES)

export class DiskImage {
  readonly sizeBytes: number
  /** A page is never changed, only replaced: images share them. */
  private readonly pages: Map<number, Buffer>

  constructor(sizeBytes: number, pages: ReadonlyMap<number, Buffer> = new Map()) {
    if (sizeBytes % PAGE_BYTES !== 0) throw new Error(`${sizeBytes} bytes are no whole pages`)
    this.sizeBytes = sizeBytes
    this.pages = new Map(pages)
  }

  copy(): DiskImage {
    return new DiskImage(this.sizeBytes, this.pages)
  }

  /** A discard leaves zeroes, as a hole in a file does. */
  apply({ offset, bytes, flags, data }: LogEntry): void {
    if ((flags & FLAG_MARK) !== 0) return
    this.write(offset, (flags & FLAG_DISCARD) !== 0 ? undefined : data, bytes)
  }

  /** Undefined stands for zeroes. */
  write(offset: number, data: Buffer | undefined, bytes: number): void {
    for (let done = 0; done < bytes; ) {
      const number = Math.floor((offset + done) / PAGE_BYTES)
      const at = (offset + done) % PAGE_BYTES
      const count = Math.min(bytes - done, PAGE_BYTES - at)
      const piece = data?.subarray(done, done + count) ?? ZEROES.subarray(0, count)
      this.replace(number, at, piece)
      done += count
    }
  }

  byteAt(offset: number): number {
    return this.pages.get(Math.floor(offset / PAGE_BYTES))?.[offset % PAGE_BYTES] ?? 0
  }

  toFile(path: string): void {
    const file = openSync(path, "wx", 0o600)
    try {
      ftruncateSync(file, this.sizeBytes)
      for (const [number, page] of this.pages) {
        writeSync(file, page, 0, PAGE_BYTES, number * PAGE_BYTES)
      }
    } finally {
      closeSync(file)
    }
  }

  private replace(number: number, at: number, piece: Buffer): void {
    let page = piece
    if (piece.length < PAGE_BYTES) {
      page = Buffer.from(this.pages.get(number) ?? ZEROES)
      piece.copy(page, at)
    }
    if (page.equals(ZEROES)) this.pages.delete(number)
    else this.pages.set(number, page)
  }
}
