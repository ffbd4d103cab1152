/**
 * How a node waits for the close of a store, and for how long (promise P6).
 *
 * A store whose disk hangs never says that it has ended, and neither does what waits for it. A
 * store that was not closed is what a crash leaves: its member suspects itself (R3), and nothing
 * depends on how a close ended. The close goes on by itself, for a process that goes on too.
 */
import { type Env, endsWithin, RmrError } from "@rmr/core"

export interface ClosingPool {
  readonly env: Env
  readonly pool: string
  /** Requests that are in work. */
  readonly requestCount: () => number
}

/** Fails with `deadline` where it takes longer, and else as the close does. */
export async function closedWithin(
  { env, pool, requestCount }: ClosingPool,
  withinMs: number,
  closed: Promise<void>,
): Promise<void> {
  if (await endsWithin(env.clock, withinMs, closed)) return
  const requests = requestCount()
  env.log.write("error", "server-pool.not-closed", { pool, requests })
  const noteFailure = (thrown: unknown): void => {
    const { code, detail } = RmrError.from(thrown)
    env.log.write("error", "server-pool.close-failed", { pool, code, detail })
  }
  closed.then(() => env.log.write("warn", "server-pool.closed-late", { pool }), noteFailure)
  const words = `it had not ended after ${Math.round(withinMs)} ms`
  throw new RmrError("deadline", `${words}, with ${requests} requests in work`)
}
