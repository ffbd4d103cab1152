/**
 * What broken stores are made of: a sound memory store with one part replaced, or one answer
 * altered.
 */
import type { BlockEvents, Store, StoreOpen, StoreSource } from "@rmr/core"
import { MemoryMedium } from "../src/store/memory-medium.js"
import type { MemoryStoreParts } from "../src/store/memory-store.js"
import { memoryStoreOf } from "../src/store/memory-store.js"
import { OpenMemoryStore } from "../src/store/open-memory-store.js"
import { batchOf, overlay, rowsOf } from "./block-mutant.js"
import type { MemoryHarnessOptions } from "./store-harness.js"

export interface StoreMutant {
  /** What it does wrong, as a clause of "a store that …". */
  readonly title: string
  /** The promise that must notice. */
  readonly breaks: string
  readonly harness: MemoryHarnessOptions
}

/** A memory store with other classes inside. */
export function withParts(
  title: string,
  breaks: string,
  parts: Partial<MemoryStoreParts>,
): StoreMutant {
  const all = { Medium: MemoryMedium, Open: OpenMemoryStore, ...parts }
  return { title, breaks, harness: { make: (options) => memoryStoreOf(options, all) } }
}

/** Answers in place of the store's own. */
export type Alteration = (store: Store, open: StoreOpen) => Partial<Store>

export function altered(title: string, breaks: string, alter: Alteration): StoreMutant {
  return wrapped(title, breaks, (source) => ({
    name: source.name,
    open: async (open) => {
      const store = await source.open(open)
      return overlay(store, alter(store, open))
    },
  }))
}

/** Rewrites the completions of every batch. */
export function alteredCompletions(
  title: string,
  breaks: string,
  rewrite: (rows: Int32Array[], open: StoreOpen) => Int32Array[],
): StoreMutant {
  return wrapped(title, breaks, (source) => ({
    name: source.name,
    open: (open) => {
      const events: BlockEvents = {
        onCompletions: (batch) => {
          const rows = rewrite(rowsOf(batch), open)
          if (rows.length > 0) open.events.onCompletions(batchOf(rows))
        },
      }
      return source.open({ ...open, events })
    },
  }))
}

export function wrapped(
  title: string,
  breaks: string,
  wrap: (source: StoreSource) => StoreSource,
): StoreMutant {
  return { title, breaks, harness: { wrap } }
}
