/**
 * PoolScrubs: stores that are read through while they are served, one scrub of each at a time.
 *
 * What does not match its checksums is marked in the member's own map, durably, and fetched from a
 * peer that has it (rule S6), whether or not anybody reads it. Without a peer that has it the mark
 * stays, and says where the damage is.
 */
import { type Scrub, scrubStore } from "@rmr/brmr-store"
import { type Env, RmrError } from "@rmr/core"
import type { ServerPool } from "@rmr/server"
import type { ScrubShown } from "../control/status.js"

interface Running {
  readonly scrub: Scrub
  readonly bytesPerSecond: number
  readonly beganMs: number
  state: ScrubShown["state"]
  error: string | null
  endedMs: number | undefined
  /** What it has found until now is marked. */
  readonly marked: () => Promise<void>
  /** Fulfilled when it reads and marks nothing any more. */
  ended: Promise<void>
}

export class PoolScrubs {
  private readonly env: Env
  private readonly byPool = new Map<string, Running>()

  constructor(env: Env) {
    this.env = env
  }

  /** Fails with `busy` while one runs, and with `unsupported` where the store keeps no sums. */
  start(pool: ServerPool, bytesPerSecond: number): ScrubShown {
    const { env } = this
    if (this.byPool.get(pool.name)?.state === "running") {
      throw new RmrError("busy", `the store of ${pool.name} is being scrubbed already`)
    }
    const { store } = pool.member
    let marked = Promise.resolve()
    const onDamage = ({ offset, bytes }: { offset: number; bytes: number }): void => {
      marked = marked.then(() => pool.noteDamage(offset, bytes))
    }
    const scrub = scrubStore({ env, store, bytesPerSecond, onDamage })
    const running: Running = {
      scrub,
      marked: () => marked,
      bytesPerSecond,
      beganMs: env.clock.nowMs(),
      state: "running",
      error: null,
      endedMs: undefined,
      ended: Promise.resolve(),
    }
    running.ended = this.follow(running)
    this.byPool.set(pool.name, running)
    return this.shown(running)
  }

  /** Until it has ended; what it has found stays to be seen. Fails with `not-found`. */
  async stop(poolName: string): Promise<ScrubShown> {
    const running = this.byPool.get(poolName)
    if (running === undefined) {
      throw new RmrError(
        "not-found",
        `the store of ${poolName} was not scrubbed since it is served`,
      )
    }
    if (running.state === "running") running.state = "stopped"
    running.scrub.stop()
    await running.ended
    return this.shown(running)
  }

  /** The store is about to be closed. */
  async forget(poolName: string): Promise<void> {
    if (!this.byPool.has(poolName)) return
    await this.stop(poolName)
    this.byPool.delete(poolName)
  }

  async close(): Promise<void> {
    await Promise.all([...this.byPool.keys()].map((poolName) => this.forget(poolName)))
  }

  of(poolName: string): ScrubShown | null {
    const running = this.byPool.get(poolName)
    return running === undefined ? null : this.shown(running)
  }

  private async follow(running: Running): Promise<void> {
    try {
      await running.scrub.done
      await running.marked()
      if (running.state === "running") running.state = "done"
    } catch (thrown) {
      running.state = "failed"
      running.error = RmrError.from(thrown).message
    }
    running.endedMs = this.env.clock.nowMs()
  }

  private shown({ scrub, state, error, bytesPerSecond, beganMs, endedMs }: Running): ScrubShown {
    const { damaged, ...progress } = scrub.progress
    const now = this.env.clock.nowMs()
    const tookMs = Math.round((endedMs ?? now) - beganMs)
    return { state, error, bytesPerSecond, tookMs, ...progress, damaged }
  }
}
