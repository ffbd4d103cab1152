/**
 * Every operation of a session in every state that a session can be in.
 */
import { LANE_IO, NO_LEASE, NO_SLOT, PAYLOAD_OUT, RmrError, STATUS_OK } from "@rmr/core"
import { check, checkEqual } from "../check.js"
import type { Clause } from "../clause.js"
import type { Lifecycle, Trait } from "../traits.js"
import { traitClauses } from "../traits.js"
import type { TransportHarness } from "./harness.js"
import type { Delivered } from "./records.js"
import type { Pair } from "./rig.js"
import { TransportRig } from "./rig.js"

/**
 * `up`; `closing` between the call of close and its end; `closed` by this side; `left` by the other
 * side; `ended` with its endpoint.
 */
export const SESSION_STATES = ["up", "closing", "closed", "left", "ended"] as const
export type SessionState = (typeof SESSION_STATES)[number]

/** Seen from both ends: the client's is in the state, and so is the server's. */
export interface Subject extends Pair {
  readonly rig: TransportRig
  readonly state: SessionState
  /** A request that was not answered before the state came. */
  readonly request: Delivered
}

type SessionTrait = Trait<TransportHarness, SessionState, Subject>

const lifecycle: Lifecycle<TransportHarness, SessionState, Subject> = {
  states: SESSION_STATES,
  enter: async (harness, state) => {
    const rig = new TransportRig(harness)
    const pair = await rig.pair()
    const { client, server, dialed, accepted } = pair
    client.write(dialed)
    await rig.until(() => server.requests.length === 1, "request")
    const areDown = (): boolean => client.downs.length > 0 && server.downs.length > 0
    if (state === "closing") {
      void dialed.close()
      void accepted.close()
    } else if (state === "closed") {
      await rig.settled(dialed.close(), "end of closing")
    } else if (state === "left") {
      await rig.settled(accepted.close(), "end of closing")
    } else if (state === "ended") {
      await rig.settled(client.endpoint.close(), "end of closing")
    }
    if (state !== "up" && state !== "closing") await rig.until(areDown, "both ends", 60_000)
    return { ...pair, rig, state, request: server.requests[0]! }
  },
}

const UNTIL_CLOSED: SessionTrait["results"] = {
  up: "done",
  closing: "closed",
  closed: "closed",
  left: "closed",
  ended: "closed",
}

const ALWAYS: SessionTrait["results"] = {
  up: "done",
  closing: "done",
  closed: "done",
  left: "done",
  ended: "done",
}

/** A session that is down says no by NO_SLOT; for the table that is `closed`. */
function mustBeSlot(slot: number): void {
  if (slot === NO_SLOT) throw new RmrError("closed", "no slot")
}

const traits: readonly SessionTrait[] = [
  {
    promise: "T9",
    operation: "submitting a request",
    results: UNTIL_CLOSED,
    run: async ({ rig, client, server, dialed }) => {
      const slot = client.inside(() => dialed.reserve(LANE_IO))
      mustBeSlot(slot)
      dialed.unreserve(slot)
      server.echo()
      const sent = client.write(dialed)!
      await rig.done(sent)
      checkEqual(sent.completion.status, STATUS_OK, "status")
    },
  },
  {
    promise: "T18",
    operation: "reserving a reply",
    results: UNTIL_CLOSED,
    run: ({ accepted, request }) => {
      const slot = accepted.reserveReply(request.ticket)
      mustBeSlot(slot)
      accepted.unreserve(slot)
    },
  },
  {
    promise: "T9",
    operation: "closing both ends",
    results: ALWAYS,
    run: async ({ rig, client, server, dialed, accepted }) => {
      const closing = Promise.all([dialed.close(), accepted.close()])
      await rig.settled(closing, "end of closing")
      await rig.pass(20)
      checkEqual(client.downs.length, 1, "times that the client was told of the end")
      checkEqual(server.downs.length, 1, "times that the server was told of the end")
      check(!dialed.isUp && !accepted.isUp, "both ends to be down")
    },
  },
  {
    promise: "T9",
    operation: "asking who the peer is and what the limits are",
    results: ALWAYS,
    run: ({ dialed, accepted }) => {
      checkEqual(dialed.peerName, "server", "name of the server")
      checkEqual(accepted.peerName, "client", "name of the client")
      check(dialed.freeCredits(LANE_IO) <= dialed.limits.credits[LANE_IO], "credits in bounds")
    },
  },
  {
    promise: "T9",
    operation: "asking whether it is up",
    results: ALWAYS,
    run: ({ dialed, accepted, state }) => {
      checkEqual(dialed.isUp, state === "up", "whether the dialed end is up")
      checkEqual(accepted.isUp, state === "up", "whether the accepted end is up")
    },
  },
  {
    promise: "T7",
    operation: "making a request on the accepted end",
    results: {
      up: "refused",
      closing: "refused",
      closed: "refused",
      left: "refused",
      ended: "refused",
    },
    run: ({ accepted }) => void accepted.reserve(LANE_IO),
  },
  {
    promise: "T7",
    operation: "submitting without a reserved slot",
    results: {
      up: "refused",
      closing: "refused",
      closed: "refused",
      left: "refused",
      ended: "refused",
    },
    run: ({ dialed }) => dialed.submit(0, 1, 1, PAYLOAD_OUT, NO_LEASE, 0, 0),
  },
]

export const lifecycleClauses: readonly Clause<TransportHarness>[] = traitClauses(lifecycle, traits)
