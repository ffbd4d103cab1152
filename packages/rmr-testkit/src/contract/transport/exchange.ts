/**
 * T3, T4, T12: every request completes once, in whatever order, with its own reply.
 */
import { LANE_CONTROL, LANE_IO, NO_LEASE, PAYLOAD_BACK, PAYLOAD_OUT, STATUS_OK } from "@rmr/core"
import { check, checkBytes, checkEqual, checkList } from "../check.js"
import type { RigClause } from "./clause.js"
import { LANES, patterned, payloadFor } from "./content.js"
import type { Party } from "./party.js"
import type { Sent } from "./records.js"
import type { TransportRig } from "./rig.js"

/** Writes and reads in turn, as many as there are credits. */
function fillLanes(client: Party, session: Sent["session"]): Sent[] {
  const sent: Sent[] = []
  for (const lane of LANES) {
    while (session.freeCredits(lane) > 0) {
      const isRead = sent.length % 2 === 1
      sent.push(isRead ? client.read(session, { lane })! : client.write(session, { lane })!)
    }
  }
  return sent
}

async function repeatedRounds(rig: TransportRig, rounds: number): Promise<void> {
  const { client, server, dialed } = await rig.pair()
  server.echo()
  for (let round = 0; round < rounds; round++) {
    const sent = fillLanes(client, dialed)
    await rig.done(...sent)
    for (const each of sent) rig.checkEchoed(each, `request ${each.token} of round ${round}`)
  }
  checkEqual(server.requests.length, client.sent.length, "requests that were delivered")
  checkList(client.strays, [], "completions of nobody's requests")
}

export const exchangeClauses: readonly RigClause[] = [
  {
    promise: "T3",
    title: "a write arrives with lane, direction, header and payload, and its reply completes it",
    run: async (rig) => {
      const { client, server, dialed, accepted } = await rig.pair()
      const sent = client.write(dialed, { lane: LANE_CONTROL, bytes: 300, at: 8 })!
      await rig.until(() => server.requests.length > 0, "request")
      const [request] = server.requests
      check(request!.session === accepted, "the request to be of the accepted session")
      checkEqual(request!.lane, LANE_CONTROL, "lane")
      checkEqual(request!.direction, PAYLOAD_OUT, "direction")
      checkBytes(request!.header, sent.header, "header")
      checkEqual(request!.payloadBytes, 300, "bytes of the payload")
      checkBytes(request!.payload, payloadFor(sent.header, 300), "payload")
      check(!sent.isDone, "no completion before the reply")
      server.answer(request!)
      await rig.done(sent)
      rig.checkEchoed(sent, "a write")
      checkEqual(sent.completion.lane, LANE_CONTROL, "lane of the completion")
      checkEqual(sent.completion.payloadBytes, 0, "bytes that came back")
    },
  },
  {
    promise: "T3",
    title: "a read arrives with the room it has, and its reply fills it",
    run: async (rig) => {
      const { client, server, dialed } = await rig.pair()
      const sent = client.read(dialed, { bytes: 700, at: 16 })!
      await rig.until(() => server.requests.length > 0, "request")
      const [request] = server.requests
      checkEqual(request!.direction, PAYLOAD_BACK, "direction")
      checkEqual(request!.payloadBytes, 700, "room that the server was told of")
      checkEqual(request!.lease, NO_LEASE, "lease that came with a read")
      server.answer(request!)
      await rig.done(sent)
      rig.checkEchoed(sent, "a read")
      checkEqual(sent.completion.payloadBytes, 700, "bytes that came back")
    },
  },
  {
    promise: "T3",
    title: "a request without payload and a token at either end of int32 are requests too",
    run: async (rig) => {
      const { client, server, dialed } = await rig.pair()
      server.echo()
      const tokens = [0, -1, 2 ** 31 - 1, -(2 ** 31)]
      const sent = tokens.map((token) => client.write(dialed, { token, bytes: 0 })!)
      await rig.done(...sent)
      for (const each of sent) rig.checkEchoed(each, `token ${each.token}`)
      checkList(client.strays, [], "completions with other tokens")
    },
  },
  {
    promise: "T3",
    title: "every request completes once and is delivered once, round after round",
    run: (rig) => repeatedRounds(rig, 20),
  },
  {
    promise: "T3",
    title: "a reply that only the turn's end would send is sent, without flush",
    run: async (rig) => {
      const { client, server, dialed } = await rig.pair()
      const sent = client.write(dialed)!
      await rig.until(() => server.requests.length > 0, "request of a turn that just ended")
      server.answer(server.requests[0]!)
      await rig.done(sent)
      rig.checkEchoed(sent, "a write")
    },
  },
  {
    promise: "T3",
    title: "what was flushed in the middle of a turn is neither lost nor sent again at its end",
    run: async (rig) => {
      const { client, server, dialed } = await rig.pair()
      server.echo()
      const sent = [client.write(dialed)!]
      client.inside(() => client.endpoint.flush())
      sent.push(client.write(dialed)!)
      client.inside(() => client.endpoint.flush())
      client.inside(() => client.endpoint.flush())
      await rig.done(...sent)
      await rig.pass(10)
      for (const each of sent) rig.checkEchoed(each, "a flushed write")
      checkEqual(server.requests.length, 2, "requests that were delivered")
    },
  },
  {
    promise: "T4",
    title: "requests are delivered though earlier ones have no answer, and answered backwards",
    run: async (rig) => {
      const { client, server, dialed } = await rig.pair({ credits: [4, 2, 2] })
      const sent = fillLanes(client, dialed)
      await rig.until(() => server.requests.length === sent.length, "all requests")
      for (const request of [...server.requests].reverse()) server.answer(request)
      await rig.done(...sent)
      for (const each of sent) rig.checkEchoed(each, `request ${each.token}`)
    },
  },
  {
    promise: "T4",
    title: "a request that is never answered holds up no other",
    run: async (rig) => {
      const { client, server, dialed } = await rig.pair({ credits: [2, 0, 0] })
      const stuck = client.write(dialed)!
      await rig.until(() => server.requests.length === 1, "request")
      server.onRequest = (request) => void server.answer(request)
      for (let round = 0; round < 10; round++) {
        const sent = client.read(dialed)!
        await rig.done(sent)
        rig.checkEchoed(sent, `request ${round} beside a stuck one`)
      }
      check(!stuck.isDone, "the request without answer to be in flight")
      checkEqual(dialed.freeCredits(LANE_IO), 1, "free credits")
    },
  },
]

