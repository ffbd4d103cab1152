/**
 * States of a leg: a client pool's tie to one member (upstream: `rmr_clt_pool_sess`).
 *
 * They are the client's local opinion about whether it can work with the member. They decide
 * nothing about data: only the view record says who takes writes, serves reads and is a source
 * (reading Q10).
 *
 * The one rule to remember: a leg never goes `failed → normal`. What a failed leg missed nobody can
 * know from the outside, so it always passes through `reconnecting`, where its map is brought up to
 * date or found to be so. The legs of a sync pool carry no mutations, miss nothing, and have no
 * such detour: they have a machine of their own.
 */
import { freezeMachine, type StateMachine } from "./state-machine.js"

export const LEG_STATES = ["created", "normal", "failed", "reconnecting", "removing"] as const
export type LegState = (typeof LEG_STATES)[number]

export type LegEvent =
  | "answered"
  | "started"
  | "resumed"
  | "rejoined"
  | "unreachable"
  | "link-lost"
  | "expelled"
  | "store-failed"
  | "refused"
  | "deadline"
  | "maintenance"
  | "reopening"
  | "removed"
  | "closed"

export const LEG_MACHINE: StateMachine<LegState, LegEvent> = freezeMachine({
  name: "leg",
  initial: "created",
  states: {
    created: {
      meaning: "The leg is new: its member and address are known, and it took no part in IO yet.",
      next: "The client dials the member; a new pool starts with it, a known one brings it back.",
      help: "Check the address, and that the storage node runs and serves the pool.",
    },
    normal: {
      meaning: "The member is in the view and answers; the leg takes every mutation and its reads.",
      next: "It stays so.",
      help: "None is needed.",
    },
    failed: {
      meaning: "The leg does not work, and nothing is sent to the member but attempts to reach it.",
      next: "The client tries again with growing, jittered pauses; then the leg is reconnecting.",
      help: "Check its node, disk and network; `status` on the node says how its store is.",
    },
    reconnecting: {
      meaning: "The member answers, and is not yet known to hold or to have marked all it missed.",
      next: "Unless it is in maintenance, it resumes, starts or rejoins, as rule R8 allows first.",
      help: "`status` on its node says what it waits for, `map check` what it lacks.",
    },
    removing: {
      meaning: "The leg is being taken down; what is in flight on it is completed or dropped.",
      next: "It is gone once the transport is done with its memory.",
      help: "None is needed.",
    },
  },
  events: {
    answered: "The member answers, with its store open and mapped.",
    started: "The opening view that names the member normal became effective (V5).",
    resumed: "Neither side had restarted, so IO was replayed and goes on (V6, Q9).",
    rejoined: "Its map update ended and the growing view that names it became effective (M3).",
    unreachable: "Nobody answered at its address within the deadline.",
    "link-lost": "Its session went down.",
    expelled: "It was late, lost or unfit; a view leaves it out (V7).",
    "store-failed": "Its store cannot hold what it acknowledges any more (I5).",
    refused: "It answered with a refusal that this client cannot mend.",
    deadline: "A step of its return took longer than its deadline.",
    maintenance: "An admin took it out of the view for maintenance (G2).",
    reopening: "Too few members kept what was opened: the pool is opened anew (R8).",
    removed: "Its member was disassembled or deleted (G4).",
    closed: "The client pool was left, or another client took the pool over (F4).",
  },
  moves: [
    { from: "created", to: "normal", on: ["started"] },
    { from: "created", to: "reconnecting", on: ["answered"] },
    { from: "created", to: "failed", on: ["unreachable", "link-lost", "refused"] },
    { from: "created", to: "removing", on: ["removed", "closed"] },

    { from: "normal", to: "failed", on: ["link-lost", "expelled", "store-failed"] },
    { from: "normal", to: "reconnecting", on: ["maintenance", "reopening"] },
    { from: "normal", to: "removing", on: ["removed", "closed"] },

    { from: "failed", to: "reconnecting", on: ["answered"] },
    { from: "failed", to: "removing", on: ["removed", "closed"] },

    { from: "reconnecting", to: "normal", on: ["started", "resumed", "rejoined"] },
    {
      from: "reconnecting",
      to: "failed",
      on: ["link-lost", "deadline", "expelled", "store-failed", "refused"],
    },
    { from: "reconnecting", to: "removing", on: ["removed", "closed"] },
  ],
})

export type SyncLegState = Exclude<LegState, "reconnecting">

export type SyncLegEvent = "answered" | "unreachable" | "link-lost" | "removed" | "closed"

export const SYNC_LEG_MACHINE: StateMachine<SyncLegState, SyncLegEvent> = freezeMachine({
  name: "sync leg",
  initial: "created",
  states: {
    created: {
      meaning: "A storage node knows its peer by member and address, and has not reached it yet.",
      next: "The node dials the peer until it answers.",
      help: "None is needed for the volume; the peer's address is shown by `status`.",
    },
    normal: {
      meaning: "The peer answers; chunks and map pages can be fetched from it if the view allows.",
      next: "It stays so.",
      help: "None is needed.",
    },
    failed: {
      meaning: "The peer does not answer; nothing is fetched from it.",
      next: "The node dials again with growing, jittered pauses; then the leg is normal at once.",
      help: "Check the network between the two storage nodes; clients may well reach both.",
    },
    removing: {
      meaning: "The leg is being taken down; fetches in flight on it are completed or dropped.",
      next: "It is gone once the transport is done with its memory.",
      help: "None is needed.",
    },
  },
  events: {
    answered: "The peer answers.",
    unreachable: "Nobody answered at its address within the deadline.",
    "link-lost": "Its session went down.",
    removed: "The peer was disassembled or deleted.",
    closed: "The server pool that fetches through this leg was left.",
  },
  moves: [
    { from: "created", to: "normal", on: ["answered"] },
    { from: "created", to: "failed", on: ["unreachable", "link-lost"] },
    { from: "created", to: "removing", on: ["removed", "closed"] },

    { from: "normal", to: "failed", on: ["link-lost"] },
    { from: "normal", to: "removing", on: ["removed", "closed"] },

    { from: "failed", to: "normal", on: ["answered"] },
    { from: "failed", to: "removing", on: ["removed", "closed"] },
  ],
})
