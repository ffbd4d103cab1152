/**
 * Lingering: a thread whose last bytes came soon after those before waits awake for the next ones,
 * for a moment, before it sleeps. An IO alone is answered in two thirds of the time; a busy thread
 * takes a whole processor instead of a part of it, and yields it to whoever else wants it. Of
 * native sockets only; native/linger.c says when.
 */
import { RmrError } from "@rmr/core"
import { LINGER_US_DEFAULT } from "./linger-default.js"
import { nativeAddon } from "./native-addon.js"

export const LINGER_US_MAX = 1000

let current = LINGER_US_DEFAULT

/** How long this thread lingers at most, from now on; 0 is never. */
export function lingerFor(microseconds: number): void {
  if (!Number.isInteger(microseconds) || microseconds < 0 || microseconds > LINGER_US_MAX) {
    throw new RmrError(
      "invalid-argument",
      `lingering for ${microseconds} µs: it is a whole number from 0 to ${LINGER_US_MAX}`,
    )
  }
  nativeAddon()?.lingerFor(microseconds)
  current = microseconds
}

/** How long this thread lingers, for others that wait awake. */
export function lingerUs(): number {
  return current
}