export const crossTalkClauses: readonly RigClause[] = [
  {
    promise: "T12",
    title: "sessions with equal tokens and headers each get their own replies",
    run: async (rig) => {
      const server = rig.party("server")
      const listener = await rig.settled(server.listen(), "listener")
      const ends: { client: Party; dialed: Sent["session"]; accepted: Sent["session"] }[] = []
      for (const name of ["client-a", "client-b"]) {
        const client = rig.party(name)
        for (let nth = 0; nth < 2; nth++) {
          ends.push({ client, ...(await rig.connect(client, server, listener)) })
        }
      }
      const header = patterned(1, 20)
      const sent = ends.map(({ client, dialed }) =>
        [1, 2, 3].map((token) => client.read(dialed, { token, header, bytes: 64 })!),
      )
      await rig.until(() => server.requests.length === 12, "all requests")
      // Each end answers with its own place in the list, which only the session tells it.
      for (const request of server.unanswered.reverse()) {
        const nth = ends.findIndex(({ accepted }) => accepted === request.session)
        server.answerWith(request, patterned(nth, 9), patterned(100 + nth, 64))
      }
      await rig.done(...sent.flat())
      for (const [nth, ofSession] of sent.entries()) {
        for (const { completions, completion, token } of ofSession) {
          checkEqual(completions.length, 1, `completions of token ${token} of session ${nth}`)
          checkBytes(completion.header, patterned(nth, 9), `reply on session ${nth}`)
          checkBytes(completion.payload, patterned(100 + nth, 64), `payload on session ${nth}`)
        }
      }
    },
  },
  {
    promise: "T12",
    title: "replies that cross each other reach the requests they answer",
    run: async (rig) => {
      const { client, server, dialed } = await rig.pair({
        credits: [16, 0, 0],
        creditsMax: [16, 1, 1],
      })
      for (let round = 0; round < 10; round++) {
        const sent = Array.from({ length: 16 }, () => client.read(dialed, { bytes: 128 })!)
        await rig.until(() => server.unanswered.length === 16, "all requests")
        const waiting = server.unanswered
        while (waiting.length > 0) {
          const [request] = waiting.splice(rig.random.below(waiting.length), 1)
          server.answer(request!)
        }
        await rig.done(...sent)
        for (const each of sent) {
          checkEqual(each.completion.status, STATUS_OK, "status")
          rig.checkEchoed(each, `request ${each.token} of round ${round}`)
        }
      }
    },
  },
  {
    promise: "T12",
    title: "a session that ends takes nothing of the others with it",
    run: async (rig) => {
      const server = rig.party("server")
      const client = rig.party("client")
      const listener = await rig.settled(server.listen(), "listener")
      const first = await rig.connect(client, server, listener)
      const second = await rig.connect(client, server, listener)
      const lost = client.write(first.dialed, { token: 7 })!
      const kept = client.write(second.dialed, { token: 7 })!
      await rig.until(() => server.requests.length === 2, "both requests")
      await rig.settled(first.dialed.close(), "end of closing")
      await rig.until(() => server.downs.length === 1, "end on the other side")
      check(second.dialed.isUp && second.accepted.isUp, "the other session to be up")
      check(lost.isDone && !kept.isDone, "only the closed session's request to have ended")
      for (const request of server.unanswered) server.answer(request)
      await rig.done(kept)
      rig.checkEchoed(kept, "a request beside a closed session")
    },
  },
]
