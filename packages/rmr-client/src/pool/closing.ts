/**
 * PoolClosing: how a pool is closed, and until when (promise P6).
 *
 * ```
 *   handles refuse ─► in flight is over ─► flush ─► the pool has ended ─► members hear goodbye
 *        └──────────── until `withinMs` is over ────────────┘               └─ commandMs ─┘
 * ```
 *
 * What waits for a member or for a chunk may wait for ever; a close does not. What is not over in
 * time ends with `closed`, and nobody knows whether it happened. To members that is what a client
 * leaves that died: they know it by last io, refuse whatever of it comes after the goodbye (W5),
 * and the next opening finds out what each has (R4). So nothing depends on how a close ended.
 */
import type { Env, Timer } from "@rmr/core"
import { RmrError } from "@rmr/core"
import type { PoolVolume } from "../volume/pool-volume.js"

export interface PoolClosingOptions {
  readonly env: Env
  readonly poolName: string
  /** Handles that are open. */
  readonly volumes: ReadonlySet<PoolVolume>
  /** Ends when a flush has, however it went. */
  readonly flush: () => Promise<void>
  readonly isEnded: () => boolean
  /** Ends the pool with this; false where something had ended it before. */
  readonly end: (error: RmrError) => boolean
  /** To be called once the pool has ended: members that are up now hear of it. */
  readonly goodbye: () => () => Promise<void>
}

export class PoolClosing {
  private readonly options: PoolClosingOptions
  private over: Promise<number> | undefined
  /** There from the first close on, until it is late or the pool has ended. */
  private timer: Timer | undefined
  private lateMs = Number.POSITIVE_INFINITY
  private readonly late: Promise<void>
  private noteLate: () => void = () => undefined
  private isLate = false

  constructor(options: PoolClosingOptions) {
    this.options = options
    this.late = new Promise((resolve) => {
      this.noteLate = resolve
    })
  }

  /** How many operations of users were given up. Of several calls the earliest end counts. */
  close(withinMs: number): Promise<number> {
    this.waitUntil(this.options.env.clock.nowMs() + withinMs)
    this.over ??= this.run().finally(() => this.timer?.cancel())
    return this.over
  }

  private async run(): Promise<number> {
    const { volumes, flush, isEnded, end, goodbye, poolName } = this.options
    // The handles' own ends are the pool's: a member is told goodbye over the session it has.
    const told = Promise.all([...volumes].map((volume) => volume.close(Number.POSITIVE_INFINITY)))
    await Promise.race([told, this.late])
    if (!this.isLate && !isEnded()) await Promise.race([flush(), this.late])
    if (isEnded()) return 0
    let count = 0
    for (const { openCount } of volumes) count += openCount
    if (count > 0) this.noteGivenUp(count)
    const sayGoodbye = goodbye()
    const words = count === 0 ? "" : `, and ${count} requests were not over`
    if (!end(new RmrError("closed", `pool ${poolName} was closed${words}`))) return 0
    await told
    await sayGoodbye()
    return count
  }

  private waitUntil(lateMs: number): void {
    if (lateMs >= this.lateMs || this.isLate) return
    const { clock } = this.options.env
    this.lateMs = lateMs
    this.timer?.cancel()
    this.timer = clock.schedule(Math.max(0, lateMs - clock.nowMs()), () => {
      this.isLate = true
      this.noteLate()
    })
  }

  private noteGivenUp(operations: number): void {
    const { env, poolName } = this.options
    env.log.write("warn", "pool.io-given-up", { pool: poolName, operations })
  }
}
