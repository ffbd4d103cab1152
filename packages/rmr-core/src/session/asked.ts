/** What endpoints of every transport refuse before anything is sent. */
import { RmrError } from "../errors.js"
import type { LaneCredits } from "../ports/transport.js"

const CREDITS_MAX = 2 ** 16 - 1

/** Fails with `invalid-argument`. */
export function checkCredits(credits: LaneCredits): void {
  const isCount = (count: number): boolean =>
    Number.isInteger(count) && count >= 0 && count <= CREDITS_MAX
  if (credits.length === 3 && credits.every(isCount)) return
  throw new RmrError("invalid-argument", `credits ${credits.join()} are not in 0…${CREDITS_MAX}`)
}

/** Who dials or listens behind the end is told so. */
export function closedEndpoint(): RmrError {
  return new RmrError("closed", "this side closed its endpoint")
}
