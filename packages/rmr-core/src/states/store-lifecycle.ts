/**
 * The life of a store: whether a server pool has it, and whether a device is mapped on the pool.
 *
 * It is durable. A node that restarts finds its store as it was, so that an unmap that happened, or
 * one that did not, is no guess afterwards: members that remember differently could never be told
 * apart from members that missed something. STORE_CHECK answers from here.
 */
import { freezeMachine, type StateMachine } from "./state-machine.js"

export const STORE_LIFECYCLE_STATES = ["closed", "open", "mapped"] as const
export type StoreLifecycleState = (typeof STORE_LIFECYCLE_STATES)[number]

export type StoreLifecycleEvent = "added" | "mapped" | "unmapped" | "removed"

export const STORE_LIFECYCLE_MACHINE: StateMachine<StoreLifecycleState, StoreLifecycleEvent> =
  freezeMachine({
    name: "store",
    initial: "closed",
    states: {
      closed: {
        meaning: "The store is formatted, and no server pool has it.",
        next: "Nothing: it keeps what it holds.",
        help: "`store add` gives it to its server pool, `store delete` wipes it.",
      },
      open: {
        meaning: "A server pool has the store, and no device is mapped on the pool.",
        next: "Nothing: it waits for a client to map the pool.",
        help: "`device map` on a compute client; `store remove` takes it out.",
      },
      mapped: {
        meaning: "A device is mapped on the pool; the store holds the volume it shows.",
        next: "It stays so, also after a restart, until the client unmaps.",
        help: "`device unmap` on the compute client.",
      },
    },
    events: {
      added: "The store was created for, added to or put into a server pool.",
      mapped: "A client mapped the pool as a device.",
      unmapped: "The client unmapped the device.",
      removed: "The store was removed from its server pool.",
    },
    moves: [
      { from: "closed", to: "open", on: ["added"] },
      { from: "open", to: "mapped", on: ["mapped"] },
      { from: "open", to: "closed", on: ["removed"] },
      { from: "mapped", to: "open", on: ["unmapped"] },
      { from: "mapped", to: "closed", on: ["removed"] },
    ],
  })
