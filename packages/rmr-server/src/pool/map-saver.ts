/**
 * MapSaver: when dirty-map pages become durable, and when extents cool (rules I2, I3, M1).
 *
 * A mark is made in memory, and until its page is durable the intent log covers it: after a crash
 * every chunk of a hot extent is marked anew (R3). So a page may be written lazily, once for all
 * marks of a while. The first mark that no save is about sets a deadline, and later ones do not
 * move it: a stream of marks costs each page one write per MAP_SAVE_MS, and never postpones it.
 * (The original's lazy flush is armed anew by each mark, and never comes while there are writes.)
 * What an answer waits for (a view change, a clear, a bad sector) is saved by whoever answers; that
 * takes all marks of then with it, and the next deadline begins with the next mark.
 *
 * An extent cools when everything in it is stable and its pages are durable. Where they are
 * already, it cools at once; else with the save that is due anyway.
 */
import type { Clock, Timer } from "@rmr/core"
import { RmrError } from "@rmr/core"
import type { Member } from "./member.js"
import type { MemberVolume } from "./member-volume.js"

/** How long a mark may be covered by the intent log alone. */
export const MAP_SAVE_MS = 1000

/** I2: every mutation of this epoch up to this one is on stable storage everywhere. */
export interface StableNumber {
  readonly stableEpoch: number
  readonly stableSequence: number
}

export interface MapSaverOptions {
  readonly clock: Clock
  readonly member: Member
  readonly volume: MemberVolume
  /** What the holder announced last, to this process. */
  readonly stable: StableNumber
  /** Whether this member takes part in the view, and so in what became stable (I4). */
  readonly isNormal: () => boolean
  readonly onFailed: (error: RmrError) => void
}

export class MapSaver {
  private readonly options: MapSaverOptions
  private timer: Timer | undefined
  private isSaving = false
  /** The deadline came while a save was on its way. */
  private isOverdue = false
  private isClosed = false
  private readonly onDue = (): void => {
    this.timer = undefined
    if (this.isSaving) this.isOverdue = true
    else void this.save()
  }

  constructor(options: MapSaverOptions) {
    this.options = options
    const { maps } = options.volume
    maps.events = { onChanged: () => this.arm(), onTaken: () => this.disarm() }
    if (maps.hasChanges) this.arm()
  }

  /** The stable number has moved on, or nothing was asked for a while (I2). */
  cool(): void {
    if (this.isClosed) return
    const { geometry, maps, hot } = this.options.volume
    const isWaiting = this.coolUpTo(this.stable(), (extent) => {
      const offset = geometry.extentOffset(extent)
      const count = geometry.chunkSpan(offset, geometry.extentSizeOf(extent))
      return maps.isDurable(geometry.chunkOf(offset), count)
    })
    // Mutations are refused until there is room in the intent log (I3), so it is right to write
    // these pages before they are due.
    if (isWaiting && hot.isFull && !this.isSaving) void this.save()
  }

  /** Nothing is saved any more, and no timer is left. */
  close(): void {
    this.isClosed = true
    this.disarm()
  }

  private arm(): void {
    if (this.timer !== undefined || this.isOverdue || this.isClosed) return
    this.timer = this.options.clock.schedule(MAP_SAVE_MS, this.onDue)
  }

  private disarm(): void {
    this.isOverdue = false
    this.timer?.cancel()
    this.timer = undefined
  }

  private async save(): Promise<void> {
    this.isSaving = true
    // What is marked from now on belongs to mutations that are later than these, or not resolved.
    const stable = this.stable()
    try {
      await this.options.member.saveMaps()
      if (!this.isClosed) this.coolUpTo(stable, () => true)
    } catch (thrown) {
      this.options.onFailed(RmrError.from(thrown))
    } finally {
      this.isSaving = false
    }
    if (this.isClosed) return
    // Saves that take longer than they may be apart follow each other at once, one at a time.
    if (this.isOverdue) {
      this.isOverdue = false
      void this.save()
    } else {
      this.cool()
    }
  }

  private stable(): StableNumber {
    const { stableEpoch, stableSequence } = this.options.stable
    return { stableEpoch, stableSequence }
  }

  /** Whether some extent is stable and may not cool yet. */
  private coolUpTo(stable: StableNumber, mayCool: (extent: number) => boolean): boolean {
    const { member, volume, isNormal } = this.options
    // I4: what it found hot at its opening is flushed when it becomes normal, and not before.
    if (!isNormal()) return false
    let isWaiting = false
    const cooled = volume.hot.takeStable(stable.stableEpoch, stable.stableSequence, (extent) => {
      const may = mayCool(extent)
      isWaiting ||= !may
      return may
    })
    if (cooled.length > 0) member.store.cool(cooled)
    return isWaiting
  }
}
