/**
 * States of a server pool: what one storage node does for one pool (upstream: `rmr_srv_pool`).
 *
 * `normal` is the only state that admits IO. Everything that could let a request of an older time
 * slip in (a client that reopens or rejoins, an expulsion, maintenance, leaving) passes through
 * `no-io`, which admits nothing and drains what it admitted before it answers (rule W5). A client
 * that merely falls silent changes nothing here: peers go on fetching from this member, and the
 * next OPEN or REJOIN drains before it is answered.
 */
import { freezeMachine, type StateMachine } from "./state-machine.js"

export const SERVER_POOL_STATES = ["empty", "registered", "created", "normal", "no-io"] as const
export type ServerPoolState = (typeof SERVER_POOL_STATES)[number]

export type ServerPoolEvent =
  | "store-added"
  | "join-create"
  | "join-assemble"
  | "started"
  | "resumed"
  | "rejoined"
  | "open"
  | "rejoin"
  | "expelled"
  | "maintenance"
  | "store-failed"
  | "leaving"
  | "left"
  | "store-closed"

export const SERVER_POOL_MACHINE: StateMachine<ServerPoolState, ServerPoolEvent> = freezeMachine({
  name: "server pool",
  initial: "empty",
  states: {
    empty: {
      meaning: "The node knows the pool's name and its own member id, and has no store for it.",
      next: "Nothing: it waits for a store.",
      help: "`store add` serves the store of its configuration.",
    },
    registered: {
      meaning: "The node has a store for the pool and takes no part in it.",
      next: "A store that carries the pool's record assembles; an empty one waits for a client.",
      help: "`status` on the compute client says why it does not open or create the pool.",
    },
    created: {
      meaning: "The node is a new member, and no view names it normal yet.",
      next: "The client that creates or extends the pool makes a view that names it.",
      help: "`status` on the compute client says whether it creates the pool, or why not.",
    },
    normal: {
      meaning: "The view names this member normal: it serves IO and is a source for its peers.",
      next: "It fetches its own dirty chunks until none is left, and stays so.",
      help: "None is needed.",
    },
    "no-io": {
      meaning: "The node admits no IO, and finishes what it had admitted.",
      next: "It waits for a client, which resumes, starts or rejoins it; then it is normal.",
      help: "`status` on the compute client says what it waits for.",
    },
  },
  events: {
    "store-added": "A store was created, added or put in place of a lost one.",
    "join-create": "JOIN_POOL came with create: a new pool, or a new member of one.",
    "join-assemble": "JOIN_POOL came with assemble, or the node found the pool on its own store.",
    started: "The opening view that names it normal became effective (V5).",
    resumed: "Neither it nor its client had restarted; it was drained and goes on (V6, Q9).",
    rejoined: "Its map update ended and the growing view that names it became effective (M3).",
    open: "A client opened the pool with a higher epoch (F1).",
    rejoin: "The client came back over a new session (W5).",
    expelled: "It learned of a view that names it absent (V4).",
    maintenance: "An admin took it out of the view for maintenance (G2).",
    "store-failed": "A flush failed, or its store can go on no longer (I5).",
    leaving: "LEAVE_POOL came; what was admitted is finished first.",
    left: "The pool was left; the store keeps what it holds unless it is deleted.",
    "store-closed": "The store was removed, or closed unclean after it had failed.",
  },
  moves: [
    { from: "empty", to: "registered", on: ["store-added"] },

    { from: "registered", to: "created", on: ["join-create"] },
    { from: "registered", to: "no-io", on: ["join-assemble"] },
    { from: "registered", to: "empty", on: ["store-closed"] },

    { from: "created", to: "normal", on: ["started", "rejoined"] },
    { from: "created", to: "no-io", on: ["store-failed", "leaving"] },

    {
      from: "normal",
      to: "no-io",
      on: ["open", "rejoin", "expelled", "maintenance", "store-failed", "leaving"],
    },

    { from: "no-io", to: "normal", on: ["started", "resumed", "rejoined"] },
    { from: "no-io", to: "registered", on: ["left"] },
    { from: "no-io", to: "empty", on: ["store-closed"] },
  ],
})
