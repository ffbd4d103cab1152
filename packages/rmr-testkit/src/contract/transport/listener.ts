/**
 * T11: a listener can go without its sessions.
 */
import { check, checkEqual, checkFails } from "../check.js"
import type { RigClause } from "./clause.js"

const DEADLINE_MS = 500

export const listenerClauses: readonly RigClause[] = [
  {
    promise: "T11",
    title: "closing a listener keeps the sessions that it accepted",
    run: async (rig) => {
      const { client, server, listener, dialed, accepted } = await rig.pair()
      server.echo()
      await rig.settled(listener.close(), "end of closing")
      await rig.pass(20)
      check(dialed.isUp && accepted.isUp, "the session to be up")
      const sent = [client.write(dialed)!, client.read(dialed)!]
      await rig.done(...sent)
      for (const each of sent) rig.checkEchoed(each, "a request after its listener was closed")
      checkEqual(client.downs.length + server.downs.length, 0, "ends of sessions")
    },
  },
  {
    promise: "T11",
    title: "a listener that is closed, once or twice, accepts nobody any more",
    run: async (rig) => {
      const { client, server, listener } = await rig.pair()
      await rig.settled(Promise.all([listener.close(), listener.close()]), "end of closing")
      const dial = client.dial(listener, { deadlineMs: DEADLINE_MS })
      await rig.settled(checkFails(dial, "unreachable", "a dial after the end"), "refusal")
      checkEqual(server.ups.length, 1, "sessions that were accepted")
    },
  },
  {
    promise: "T11",
    title: "an address is busy while somebody listens there, and free afterwards",
    run: async (rig) => {
      const server = rig.party("server")
      const client = rig.party("client")
      const first = await rig.settled(server.listen(), "listener")
      const again = server.endpoint.listen(first.address, { creditsMax: [1, 1, 1] })
      await rig.settled(checkFails(again, "busy", "a second listener"), "refusal")
      await rig.settled(client.dial(first), "session of the first listener")
      await rig.settled(first.close(), "end of closing")
      const listening = server.endpoint.listen(first.address, { creditsMax: [1, 1, 1] })
      const second = await rig.settled(listening, "listener at the same address")
      checkEqual(second.address, first.address, "address")
      const session = await rig.settled(client.dial(second), "session of the second listener")
      checkEqual(session.limits.credits.join(), "1,1,1", "credits of the second listener")
    },
  },
  {
    promise: "T11",
    title: "several listeners of one endpoint each accept, and say where they really listen",
    run: async (rig) => {
      const server = rig.party("server")
      const listeners = [
        await rig.settled(server.listen([1, 1, 1]), "listener"),
        await rig.settled(server.listen([2, 2, 2]), "listener"),
      ]
      check(listeners[0]!.address !== listeners[1]!.address, "different addresses")
      const client = rig.party("client")
      for (const [nth, listener] of listeners.entries()) {
        const session = await rig.settled(client.dial(listener), "session")
        checkEqual(session.limits.credits[0], nth + 1, `credits of listener ${nth}`)
      }
    },
  },
]
