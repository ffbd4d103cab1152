/**
 * SumsSaver: brings the sums of extents that were cooled to their places.
 *
 * ```
 *   cooled ─► slots written ─► flush: they are durable, and so is the data they tell of
 *     ─► the log may take the extents back ─► the slots are believed
 * ```
 *
 * So the slots that are believed after a crash are those of extents that the log calls cold, and
 * each of them was whole, and true, before it did. A slot that cannot be written leaves its extent
 * hot in the log, until the next attempt.
 */
import { STATUS_OK } from "@rmr/core"
import type { DataSums } from "./data-sums.js"
import type { HotSet } from "./hot-set.js"
import type { MetaIo } from "./meta-io.js"

const NONE: ReadonlySet<number> = new Set()

export interface SumsSaverParts {
  readonly io: MetaIo
  readonly sums: DataSums
  readonly hot: HotSet
  /** The frame that a slot of now is as new as. */
  readonly sequence: () => number
  /** A run that nobody waits for has ended. */
  readonly onEnd: () => void
}

export class SumsSaver {
  private readonly parts: SumsSaverParts
  private chain: Promise<void> = Promise.resolve()
  private running = 0
  private isAsked = false

  constructor(parts: SumsSaverParts) {
    this.parts = parts
  }

  get isRunning(): boolean {
    return this.running > 0
  }

  /** All that is cooled when it begins; calls that come meanwhile are one more run. */
  start(): void {
    if (this.isAsked) return
    this.isAsked = true
    void this.inOrder(() => {
      this.isAsked = false
      return this.carryOut([])
    }).then(() => this.parts.onEnd())
  }

  /** Everything that is cooled, and what else has changed: whether all of it is durable. */
  saveAll(): Promise<boolean> {
    return this.inOrder(() => this.carryOut(this.parts.sums.changed()))
  }

  saveCooled(): Promise<boolean> {
    return this.inOrder(() => this.carryOut([]))
  }

  private async carryOut(others: readonly number[]): Promise<boolean> {
    const { io, sums, hot, sequence } = this.parts
    const cooled = hot.toSave()
    const extents = new Set([...cooled.keys(), ...others])
    if (extents.size === 0) return true
    const { losses } = sums
    const { failures } = io.flushes
    const changed = [...extents].flatMap((extent) => {
      const one = sums.of(extent)
      return one?.isChanged === true ? [one] : []
    })
    // From here on a write makes it changed again.
    const writes = changed.map((one) => {
      one.isChanged = false
      return { extent: one.extent, sums: one.sums.slice() }
    })
    const isNeeded = writes.length > 0
    const failed = isNeeded ? await sums.slots.write(writes, sequence()) : NONE
    const status = isNeeded ? await io.flush(failures) : STATUS_OK
    const isLost = status !== STATUS_OK || sums.losses !== losses
    for (const one of changed) if (isLost || failed.has(one.extent)) one.isChanged = true
    if (isLost) return false
    for (const [extent, cooling] of cooled) {
      if (!failed.has(extent)) hot.noteSaved(extent, cooling)
    }
    return failed.size === 0
  }

  private inOrder(run: () => Promise<boolean>): Promise<boolean> {
    this.running++
    const done = this.chain.then(run).finally(() => this.running--)
    this.chain = done.then(() => undefined)
    return done
  }
}
