/**
 * T14: what a transport says of itself is true, and what it cannot do it refuses.
 */
import { statusOf } from "@rmr/core"
import { check, checkBytes, checkEqual, checkFails } from "../check.js"
import type { RigClause } from "./clause.js"
import { payloadFor } from "./content.js"
import type { TransportRig } from "./rig.js"

/** Two of the largest at once, out and back, and whole. */
async function carriesTheLargest(rig: TransportRig): Promise<void> {
  const { client, server, dialed } = await rig.pair()
  server.echo()
  const { headerBytesMax, payloadBytesMax } = dialed.limits
  checkEqual(headerBytesMax, client.process.transport.supports.headerBytesMax, "headerBytesMax")
  const header = new Uint8Array(headerBytesMax).fill(9)
  const bytes = Math.min(payloadBytesMax, client.memory.leaseBytesMax)
  const sent = [client.write(dialed, { header, bytes })!, client.read(dialed, { header, bytes })!]
  await rig.done(...sent)
  for (const each of sent) rig.checkEchoed(each, "one of the largest")
}

/** A payload that is changed on its way is never taken for whole. */
async function noticesChange(rig: TransportRig, direction: "out" | "back"): Promise<void> {
  const { client, server, dialed } = await rig.pair()
  const { payloadChecked } = client.process.transport.supports
  server.echo()
  await rig.power("changeNext")(dialed)
  const sent = direction === "out" ? client.write(dialed)! : client.read(dialed)!
  await rig.done(sent)
  if (!payloadChecked) return
  rig.checkEnded(sent, statusOf("link-lost"), "a request whose payload was changed on its way")
  for (const request of server.requests) {
    if (direction !== "out") continue
    checkBytes(request.payload, payloadFor(request.header, sent.bytes), "a payload that arrived")
  }
}

export const limitClauses: readonly RigClause[] = [
  {
    promise: "T14",
    title: "supports is frozen, makes sense, and stays as it is",
    run: async (rig) => {
      const { client } = await rig.pair()
      const { transport } = client.process
      const { supports } = transport
      check(Object.isFrozen(supports), "supports to be frozen")
      const { headerBytesMax, payloadBytesMax, silenceMsMax } = supports
      check(Number.isInteger(headerBytesMax) && headerBytesMax >= 1, "headerBytesMax of 1 or more")
      check(Number.isInteger(payloadBytesMax) && payloadBytesMax >= 0, "payloadBytesMax")
      check(silenceMsMax > 0 && Number.isFinite(silenceMsMax), "a bound on silence")
      check(transport.supports === supports, "supports to stay the same")
    },
  },
  {
    promise: "T14",
    title: "the largest header and payload that are declared are carried",
    run: carriesTheLargest,
  },
  {
    promise: "T14",
    title: "an address of another scheme is refused with unsupported, to dial and to listen",
    run: async (rig) => {
      const party = rig.party("client")
      const other = `un${party.process.transport.name}:somewhere:1`
      await rig.settled(checkFails(party.dial(other), "unsupported", "dial"), "refusal")
      const listening = party.endpoint.listen(other, { creditsMax: [1, 1, 1] })
      await rig.settled(checkFails(listening, "unsupported", "listen"), "refusal")
    },
  },
  {
    promise: "T14",
    title: "an address that makes no sense is refused with invalid-argument",
    run: async (rig) => {
      const party = rig.party("client")
      const nonsense = `${party.process.transport.name}:`
      await rig.settled(checkFails(party.dial(nonsense), "invalid-argument", "dial"), "refusal")
      const listening = party.endpoint.listen(nonsense, { creditsMax: [1, 1, 1] })
      await rig.settled(checkFails(listening, "invalid-argument", "listen"), "refusal")
    },
  },
  {
    promise: "T14",
    title: "where payloads are checked, one that is changed on its way out loses the link",
    needs: ["changeNext"],
    run: (rig) => noticesChange(rig, "out"),
  },
  {
    promise: "T14",
    title: "where payloads are checked, one that is changed on its way back loses the link",
    needs: ["changeNext"],
    run: (rig) => noticesChange(rig, "back"),
  },
]
