/**
 * What a forced start has lost, counted and settled (rules F6, R6).
 *
 * ```
 *   opening view ─► returners that are here ─► a view with the count ─► accepted ─► settled
 * ```
 *
 * The record of the opening view says that it is not settled, so whoever opens the pool after a
 * crash goes on where this one was. First come members that answer and are about to return: what
 * they have clean is not lost. Then a view says how many chunks are, durably, before any of them
 * counts as it is; the last view says that this is over, and from then on nothing real is elected.
 */
import type { LineageEntry, PoolMetadata } from "@rmr/core"
import type { RecordChange } from "./membership.js"
import type { PoolContext } from "./pool-context.js"

export interface ForcedLossOptions {
  readonly context: PoolContext
  /** The view in force. */
  readonly record: () => PoolMetadata
  /** Members answer that may return. */
  readonly hasComing: () => boolean
  /** An election in the view in force; how many chunks are lost. */
  readonly elect: (acceptsLoss: boolean) => Promise<number>
  /** A view change that says this is in force afterwards. */
  readonly change: (change: RecordChange) => Promise<void>
}

export class ForcedLoss {
  private readonly options: ForcedLossOptions
  private sinceMs: number | undefined

  constructor(options: ForcedLossOptions) {
    this.options = options
  }

  /** Not while somebody comes who may have what is lost, for as long as that may take (S8). */
  isDue(nowMs: number): boolean {
    if (unsettledFork(this.options.record()) === undefined) {
      this.sinceMs = undefined
      return false
    }
    this.sinceMs ??= nowMs
    const isOver = nowMs - this.sinceMs >= this.options.context.times.noLegMs
    return isOver || !this.options.hasComing()
  }

  /** A step of the pool. Interrupted anywhere, it is done again, and ends the same. */
  async settle(): Promise<void> {
    const { context, record, elect, change } = this.options
    // A member that fails while the count is written leaves more chunks without a good copy.
    for (;;) {
      const lostChunks = await elect(false)
      if (lostChunks <= (unsettledFork(record())?.lostChunks ?? 0)) break
      await change(withFork({ lostChunks }))
    }
    const fork = unsettledFork(record())
    if (fork === undefined) return
    const { lostChunks } = fork
    if (lostChunks > 0) await elect(true)
    await change(withFork({ isSettled: true }))
    const fields = { pool: context.poolName, lostChunks, from: fork.lineage }
    context.env.log.write(lostChunks > 0 ? "error" : "info", "pool.forced-settled", fields)
  }
}

/** What is to be counted still of the newest forced start, if there was one. */
function unsettledFork({ history }: PoolMetadata): LineageEntry | undefined {
  const [from] = history
  return from?.isSettled === false ? from : undefined
}

function withFork(said: Partial<LineageEntry>): RecordChange {
  const edit = (record: PoolMetadata): PoolMetadata => {
    const [from, ...older] = record.history
    return from === undefined ? record : { ...record, history: [{ ...from, ...said }, ...older] }
  }
  return { edit }
}
