/**
 * Which of several paths a request takes.
 *
 * `round-robin` takes them in turns. `min-inflight` takes the one with the fewest requests under
 * way, which finds out by itself that one is slower, or shared with others. `min-latency` takes the
 * one that has answered fastest of late, as far as some requests tell that are measured; now and
 * then another one is taken, so that it may show that it has become better.
 */
export type PathPolicy = "round-robin" | "min-inflight" | "min-latency"

export const PATH_POLICIES: readonly PathPolicy[] = ["round-robin", "min-inflight", "min-latency"]

export interface Choosable {
  readonly inFlight: number
  /** 0 where nothing was measured yet. */
  readonly latencyMs: number
}

/** The number of one of them; there is at least one. */
export type Chooser = (paths: readonly Choosable[]) => number

/** Of so many requests, one is taken where it would not go. */
const TRY_OTHERS_EACH = 64

export function chooserOf(policy: PathPolicy): Chooser {
  let turn = 0
  const next = (count: number): number => {
    turn = turn + 1 < count ? turn + 1 : 0
    return turn
  }
  if (policy === "round-robin") return (paths) => next(paths.length)
  // Equals have their turns, or the first one would wear all that is little.
  if (policy === "min-inflight") {
    return (paths) => leastOf(paths, next(paths.length), (path) => path.inFlight)
  }
  let sinceOthers = 0
  return (paths) => {
    if (++sinceOthers >= TRY_OTHERS_EACH) {
      sinceOthers = 0
      return next(paths.length)
    }
    return leastOf(paths, 0, (path) => path.latencyMs)
  }
}

function leastOf(
  paths: readonly Choosable[],
  first: number,
  costOf: (path: Choosable) => number,
): number {
  let best = first
  let least = costOf(paths[first]!)
  for (let step = 1; step < paths.length; step++) {
    const nth = (first + step) % paths.length
    const cost = costOf(paths[nth]!)
    if (cost >= least) continue
    best = nth
    least = cost
  }
  return best
}
