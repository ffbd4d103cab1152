/**
 * T1, T2: dial and accept meet, or the dial says in time that they do not.
 */
import type { LaneCredits } from "@rmr/core"
import { check, checkEqual, checkFails, checkList } from "../check.js"
import type { RigClause } from "./clause.js"
import { LANES } from "./content.js"
import type { TransportRig } from "./rig.js"

const DEADLINE_MS = 300
/** How much later than its deadline a dial may be seen to fail: loops have other things to do. */
const GRACE_MS = 1000

async function failsInTime(rig: TransportRig, address: string, what: string): Promise<void> {
  const client = rig.party("client")
  const startMs = client.clock.nowMs()
  const dial = client.dial(address, { deadlineMs: DEADLINE_MS })
  const outcome = checkFails(dial, "unreachable", what)
  await rig.settled(outcome, `end of ${what}`, DEADLINE_MS + GRACE_MS)
  check(client.clock.nowMs() - startMs <= DEADLINE_MS + GRACE_MS, `${what} to end in time`)
  checkEqual(client.downs.length, 0, "sessions that went down without having been up")
}

export const connectClauses: readonly RigClause[] = [
  {
    promise: "T1",
    title: "both sides get a session, up, and each learns the name of the other",
    run: async (rig) => {
      const { dialed, accepted } = await rig.pair()
      checkEqual(dialed.side, "dialed", "side")
      checkEqual(accepted.side, "accepted", "side")
      checkEqual(dialed.peerName, "server", "name that the client learnt")
      checkEqual(accepted.peerName, "client", "name that the server learnt")
      check(dialed.isUp && accepted.isUp, "both ends to be up")
    },
  },
  {
    promise: "T1",
    title: "credits are what was asked, cut lane by lane to what the listener allows",
    run: async (rig) => {
      const rows: readonly [LaneCredits, LaneCredits, LaneCredits][] = [
        [
          [3, 2, 1],
          [8, 8, 8],
          [3, 2, 1],
        ],
        [
          [8, 8, 8],
          [1, 2, 3],
          [1, 2, 3],
        ],
        [
          [5, 1, 4],
          [2, 3, 4],
          [2, 1, 4],
        ],
        [
          [0, 2, 1],
          [4, 0, 4],
          [0, 0, 1],
        ],
      ]
      for (const [credits, creditsMax, expected] of rows) {
        const { dialed, accepted } = await rig.pair({ credits, creditsMax })
        checkList(dialed.limits.credits, expected, "credits of the dialed end")
        checkList(accepted.limits.credits, expected, "credits of the accepted end")
        for (const lane of LANES) {
          checkEqual(dialed.freeCredits(lane), expected[lane], `free credits of lane ${lane}`)
        }
      }
    },
  },
  {
    promise: "T1",
    title: "both ends have the same limits, and none beyond what their transports support",
    run: async (rig) => {
      const { client, server, dialed, accepted } = await rig.pair()
      const { headerBytesMax, payloadBytesMax } = dialed.limits
      checkEqual(accepted.limits.headerBytesMax, headerBytesMax, "headerBytesMax")
      checkEqual(accepted.limits.payloadBytesMax, payloadBytesMax, "payloadBytesMax")
      check(headerBytesMax >= 1 && payloadBytesMax >= 0, "limits that carry something")
      for (const { process, memory } of [client, server]) {
        const { supports } = process.transport
        check(headerBytesMax <= supports.headerBytesMax, "headerBytesMax inside what is supported")
        check(payloadBytesMax <= supports.payloadBytesMax, "payloadBytesMax inside supports")
        check(payloadBytesMax <= memory.leaseBytesMax, "payloads that memory can take")
      }
    },
  },
  {
    promise: "T1",
    title: "requests of a dialer in a hurry arrive after the session that they belong to",
    run: async (rig) => {
      const server = rig.party("server")
      server.echo()
      const listener = await rig.settled(server.listen(), "listener")
      for (let round = 0; round < 8; round++) {
        const client = rig.party(`client-${round}`)
        const session = await rig.settled(client.dial(listener), "session")
        const sent = LANES.map((lane) => client.write(session, { lane }))
        await rig.done(...sent)
      }
      checkList(server.strays, [], "requests of sessions that had not been reported")
    },
  },
  {
    promise: "T1",
    title: "dials at the same time make sessions of their own, with different ids",
    run: async (rig) => {
      const server = rig.party("server")
      const client = rig.party("client")
      const listener = await rig.settled(server.listen(), "listener")
      const dials = Array.from({ length: 5 }, () => client.dial(listener))
      const sessions = await rig.settled(Promise.all(dials), "sessions")
      await rig.until(() => server.ups.length === 5, "accepted sessions")
      checkEqual(new Set(sessions.map((session) => session.id)).size, 5, "ids of dialed sessions")
      checkEqual(new Set(server.ups.map((session) => session.id)).size, 5, "ids of accepted ones")
    },
  },
  {
    promise: "T2",
    title: "a dial to where nobody listens fails with unreachable inside its deadline",
    run: (rig) => failsInTime(rig, rig.harness.refusedAddress(), "a refused dial"),
  },
  {
    promise: "T2",
    title: "a dial that nobody answers fails with unreachable at its deadline",
    run: (rig) => failsInTime(rig, rig.harness.silentAddress(), "an unanswered dial"),
  },
]
