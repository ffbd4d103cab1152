/**
 * Reopening: a living client opens its pool anew, because too few members kept what it had opened
 * (rules R8, V5, W6, F4).
 *
 * Everybody may have lost power at once, or the one member there is was restarted. Then no view of
 * this epoch can go on: the pool is opened in a new one, as any client would open it, and what was
 * not answered is sent again. Until the first member was asked to take the new epoch nothing has
 * changed, and members that return as they were are resumed instead. From then on only the opening
 * view helps, and it is tried again until it is in force, or somebody else has the pool.
 */
import { type PoolMetadata, RmrError, sizeOf, tryEnable, type ViewNumber } from "@rmr/core"
import type { IoEngine } from "../io/io-engine.js"
import type { LegKeeper } from "./leg-keeper.js"
import { type Opening, openMembers } from "./opening.js"
import type { PoolContext } from "./pool-context.js"
import { claimOf } from "./sides.js"
import type { ViewChanger } from "./view-changer.js"
import { membersOf } from "./view-record.js"

/** Between two attempts. */
const AGAIN_MS = 250

export interface ReopeningOptions {
  readonly context: PoolContext
  readonly keeper: LegKeeper
  readonly engine: IoEngine
}

export class Reopening {
  private readonly options: ReopeningOptions
  /** Since when fewer than the minimum are there as this client opened them. */
  private shortMs: number | undefined
  private dueMs = 0
  private askedNow = 0
  private isBegunNow = false
  /** Somebody needs a higher epoch than the one that is open (R7). */
  private isWanted = false

  constructor(options: ReopeningOptions) {
    this.options = options
  }

  /** The highest epoch that this client has asked for. */
  get askedEpoch(): number {
    return this.askedNow
  }

  /** Tries once to open the pool in an epoch above all that members know, also of others (F2). */
  want(): void {
    this.isWanted = true
  }

  /** An opening view is in force. */
  noteOpened({ epoch }: ViewNumber): void {
    this.askedNow = Math.max(this.askedNow, epoch)
    this.isBegunNow = false
    this.isWanted = false
    this.shortMs = undefined
  }

  /** R8: whether the next step of the pool is to open it anew. */
  isDue(nowMs: number, record: PoolMetadata, { allowed, isPending }: ViewChanger): boolean {
    if (this.isBegunNow || this.isWanted) return nowMs >= this.dueMs
    const { context, keeper, engine } = this.options
    // What is proposed may ask for more members than the view in force (RT-82).
    const minNormal = Math.max(1, record.minNormal, engine.core.minNormal)
    const isShort = sizeOf(keeper.up & allowed) < minNormal
    if (!isShort) {
      this.shortMs = undefined
      return false
    }
    this.shortMs ??= nowMs
    const { row } = tryEnable({
      isFenced: false,
      isHolder: true,
      members: membersOf(record),
      view: record.normal,
      allowed,
      hasProposalPending: isPending,
      reachable: keeper.reachable,
      unchanged: keeper.up,
      normal: keeper.usable & record.normal,
      minNormal,
      lostMs: nowMs - this.shortMs,
      regroupMs: context.times.regroupMs,
    })
    return row === "start" && nowMs >= this.dueMs
  }

  /** Opens all that are there. Fails with `no-leg` where these may not know everything. */
  async open(record: PoolMetadata): Promise<Opening> {
    const { context, keeper, engine } = this.options
    const { clock, random } = context.env
    this.isWanted = false
    try {
      return await openMembers(context, keeper.legs, {
        epoch: this.askedNow,
        claim: claimOf(record),
        onOpening: (epoch) => {
          this.askedNow = epoch
          this.isBegunNow = true
          engine.core.isFrozen = true
          keeper.beginAnew()
        },
        carried: () => engine.unresolvedRanges(),
      })
    } catch (thrown) {
      const error = RmrError.from(thrown)
      this.dueMs = clock.nowMs() + AGAIN_MS + random.below(AGAIN_MS)
      // It had this client's epoch, and has another one's now.
      if (error.code === "held") throw new RmrError("fenced", error.detail)
      throw error
    }
  }
}
