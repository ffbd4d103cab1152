/**
 * IncompleteChunks: what some member lacks, as users of a volume see it (ports/volume.ts).
 *
 * The members know it, and this is what they said when they were asked last: each member of the
 * view about itself, and all of them about those that are absent. What the data path hears while an
 * answer is on its way may not be in it, and is kept beside it. What nobody was asked about yet
 * counts as missing everywhere: a user who is told so copies too much, and never too little.
 */
import type { ChunkNumber } from "@rmr/core"
import { DirtyMap, NO_CHUNK, NO_VIEW, RANK_REAL } from "@rmr/core"

/** Marks as members said them, and what has come since they were asked. */
class AskedMarks {
  private chunkCount: number
  private said: DirtyMap
  /** There while an answer is on its way. */
  private since: DirtyMap | undefined

  constructor(chunkCount: number) {
    this.chunkCount = chunkCount
    this.said = new DirtyMap({ chunkCount })
    this.said.fill(RANK_REAL)
  }

  get map(): DirtyMap {
    return this.said
  }

  /** Members are being asked. Where that fails, what was known stays. */
  ask(): void {
    this.since = new DirtyMap({ chunkCount: this.chunkCount })
  }

  answer(map: DirtyMap): void {
    if (this.since !== undefined) map.merge(this.since, NO_VIEW)
    this.since = undefined
    this.said = map
  }

  /** The volume has grown, and what is new in it is complete everywhere. */
  extendTo(chunkCount: number): void {
    this.chunkCount = chunkCount
    this.said.extendTo(chunkCount)
    this.since?.extendTo(chunkCount)
  }

  mark(first: number, count: number): void {
    this.said.markRange(first as ChunkNumber, count, RANK_REAL)
    this.since?.markRange(first as ChunkNumber, count, RANK_REAL)
  }
}

export class IncompleteChunks {
  /** Of members of the view, by what each says of itself. */
  readonly present: AskedMarks
  /** Of absent members, by what members of the view say of them. */
  readonly absent: AskedMarks

  constructor(chunkCount: number) {
    this.present = new AskedMarks(chunkCount)
    this.absent = new AskedMarks(chunkCount)
  }

  extendTo(chunkCount: number): void {
    this.present.extendTo(chunkCount)
    this.absent.extendTo(chunkCount)
  }

  isDirty(chunk: ChunkNumber): boolean {
    return this.present.map.isDirty(chunk) || this.absent.map.isDirty(chunk)
  }

  /** The first dirty chunk from here on, or `NO_CHUNK`. */
  nextDirty(from: number): ChunkNumber {
    const one = this.present.map.nextDirty(from)
    const other = this.absent.map.nextDirty(from)
    if (one === NO_CHUNK) return other
    return other === NO_CHUNK || one < other ? one : other
  }

  /** The first chunk from here on that is clean in both, or `NO_CHUNK`. */
  nextClean(from: number): ChunkNumber {
    let chunk = this.present.map.nextClean(from)
    while (chunk !== NO_CHUNK && this.absent.map.isDirty(chunk)) {
      const next = this.absent.map.nextClean(chunk)
      chunk = next === NO_CHUNK ? NO_CHUNK : this.present.map.nextClean(next)
    }
    return chunk
  }
}
