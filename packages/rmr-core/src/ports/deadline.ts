/** Waiting for work that may never end, for as long as may be (promise P6). */
import type { Clock, Timer } from "./clock.js"

/**
 * Whether the work ends in time. Fails as the work does; what becomes of it later is for whoever
 * keeps the promise to hear.
 */
export async function endsWithin(
  clock: Clock,
  withinMs: number,
  work: Promise<unknown>,
): Promise<boolean> {
  let timer: Timer | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = clock.schedule(withinMs, () => resolve(false))
  })
  try {
    return await Promise.race([work.then(() => true), late])
  } finally {
    timer?.cancel()
  }
}
