/**
 * What each block of a told volume may hold: the last write that was acknowledged, or one that
 * began after it and whose end nobody has heard of.
 *
 * Blocks are written with values: 1, 2, 3, … are patterns, 0 is zeroes. So a story says what it
 * reads by one number.
 */
import { pattern } from "../pool/story.js"

export const BLOCK = 4096

/** Bytes that are of no value that was ever written there: torn, or of somewhere else. */
export type Found = number | "mixed"

export function blockOf(value: number): Uint8Array {
  return value === 0 ? new Uint8Array(BLOCK) : pattern(value, BLOCK)
}

export function blocksOf(value: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count * BLOCK)
  for (let nth = 0; nth < count; nth++) bytes.set(blockOf(value), nth * BLOCK)
  return bytes
}

interface Write {
  readonly order: number
  readonly value: number
}

export class Oracle {
  private readonly writesByBlock = new Map<number, Write[]>()
  private readonly values = new Set<number>([0])
  private orders = 0

  /** A write begins. What it returns says that it was acknowledged. */
  begin(block: number, count: number, value: number): () => void {
    const write = { order: ++this.orders, value }
    this.values.add(value)
    for (let nth = block; nth < block + count; nth++) {
      this.writesByBlock.set(nth, [...this.writesOf(nth), write])
    }
    return () => {
      for (let nth = block; nth < block + count; nth++) {
        const later = this.writesOf(nth).filter(({ order }) => order >= write.order)
        this.writesByBlock.set(nth, later)
      }
    }
  }

  /** F6: a forced start may show this again, until the block is written anew. */
  mayShow(block: number, value: number): void {
    this.writesByBlock.set(block, [{ order: 0, value }, ...this.writesOf(block)])
  }

  mayHold(block: number): ReadonlySet<number> {
    return new Set(this.writesOf(block).map(({ value }) => value))
  }

  found(bytes: Uint8Array): Found {
    for (const value of this.values) {
      if (Buffer.compare(bytes, blockOf(value)) === 0) return value
    }
    return "mixed"
  }

  /** In words, what a volume holds that it must not. */
  complaints(bytes: Uint8Array): string[] {
    const wrong: string[] = []
    for (let block = 0; block < bytes.length / BLOCK; block++) {
      const found = this.found(bytes.subarray(block * BLOCK, (block + 1) * BLOCK))
      const may = [...this.mayHold(block)]
      if (!may.includes(found as number)) wrong.push(`block ${block}: ${found}, not ${may}`)
    }
    return wrong
  }

  private writesOf(block: number): readonly Write[] {
    return this.writesByBlock.get(block) ?? [{ order: 0, value: 0 }]
  }
}
