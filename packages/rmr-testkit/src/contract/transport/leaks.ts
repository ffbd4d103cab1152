/**
 * T15: after close nothing is left, whatever was under way.
 */
import { check, checkEqual, checkFails, checkList } from "../check.js"
import type { RigClause } from "./clause.js"
import { LANES } from "./content.js"
import { fillMemory } from "./flow.js"
import type { Party } from "./party.js"
import type { TransportRig } from "./rig.js"

function checkNothingLeft(rig: TransportRig, ...parties: readonly Party[]): void {
  for (const party of parties) {
    checkEqual(party.clock.pendingCount, 0, `timers of ${party.name}`)
    checkEqual(party.memory.stats().leaseCount, 0, `leases of ${party.name}`)
  }
  checkList(rig.harness.leftovers(), [], "what is left beside timers and leases")
}

async function closeAll(rig: TransportRig, ...parties: readonly Party[]): Promise<void> {
  const closing = parties.map((party) => party.endpoint.close())
  await rig.settled(Promise.all(closing), "end of closing")
  for (const party of parties) for (const request of party.requests) party.dropLease(request)
}

export const leakClauses: readonly RigClause[] = [
  {
    promise: "T15",
    title: "endpoints that are closed after their work leave nothing",
    run: async (rig) => {
      const { client, server, dialed } = await rig.pair()
      server.echo()
      for (let round = 0; round < 5; round++) {
        await rig.done(...LANES.map((lane) => client.write(dialed, { lane })))
        await rig.done(...LANES.map((lane) => client.read(dialed, { lane })))
      }
      await closeAll(rig, client, server)
      checkNothingLeft(rig, client, server)
    },
  },
  {
    promise: "T15",
    title: "endpoints that are closed with everything in flight leave nothing",
    run: async (rig) => {
      const { client, server, listener, dialed } = await rig.pair()
      const { dialed: second } = await rig.connect(client, server, listener)
      for (const lane of LANES) client.read(dialed, { lane })
      await rig.until(() => server.requests.length === 3, "requests")
      server.answer(server.requests[0]!)
      for (const lane of LANES) client.write(second, { lane })
      void client.dial(listener).catch(() => undefined)
      await closeAll(rig, client, server)
      checkNothingLeft(rig, client, server)
      for (const sent of client.sent) checkEqual(sent.completions.length, 1, "completions")
    },
  },
  {
    promise: "T15",
    title: "endpoints that are closed while payloads wait for memory leave nothing",
    run: async (rig) => {
      const { client, server, dialed } = await rig.pair()
      const filling = fillMemory(server.memory)
      const sent = [client.write(dialed)!, client.write(dialed)!]
      await rig.pass(20)
      await closeAll(rig, client, server)
      for (const lease of filling) server.memory.release(lease)
      await rig.pass(20)
      checkNothingLeft(rig, client, server)
      for (const each of sent) checkEqual(each.completions.length, 1, "completions")
    },
  },
  {
    promise: "T15",
    title: "a session that was lost leaves nothing once its endpoints are closed",
    needs: ["sever"],
    run: async (rig) => {
      const { client, server, dialed } = await rig.pair()
      for (const lane of LANES) client.read(dialed, { lane })
      await rig.power("sever")(dialed)
      const areDown = (): boolean => client.downs.length > 0 && server.downs.length > 0
      await rig.until(areDown, "both sides to notice", 60_000)
      await closeAll(rig, client, server)
      checkNothingLeft(rig, client, server)
    },
  },
  {
    promise: "T15",
    title: "a session that is closed alone leaves its endpoint without leases",
    run: async (rig) => {
      const { client, server, dialed } = await rig.pair()
      server.echo()
      await rig.done(client.write(dialed), client.read(dialed))
      await rig.settled(dialed.close(), "end of closing")
      await rig.until(() => server.downs.length === 1, "end on the other side", 60_000)
      for (const party of [client, server]) {
        checkEqual(party.memory.stats().leaseCount, 0, `leases of ${party.name}`)
      }
    },
  },
  {
    promise: "T15",
    title:
      "once an endpoint is closed, nothing is delivered to it, and it dials and listens no more",
    run: async (rig) => {
      const { client, server, listener, dialed } = await rig.pair()
      client.write(dialed)
      client.read(dialed)
      await rig.until(() => server.requests.length === 2, "requests")
      const closing = client.endpoint.close()
      for (const request of server.requests) server.answer(request)
      await rig.settled(closing, "end of closing")
      const toldBefore = client.calls.length + client.downs.length + client.ups.length
      await rig.pass(50)
      const told = client.calls.length + client.downs.length + client.ups.length
      checkEqual(told, toldBefore, "deliveries after the end")
      const dial = client.dial(listener)
      await rig.settled(checkFails(dial, "closed", "a dial after the end"), "refusal")
      const listening = client.listen()
      await rig.settled(checkFails(listening, "closed", "a listener after the end"), "refusal")
      await rig.settled(client.endpoint.close(), "end of closing once more")
      check(!dialed.isUp, "the session to be down")
    },
  },
]
