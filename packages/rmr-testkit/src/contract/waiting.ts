/**
 * How a suite waits: on events, with a bound, in whatever time its subject lives in.
 *
 * A suite never sleeps. It says what it waits for; in a world that moves virtual time until it is
 * so, elsewhere it looks again a little later. What does not come in time fails by name.
 */
import type { Clock } from "@rmr/core"
import { AssertionError } from "@rmr/core"
import type { World } from "../world/world.js"

export interface Waiting {
  /** Returns when the condition holds; fails when `limitMs` (default 10 s) passes without it. */
  until(condition: () => boolean, what: string, limitMs?: number): Promise<void>
  /** The outcome of the promise; fails when it is not settled in time. */
  settled<T>(promise: PromiseLike<T>, what: string, limitMs?: number): Promise<T>
  /** Lets this much time pass, in which something wrong might happen. */
  pass(ms: number): Promise<void>
}

const LIMIT_MS_DEFAULT = 10_000
const LOOK_AGAIN_MS = 1

export function worldWaiting(world: World): Waiting {
  return {
    until: (condition, what, limitMs = LIMIT_MS_DEFAULT) =>
      world.runUntil(condition, what, limitMs),
    settled: (promise, what, limitMs = LIMIT_MS_DEFAULT) => world.settled(promise, what, limitMs),
    pass: (ms) => world.runFor(ms),
  }
}

export function clockWaiting(clock: Clock): Waiting {
  const until = (condition: () => boolean, what: string, limitMs = LIMIT_MS_DEFAULT) =>
    new Promise<void>((resolve, reject) => {
      const endMs = clock.nowMs() + limitMs
      const look = (): void => {
        try {
          if (condition()) resolve()
          else if (clock.nowMs() < endMs) clock.schedule(LOOK_AGAIN_MS, look)
          else reject(new AssertionError(`no ${what} within ${limitMs} ms`))
        } catch (thrown) {
          reject(thrown)
        }
      }
      look()
    })
  return {
    until,
    pass: (ms) => new Promise((resolve) => void clock.schedule(ms, resolve)),
    settled: async (promise, what, limitMs) => {
      let isSettled = false
      const settle = (): void => {
        isSettled = true
      }
      promise.then(settle, settle)
      await until(() => isSettled, what, limitMs)
      return promise
    },
  }
}
