/**
 * What each atomic unit of a volume may hold after a crash, by the order of what was asked and what
 * was told.
 *
 * A write or zero is over when it was told. It may be what a unit holds unless a durable one began
 * after it was over; so of overlapping ones any may win, and nothing that is older than a durable
 * one comes back. Values are tags: one byte that fills the unit, 0 for zero.
 */
import { assert } from "@rmr/core"

/** How a life ended: with the cache lost, with the kernel alive, or by `close`. */
export type LifeEnd = "power" | "kill"

export interface DataWrite {
  /** Units, the end excluded. */
  readonly from: number
  readonly to: number
  readonly tag: number
  readonly asked: number
  /** When it ended; Infinity while it has not. */
  told: number
  isDone: boolean
  isDurable: boolean
  /** A flush that should have covered it failed: no later one does. */
  isOrphan: boolean
}

export class DataLedger {
  private time = 1
  private writes: DataWrite[]

  constructor(writes: readonly DataWrite[] = []) {
    this.writes = writes.map((write) => ({ ...write }))
  }

  copy(): DataLedger {
    return new DataLedger(this.writes)
  }

  ask(from: number, to: number, tag: number): DataWrite {
    const asked = this.time++
    const told = Number.POSITIVE_INFINITY
    const write = { from, to, tag, asked, told, isDone: false, isDurable: false, isOrphan: false }
    this.writes.push(write)
    return write
  }

  tell(write: DataWrite, isDone: boolean, isForced: boolean): void {
    write.told = this.time++
    write.isDone = isDone
    write.isDurable = isDone && isForced
  }

  /** What a flush that is asked now covers. */
  get coverage(): readonly DataWrite[] {
    return this.writes.filter(({ isDone }) => isDone)
  }

  flushed(covered: readonly DataWrite[], isDone: boolean): void {
    for (const write of covered) {
      if (write.isDurable) continue
      if (!isDone) write.isOrphan = true
      else if (!write.isOrphan) write.isDurable = true
    }
  }

  /** A power cut: no later life has what was not durable by then. */
  cacheLost(): void {
    for (const write of this.writes) if (write.isDone && !write.isDurable) write.isOrphan = true
  }

  /** Tags that the unit may have; 0 is what it was at first. */
  allowed(unit: number, end: LifeEnd): ReadonlySet<number> {
    const here = this.writes.filter(({ from, to }) => from <= unit && unit < to)
    const counts = (write: DataWrite): boolean =>
      end === "power" ? write.isDurable : write.isDone && !write.isOrphan
    const lastBegan = Math.max(0, ...here.filter(counts).map(({ asked }) => asked))
    const tags = here.filter(({ told }) => told >= lastBegan).map(({ tag }) => tag)
    return new Set(lastBegan === 0 ? [0, ...tags] : tags)
  }

  /** What a flush would have to make durable. */
  get hasUnflushed(): boolean {
    return this.writes.some(({ isDone, isDurable }) => isDone && !isDurable)
  }

  /** What was found is the truth from now on, and only a flush away from being durable. */
  settle(tags: readonly number[], isDurable: boolean): void {
    if (isDurable) this.writes = []
    for (const [unit, tag] of tags.entries()) {
      if (isDurable && tag === 0) continue
      const write = this.ask(unit, unit + 1, tag)
      this.tell(write, true, isDurable)
    }
  }
}

/** Units of this tag: each says which unit it is, so that none passes for another. */
export function taggedUnits(from: number, to: number, tag: number, unitBytes: number): Uint8Array {
  const bytes = new Uint8Array((to - from) * unitBytes).fill(tag)
  if (tag === 0) return bytes
  const view = new DataView(bytes.buffer)
  for (let unit = from; unit < to; unit++) view.setUint16((unit - from) * unitBytes, unit)
  return bytes
}

/** The tag of each unit; fails where a unit is not whole, or is another one. */
export function tagsOf(bytes: Uint8Array, unitBytes: number): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
  const unitWords = unitBytes / 4
  const tags: number[] = []
  for (let first = 0, unit = 0; first < words.length; first += unitWords, unit++) {
    const at = first * 4
    const tag = bytes[at + unitBytes - 1]!
    const word = tag * 0x0101_0101
    let isWhole = view.getUint16(at) === (tag === 0 ? 0 : unit)
    isWhole &&= view.getUint16(at + 2) === tag * 0x0101
    for (let nth = first + 1; nth < first + unitWords; nth++) isWhole &&= words[nth] === word
    assert(isWhole, `S7: unit ${unit} is whole`)
    tags.push(tag)
  }
  return tags
}
