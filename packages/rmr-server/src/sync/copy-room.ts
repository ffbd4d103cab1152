/**
 * CopyRoom: slots of the intent log for copies (rules I1, I3; RT-68).
 *
 * A copy is written into hot extents only. Where the log is full it waits for extents to cool, and
 * they cool when the mutations in them are stable; a mutation may wait for a copy of its own chunk,
 * whose extents are hot already. So a copy without a slot holds nothing that another copy needs: it
 * does not begin, or gives up and is looked at again. What has begun and has no slot yet is
 * counted, so that hardly any copy is fetched in vain.
 */
import type { ChunkNumber } from "@rmr/core"
import type { MemberVolume } from "../pool/member-volume.js"

export interface CopyRoomOptions {
  readonly volume: MemberVolume
  /** The intent log has no slot for a copy: what may cool is to cool. */
  readonly onCoolingDue: () => void
  readonly schedule: (delayMs: number, run: () => void) => void
}

/** What finds no slot is looked at again after this long. */
const ROOM_MS = 10

export class CopyRoom {
  private readonly options: CopyRoomOptions
  private readonly onAgain: () => void
  private promisedExtents = 0
  private isTimed = false

  constructor(options: CopyRoomOptions, onAgain: () => void) {
    this.options = options
    this.onAgain = onAgain
  }

  /** Where not, the log is looked at again soon. */
  isFor(chunk: ChunkNumber): boolean {
    const { first, count } = this.extentsOf(chunk)
    if (this.options.volume.hot.hasRoomToPin(first, count, this.promisedExtents)) return true
    this.lookAgain()
    return false
  }

  /** A copy of the chunk has begun; whoever has this calls the answer once it pins, or gives up. */
  promise(chunk: ChunkNumber): () => void {
    const { count } = this.extentsOf(chunk)
    this.promisedExtents += count
    let isOpen = true
    return () => {
      if (isOpen) this.promisedExtents -= count
      isOpen = false
    }
  }

  /** The chunk's extents, hot until they are unpinned; undefined where one finds no slot. */
  pin(chunk: ChunkNumber): readonly number[] | undefined {
    const { hot } = this.options.volume
    const { first, count } = this.extentsOf(chunk)
    const extents = Array.from({ length: count }, (_, nth) => first + nth)
    const pinned = extents.findIndex((extent) => !hot.pin(extent))
    if (pinned < 0) return extents
    for (const extent of extents.slice(0, pinned)) hot.unpin(extent)
    this.lookAgain()
    return undefined
  }

  unpin(extents: readonly number[]): void {
    for (const extent of extents) this.options.volume.hot.unpin(extent)
  }

  private lookAgain(): void {
    const { onCoolingDue, schedule } = this.options
    if (this.isTimed) return
    this.isTimed = true
    onCoolingDue()
    schedule(ROOM_MS, () => {
      this.isTimed = false
      this.onAgain()
    })
  }

  private extentsOf(chunk: ChunkNumber): { readonly first: number; readonly count: number } {
    const { geometry } = this.options.volume
    const offset = geometry.offsetOf(chunk)
    const count = geometry.extentSpan(offset, geometry.sizeOf(chunk))
    return { first: geometry.extentOf(offset), count }
  }
}
