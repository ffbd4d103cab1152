/**
 * traceStore: tells of every operation that goes into a store and comes out of it.
 *
 * For stories and for people: a failed run is told apart by what its store was asked, in which
 * order. Records are plain data; who gets them decides how many to keep.
 */
import type { StoreSource } from "@rmr/core"
import type { OperationKind } from "../store/operation.js"
import type { FilteredOperation } from "./filter-store.js"
import { filterStore } from "./filter-store.js"

export interface TraceRecord {
  /** By the clock of whoever opened the store. */
  readonly atMs: number
  readonly what: "submit" | "complete"
  readonly kind: OperationKind
  readonly token: number
  readonly offset: number
  readonly bytes: number
  readonly flags: number
  /** Of a completion; 0 is success. */
  readonly status: number
}

export function traceStore(
  source: StoreSource,
  onRecord: (record: TraceRecord) => void,
): StoreSource {
  return filterStore(source, "traced", ({ env }) => {
    const tell = (what: TraceRecord["what"], operation: FilteredOperation): void => {
      const { kind, token, offset, bytes, flags, status } = operation
      onRecord({ atMs: env.clock.nowMs(), what, kind, token, offset, bytes, flags, status })
    }
    return {
      before: (operation) => tell("submit", operation),
      after: (operation) => tell("complete", operation),
    }
  })
}
