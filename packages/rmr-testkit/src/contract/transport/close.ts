/**
 * T9, T18: closing ends everything on both sides, once, and late replies go nowhere.
 */
import type { Session } from "@rmr/core"
import { LANE_IO, NO_SLOT, statusOf } from "@rmr/core"
import { check, checkEqual } from "../check.js"
import type { RigClause } from "./clause.js"
import { patterned } from "./content.js"
import type { Party } from "./party.js"
import type { Sent } from "./records.js"
import type { Pair, TransportRig } from "./rig.js"

const CLOSED = statusOf("closed")
const LINK_LOST = statusOf("link-lost")

/** The party was told once that this session is down, for this reason, after everything else. */
export function checkDown(
  party: Party,
  session: Session,
  code: "closed" | "link-lost",
  sent: readonly Sent[] = [],
): void {
  const downs = party.downs.filter((down) => down.session === session)
  checkEqual(downs.length, 1, `times that ${party.name} was told of the end`)
  checkEqual(downs[0]!.cause.code, code, `reason that ${party.name} was told`)
  check(!session.isUp, "the session to be down")
  for (const { completion } of sent) {
    check(completion.order < downs[0]!.order, "completions before the end of their session")
  }
}

async function untilDown(rig: TransportRig, party: Party, count = 1): Promise<void> {
  const { silenceMsMax } = party.process.transport.supports
  await rig.until(() => party.downs.length >= count, `end on ${party.name}`, 2 * silenceMsMax)
}

/** Writes and reads that have arrived and are not answered. */
async function inFlight(rig: TransportRig, { client, server, dialed }: Pair): Promise<Sent[]> {
  const sent = [client.write(dialed)!, client.read(dialed)!, client.write(dialed, { bytes: 0 })!]
  await rig.until(() => server.requests.length === 3, "requests")
  return sent
}

export const closeClauses: readonly RigClause[] = [
  {
    promise: "T9",
    title: "closing the dialed end completes what is in flight with closed, then reports the end",
    run: async (rig) => {
      const pair = await rig.pair()
      const { client, server, dialed, accepted } = pair
      const sent = await inFlight(rig, pair)
      const unsent = client.write(dialed)!
      await rig.settled(
        client.inside(() => dialed.close()),
        "end of closing",
      )
      for (const each of [...sent, unsent]) rig.checkEnded(each, CLOSED, "a request in flight")
      checkDown(client, dialed, "closed", [...sent, unsent])
      await untilDown(rig, server)
      checkDown(server, accepted, "link-lost")
    },
  },
  {
    promise: "T9",
    title: "closing the accepted end completes what is in flight over there with link-lost",
    run: async (rig) => {
      const pair = await rig.pair()
      const { client, server, dialed, accepted } = pair
      const sent = await inFlight(rig, pair)
      await rig.settled(
        server.inside(() => accepted.close()),
        "end of closing",
      )
      checkDown(server, accepted, "closed")
      await untilDown(rig, client)
      for (const each of sent) rig.checkEnded(each, LINK_LOST, "a request in flight")
      checkDown(client, dialed, "link-lost", sent)
    },
  },
  {
    promise: "T9",
    title: "closing twice, from both sides, and once more after the end is closing once",
    run: async (rig) => {
      const { client, server, dialed, accepted } = await rig.pair()
      const closing = [dialed.close(), dialed.close(), accepted.close(), accepted.close()]
      await rig.settled(Promise.all(closing), "end of closing")
      await rig.settled(dialed.close(), "end of closing once more")
      await rig.pass(20)
      checkDown(client, dialed, "closed")
      checkEqual(server.downs.length, 1, "times that the server was told of the end")
    },
  },
  {
    promise: "T9",
    title: "a session that is closed gives no slot, and ends what had one",
    run: async (rig) => {
      const { client, dialed } = await rig.pair()
      const sent = client.write(dialed)!
      const closing = dialed.close()
      checkEqual(dialed.reserve(LANE_IO), NO_SLOT, "slot of a closed session")
      await rig.settled(closing, "end of closing")
      rig.checkEnded(sent, CLOSED, "a request that was just submitted")
      checkEqual(dialed.reserve(LANE_IO), NO_SLOT, "slot of a session that has ended")
      checkEqual(client.write(dialed), undefined, "a write on a session that has ended")
    },
  },
  {
    promise: "T9",
    title: "closing inside a delivery is closing, and delivers nothing inside that call",
    run: async (rig) => {
      const { client, server, dialed } = await rig.pair()
      server.onRequest = (request) => {
        if (request === server.requests[0]) server.answer(request)
      }
      const closed: Promise<void>[] = []
      client.onCompletion = () => {
        if (closed.length === 0) closed.push(client.inside(() => dialed.close()))
      }
      const sent = [client.write(dialed)!, client.write(dialed)!, client.write(dialed)!]
      await rig.done(...sent)
      await rig.settled(Promise.all(closed), "end of closing")
      checkEqual(client.insideCallCount, 0, "deliveries inside a call")
      for (const each of sent) checkEqual(each.completions.length, 1, "completions")
      checkDown(client, dialed, "closed", sent)
    },
  },
  {
    promise: "T9",
    title: "closing an endpoint closes all its sessions",
    run: async (rig) => {
      const pair = await rig.pair()
      const { client, server, listener } = pair
      const sent = await inFlight(rig, pair)
      const second = await rig.connect(client, server, listener)
      await rig.settled(client.endpoint.close(), "end of closing")
      for (const each of sent) rig.checkEnded(each, CLOSED, "a request in flight")
      checkDown(client, pair.dialed, "closed", sent)
      checkDown(client, second.dialed, "closed")
      await untilDown(rig, server, 2)
      checkDown(server, pair.accepted, "link-lost")
      checkDown(server, second.accepted, "link-lost")
    },
  },
]

