/**
 * States of a map update, on the member that receives it (rule M3).
 *
 * A member that was away must learn which chunks it missed before it may serve anything. It
 * receives its marks while IO runs on the others; only the last delta and the growing view happen
 * with IO frozen. What it has already received is never thrown away: its own map only grows until
 * it clears a chunk itself, so an interrupted update costs time and no knowledge.
 */
import { freezeMachine, type StateMachine } from "./state-machine.js"

export const MAP_UPDATE_STATES = ["disabled", "ready", "done"] as const
export type MapUpdateState = (typeof MAP_UPDATE_STATES)[number]

export type MapUpdateEvent = "map-ready" | "same-maps" | "thawed" | "view-grown" | "map-disable"

export const MAP_UPDATE_MACHINE: StateMachine<MapUpdateState, MapUpdateEvent> = freezeMachine({
  name: "map update",
  initial: "disabled",
  states: {
    disabled: {
      meaning: "No map update runs; map pages from peers are refused.",
      next: "The client starts one when the member comes back from outside the view.",
      help: "None is needed.",
    },
    ready: {
      meaning: "The member is drained, suspects what it may have alone, and takes map pages.",
      next: "A source streams the valid marks, then deltas; if it dies another one goes on.",
      help: "`map summary` on its node says what it lacks.",
    },
    done: {
      meaning: "The last delta has come; counts and digest of each map are as at the source.",
      next: "The growing view is persisted with what came last; effective, it makes it normal.",
      help: "None is needed.",
    },
  },
  events: {
    "map-ready": "MAP_READY came, and the member's own suspicions are durable (R5).",
    "same-maps": "MAP_BUF_DONE came after the last delta, and every map here is as it says.",
    thawed: "The view could not grow in the freeze, IO goes on, and so do the deltas.",
    "view-grown": "The view that names the member normal became effective.",
    "map-disable": "MAP_DISABLE came, or its session went down; what was received is kept.",
  },
  moves: [
    { from: "disabled", to: "ready", on: ["map-ready"] },
    { from: "ready", to: "done", on: ["same-maps"] },
    { from: "ready", to: "disabled", on: ["map-disable"] },
    { from: "done", to: "ready", on: ["thawed"] },
    { from: "done", to: "disabled", on: ["view-grown", "map-disable"] },
  ],
})
