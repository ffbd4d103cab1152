/**
 * T6: memory is held exactly as long as it is in use, and touched only where and while it may be.
 */
import type { Lease } from "@rmr/core"
import { leaseBytes, NO_LEASE } from "@rmr/core"
import { check, checkBytes, checkEqual } from "../check.js"
import type { RigClause } from "./clause.js"
import { answerTo, patterned, payloadFor } from "./content.js"
import type { Party } from "./party.js"
import type { TransportRig } from "./rig.js"
import { SURROUNDING_BYTE } from "./sending.js"

const MARK_BYTE = 0x77

function whole(party: Party, lease: Lease): Uint8Array {
  return leaseBytes(party.memory, lease, 0, party.memory.capacityOf(lease))
}

/** What is around the payload of a request is as it was. */
function checkSurroundings(lease: Uint8Array, at: number, bytes: number, what: string): void {
  const outside = lease.filter((_, place) => place < at || place >= at + bytes)
  check(
    outside.every((byte) => byte === SURROUNDING_BYTE),
    `${what} to leave what is around its payload alone`,
  )
}

async function untilFree(rig: TransportRig, party: Party, lease: Lease): Promise<void> {
  await rig.until(() => !party.isLive(lease), `end of the lease of ${party.name}`)
}

export const leaseClauses: readonly RigClause[] = [
  {
    promise: "T6",
    title: "a lease that its sender let go at once is held until the completion, and free in it",
    run: async (rig) => {
      const { client, server, dialed } = await rig.pair()
      const sent = [client.write(dialed)!, client.write(dialed, { bytes: 5000 })!]
      check(
        sent.every(({ lease }) => client.isLive(lease)),
        "leases to be held after submit",
      )
      await rig.until(() => server.requests.length === 2, "requests")
      await rig.pass(20)
      check(
        sent.every(({ lease }) => client.isLive(lease)),
        "leases to be held without a reply",
      )
      server.echo()
      await rig.done(...sent)
      for (const each of sent) {
        rig.checkEchoed(each, "a write without owner")
        check(!each.completion.isLeaseHeld, "the lease to be free when its completion comes")
      }
    },
  },
  {
    promise: "T6",
    title: "a read gives its room back when its completion comes",
    run: async (rig) => {
      const { client, server, dialed } = await rig.pair()
      server.echo()
      const sent = client.read(dialed)!
      await rig.done(sent)
      check(!sent.completion.isLeaseHeld, "the room to be free when its completion comes")
    },
  },
  {
    promise: "T6",
    title: "a request that ends with its session has its lease back when its completion comes",
    run: async (rig) => {
      const { client, server, dialed } = await rig.pair()
      const sent = [client.write(dialed)!, client.read(dialed)!]
      await rig.until(() => server.requests.length === 2, "requests")
      void dialed.close()
      await rig.done(...sent)
      for (const each of sent) {
        check(!each.completion.isLeaseHeld, "the lease to be free when its completion comes")
      }
    },
  },
  {
    promise: "T6",
    title: "a payload that goes out is only read, and nothing around it is sent",
    run: async (rig) => {
      const { client, server, dialed } = await rig.pair()
      server.echo()
      const sent = client.write(dialed, { at: 100, bytes: 200, isKept: true })!
      const before = whole(client, sent.lease).slice()
      client.memory.retain(sent.lease)
      await rig.done(sent)
      checkBytes(whole(client, sent.lease), before, "the sender's memory after a write")
      client.memory.release(sent.lease)
      checkBytes(server.requests[0]!.payload, payloadFor(sent.header, 200), "what arrived")
    },
  },
  {
    promise: "T6",
    title: "what comes back lands in its room and nowhere else",
    run: async (rig) => {
      const { client, server, dialed } = await rig.pair()
      server.echo()
      for (const [at, bytes] of [
        [0, 100],
        [37, 1000],
        [4000, 96],
      ] as const) {
        const sent = client.read(dialed, { at, bytes })!
        client.memory.retain(sent.lease)
        await rig.done(sent)
        rig.checkEchoed(sent, `a read of ${bytes} bytes at ${at}`)
        checkSurroundings(whole(client, sent.lease), at, bytes, `a read of ${bytes} bytes at ${at}`)
        client.memory.release(sent.lease)
      }
    },
  },
  {
    promise: "T6",
    title: "nothing changes in memory after its completion, whatever ended the request",
    run: async (rig) => {
      const { client, server, dialed } = await rig.pair({ credits: [4, 2, 2] })
      const answered = [client.write(dialed, { isKept: true })!, client.read(dialed)!]
      const ended = [client.write(dialed, { isKept: true })!, client.read(dialed)!]
      const sent = [...answered, ...ended]
      for (const { lease } of sent) client.memory.retain(lease)
      client.onCompletion = ({ lease }) => void whole(client, lease).fill(MARK_BYTE)
      await rig.until(() => server.requests.length === 4, "requests")
      const isAnswered = (header: Uint8Array): boolean =>
        answered.some((each) => each.header.join() === header.join())
      for (const request of server.requests) {
        if (isAnswered(request.header)) server.answer(request)
      }
      await rig.done(...answered)
      await rig.pass(20)
      void dialed.close()
      for (const request of server.unanswered) server.answer(request)
      await rig.done(...ended)
      await rig.pass(50)
      for (const { lease } of sent) {
        check(
          whole(client, lease).every((byte) => byte === MARK_BYTE),
          "memory to be left alone after the completion",
        )
        client.memory.release(lease)
      }
    },
  },
  {
    promise: "T6",
    title: "what the sender writes over its payload after the completion does not arrive",
    run: async (rig) => {
      const { client, server, dialed } = await rig.pair()
      server.onRequest = (request) => {
        server.answerWith(request, answerTo(request.header), new Uint8Array(0))
      }
      const sent = client.write(dialed, { isKept: true })!
      client.memory.retain(sent.lease)
      client.onCompletion = ({ lease }) => void whole(client, lease).fill(MARK_BYTE)
      await rig.done(sent)
      await rig.pass(20)
      const [request] = server.requests
      const arrived = leaseBytes(server.memory, request!.lease, 0, sent.bytes)
      checkBytes(arrived, payloadFor(sent.header, sent.bytes), "the payload that arrived")
      server.dropLease(request!)
      client.memory.release(sent.lease)
    },
  },
  {
    promise: "T6",
    title: "a payload that arrived is the receiver's alone: one release, and it is free",
    run: async (rig) => {
      const { client, server, dialed } = await rig.pair()
      const sent = [
        client.write(dialed)!,
        client.write(dialed)!,
        client.write(dialed, { bytes: 0 })!,
      ]
      await rig.until(() => server.requests.length === 3, "requests")
      for (const request of server.requests) {
        if (request.payloadBytes === 0) {
          checkEqual(request.lease, NO_LEASE, "lease of a request without payload")
          continue
        }
        check(server.isLive(request.lease), "the receiver's lease to be live")
        server.memory.retain(request.lease)
        server.dropLease(request)
        check(server.isLive(request.lease), "a retained lease to be live")
        server.memory.release(request.lease)
        check(!server.isLive(request.lease), "the lease to be free after its last release")
      }
      server.echo()
      await rig.done(...sent)
    },
  },
  {
    promise: "T6",
    title: "a payload that arrived stays as it is while its receiver holds it, replied or not",
    run: async (rig) => {
      const { client, server, dialed } = await rig.pair({ credits: [4, 0, 0] })
      const held: { lease: Lease; header: Uint8Array; bytes: number }[] = []
      server.onRequest = (request) => {
        held.push({ lease: request.lease, header: request.header, bytes: request.payloadBytes })
        server.answerWith(request, answerTo(request.header), new Uint8Array(0))
      }
      for (let round = 0; round < 6; round++) {
        await rig.done(client.write(dialed, { bytes: 900 }), client.write(dialed, { bytes: 30 }))
      }
      for (const { lease, header, bytes } of held) {
        const kept = leaseBytes(server.memory, lease, 0, bytes)
        checkBytes(kept, payloadFor(header, bytes), "a payload that its receiver held")
        server.memory.release(lease)
      }
    },
  },
  {
    promise: "T6",
    title: "the lease of a reply is held until it is sent, and then given back",
    run: async (rig) => {
      const { client, server, dialed } = await rig.pair()
      const leases: Lease[] = []
      server.onRequest = ({ session, ticket, payloadBytes }) => {
        const lease = server.leased(patterned(3, payloadBytes))
        leases.push(lease)
        const slot = session.reserveReply(ticket)
        session.slots.setUint8(slot, 1)
        server.inside(() => session.reply(slot, 1, ticket, lease, 0, payloadBytes))
        server.memory.release(lease)
      }
      const sent = client.read(dialed, { bytes: 3000 })!
      await rig.done(sent)
      checkBytes(sent.completion.payload, patterned(3, 3000), "a reply whose owner let go at once")
      for (const lease of leases) await untilFree(rig, server, lease)
    },
  },
  {
    promise: "T6",
    title: "headers of requests that leave together do not mix, round after round",
    run: async (rig) => {
      const { client, server, dialed } = await rig.pair({ credits: [4, 0, 0] })
      server.echo()
      for (let round = 0; round < 6; round++) {
        const again = Array.from({ length: 4 }, () => client.write(dialed, { bytes: 0 })!)
        await rig.done(...again)
        for (const each of again) rig.checkEchoed(each, "a request among others")
      }
    },
  },
]
