/**
 * delayStore: every completion comes later by a time that chance draws.
 *
 * Operations happen when the inner store lets them happen; only the news is late, and comes in
 * another order. This is how a slow disk looks to whoever waits for it.
 */
import type { Random, StoreSource } from "@rmr/core"
import type { OperationKind } from "../store/operation.js"
import { filterStore } from "./filter-store.js"

export interface DelayStoreOptions {
  readonly random: Random
  /** Uniform in this range, in milliseconds. */
  readonly delayMs: readonly [min: number, max: number]
  /** Default: all kinds. */
  readonly on?: readonly OperationKind[]
}

export function delayStore(source: StoreSource, options: DelayStoreOptions): StoreSource {
  const { random, delayMs, on } = options
  const [min, max] = delayMs
  return filterStore(source, "delayed", () => ({
    holdMs: ({ kind }) => {
      const isMeant = on === undefined || on.includes(kind)
      return isMeant ? min + random.unit() * (max - min) : 0
    },
  }))
}
