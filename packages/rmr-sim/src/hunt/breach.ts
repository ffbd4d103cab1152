/**
 * What a hunt can find: a promise that was broken, and which sort of promise that is.
 *
 * The words begin with the promise or rule (`P2: …`); what begins with neither is a mistake that
 * code of ours caught in itself. Each sort has an exit status of its own, so that a script knows
 * what it has found without reading.
 */

/** Bytes that nobody may see are worse than code that stopped, and that is worse than a wait. */
export const BREACH_KINDS = ["correctness", "crash", "liveness"] as const
export type BreachKind = (typeof BREACH_KINDS)[number]

export interface Breach {
  readonly kind: BreachKind
  readonly words: string
}

export const EXIT_STATUSES: Readonly<Record<BreachKind, number>> = {
  correctness: 10,
  crash: 11,
  liveness: 12,
}

/** Promises and rules whose breach is that something does not happen. */
const LIVENESS = ["P3", "P6", "P9", "P10", "V5"]

export function breachOf(words: string): Breach {
  const rule = /^([A-Z]\d+[a-z]?): /.exec(words)?.[1]
  if (rule === undefined) return { kind: "crash", words }
  return { kind: LIVENESS.includes(rule) ? "liveness" : "correctness", words }
}

/** Of several breaches, the exit status of the worst; 0 where there is none. */
export function exitStatusOf(kinds: readonly BreachKind[]): number {
  const worst = BREACH_KINDS.find((kind) => kinds.includes(kind))
  return worst === undefined ? 0 : EXIT_STATUSES[worst]
}