/** Takes the place of a reply that is under way while its session ends. */
function replyAfterClose(server: Party, session: Session, ticket: number): void {
  const slot = session.reserveReply(ticket)
  check(slot !== NO_SLOT, "a slot while the session is up")
  const lease = server.leased(patterned(1, 100))
  session.slots.setUint8(slot, 1)
  void session.close()
  server.inside(() => session.reply(slot, 1, ticket, lease, 0, 100))
  server.memory.release(lease)
  check(!server.isLive(lease), "the lease of a dropped reply to be free")
}

export const lateReplyClauses: readonly RigClause[] = [
  {
    promise: "T18",
    title: "a session that is down gives no slot for a reply, however late it comes",
    run: async (rig) => {
      const pair = await rig.pair()
      const { server, dialed, accepted } = pair
      await inFlight(rig, pair)
      await rig.settled(dialed.close(), "end of closing")
      await untilDown(rig, server)
      for (const request of server.requests) {
        checkEqual(accepted.reserveReply(request.ticket), NO_SLOT, "slot for a late reply")
        check(!server.answer(request), "a late answer to be dropped")
      }
      await rig.pass(10)
      checkEqual(server.memory.stats().leaseCount, 0, "leases of late answers")
    },
  },
  {
    promise: "T18",
    title: "a reply to a session that went down under it is dropped, and its lease is free",
    run: async (rig) => {
      const { client, server, dialed } = await rig.pair()
      const sent = client.read(dialed, { bytes: 100 })!
      await rig.until(() => server.requests.length === 1, "request")
      const { session, ticket } = server.requests[0]!
      replyAfterClose(server, session, ticket)
      await untilDown(rig, client)
      rig.checkEnded(sent, LINK_LOST, "a request whose reply was dropped")
      await untilDown(rig, server)
      checkEqual(server.memory.stats().leaseCount, 0, "leases of a dropped reply")
    },
  },
  {
    promise: "T18",
    title: "replies that were given just before the end are sent or dropped, and their leases free",
    run: async (rig) => {
      const { client, server, dialed, accepted } = await rig.pair({ credits: [4, 0, 0] })
      const sent = Array.from({ length: 4 }, () => client.read(dialed, { bytes: 2000 })!)
      await rig.until(() => server.requests.length === 4, "requests")
      for (const request of server.requests) server.answer(request)
      await rig.settled(accepted.close(), "end of closing")
      await untilDown(rig, client)
      for (const each of sent) {
        checkEqual(each.completions.length, 1, "completions")
        if (each.completion.status === 0) rig.checkEchoed(each, "a read that was answered in time")
        else rig.checkEnded(each, LINK_LOST, "a read that was answered too late")
      }
      await rig.until(() => server.memory.stats().leaseCount === 0, "end of the replies' leases")
    },
  },
]
