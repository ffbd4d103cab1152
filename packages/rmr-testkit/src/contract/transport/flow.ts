/**
 * T7, T8: credits bound what is in flight, and a receiver that cannot take more stops the sender.
 */
import type { Lease, Memory } from "@rmr/core"
import { LANE_IO, NO_LEASE, NO_SLOT } from "@rmr/core"
import { check, checkBytes, checkEqual } from "../check.js"
import type { RigClause } from "./clause.js"
import { LANES, payloadFor } from "./content.js"
import type { TransportRig } from "./rig.js"

const PAGE_BYTES = 4096

/** Leases until not even a page is left. */
export function fillMemory(memory: Memory): Lease[] {
  const leases: Lease[] = []
  for (let bytes = memory.leaseBytesMax; bytes >= PAGE_BYTES; ) {
    const lease = memory.lease(bytes)
    if (lease === NO_LEASE) bytes /= 2
    else leases.push(lease)
  }
  return leases
}

/** Keeps every lane full for a while, and looks at both sides how many are in flight. */
async function keepFull(rig: TransportRig, requestsPerLane: number): Promise<void> {
  const { client, server, dialed } = await rig.pair({ credits: [5, 3, 1], creditsMax: [5, 3, 1] })
  const delivered = [0, 0, 0]
  let worst = ""
  server.onRequest = (request) => {
    delivered[request.lane]!++
    const count = server.unanswered.filter(({ lane }) => lane === request.lane).length
    const allowed = dialed.limits.credits[request.lane as 0 | 1 | 2]
    if (count > allowed) worst = `${count} requests of lane ${request.lane} with ${allowed} credits`
  }
  const hasFree = (): boolean => LANES.some((lane) => dialed.freeCredits(lane) > 0)
  while (delivered.some((count) => count < requestsPerLane)) {
    for (const lane of LANES) while (client.write(dialed, { lane, bytes: 20 }) !== undefined);
    await rig.until(() => server.unanswered.length > 0 || hasFree(), "requests or completions")
    for (const request of server.unanswered) if (rig.random.chance(0.7)) server.answer(request)
    await rig.pass(rig.random.unit())
  }
  checkEqual(worst, "", "more in flight than credits")
  server.echo()
  await rig.allDone(client)
  for (const lane of LANES) {
    const { credits } = dialed.limits
    checkEqual(dialed.freeCredits(lane), credits[lane], `free credits of lane ${lane} in the end`)
  }
}

async function waitsForMemory(rig: TransportRig): Promise<void> {
  const { client, server, dialed, accepted } = await rig.pair()
  server.echo()
  const filling = fillMemory(server.memory)
  const sent = [1, 700, 4096, 4097].map((bytes) => client.write(dialed, { bytes })!)
  const { silenceMsMax } = client.process.transport.supports
  await rig.pass(2 * silenceMsMax)
  check(dialed.isUp && accepted.isUp, "a session whose receiver waits for memory to stay up")
  for (const lease of filling) server.memory.release(lease)
  await rig.done(...sent)
  for (const each of sent) {
    rig.checkEchoed(each, `a write of ${each.bytes} bytes that had to wait`)
    const arrived = server.requests.find(({ header }) => header.join() === each.header.join())
    checkBytes(arrived!.payload, payloadFor(each.header, each.bytes), "a payload that had to wait")
  }
  checkEqual(server.requests.length, sent.length, "requests that were delivered")
}

export const flowClauses: readonly RigClause[] = [
  {
    promise: "T7",
    title: "a lane gives as many slots as it has credits, all different, and then none",
    run: async (rig) => {
      const { dialed } = await rig.pair({ credits: [4, 2, 1] })
      const slots: number[] = []
      for (const lane of LANES) {
        for (let left: number = dialed.limits.credits[lane]; left > 0; left--) {
          checkEqual(dialed.freeCredits(lane), left, `free credits of lane ${lane}`)
          slots.push(dialed.reserve(lane))
        }
        checkEqual(dialed.freeCredits(lane), 0, `free credits of lane ${lane}`)
        checkEqual(dialed.reserve(lane), NO_SLOT, `slot of lane ${lane} without credit`)
      }
      check(!slots.includes(NO_SLOT), "a slot for every credit")
      const ends = slots.map((slot) => slot + dialed.limits.headerBytesMax)
      const sorted = slots.toSorted((a, b) => a - b)
      for (const [nth, slot] of sorted.entries()) {
        const next = sorted[nth + 1] ?? Number.POSITIVE_INFINITY
        check(slot + dialed.limits.headerBytesMax <= next, "slots not to overlap")
      }
      check(Math.max(...ends) <= dialed.slots.byteLength, "slots to lie inside the view")
      for (const slot of slots) dialed.unreserve(slot)
    },
  },
  {
    promise: "T7",
    title: "a slot that was not used gives its credit back to its lane",
    run: async (rig) => {
      const { client, server, dialed } = await rig.pair({ credits: [1, 2, 1] })
      server.echo()
      for (const lane of LANES) {
        for (let round = 0; round < 5; round++) {
          const slot = dialed.reserve(lane)
          check(slot !== NO_SLOT, `a slot of lane ${lane} in round ${round}`)
          dialed.unreserve(slot)
        }
        checkEqual(dialed.freeCredits(lane), dialed.limits.credits[lane], `credits of lane ${lane}`)
        await rig.done(client.write(dialed, { lane }))
      }
    },
  },
  {
    promise: "T7",
    title: "a credit is back when its completion comes, so the next request goes out from there",
    run: async (rig) => {
      const { client, server, dialed } = await rig.pair({ credits: [1, 1, 1] })
      server.echo()
      let left = 30
      client.onCompletion = ({ lane, completion }) => {
        check(completion.freeCredits > 0, `a free credit of lane ${lane} with the completion`)
        if (left-- > 0)
          check(client.write(dialed, { lane }) !== undefined, "a slot for the next one")
      }
      for (const lane of LANES) client.write(dialed, { lane })
      await rig.until(() => left <= 0 && client.unfinishedCount === 0, "a chain of requests")
    },
  },
  {
    promise: "T7",
    title: "no lane ever has more in flight than its credits, and none is lost on the way",
    run: (rig) => keepFull(rig, 60),
  },
  {
    promise: "T8",
    title: "a receiver that does not reply stops the sender at its credits, and loses nothing",
    run: async (rig) => {
      const { client, server, dialed, accepted } = await rig.pair({ credits: [4, 2, 2] })
      const sent = []
      for (let each = client.write(dialed); each !== undefined; each = client.write(dialed)) {
        sent.push(each)
      }
      checkEqual(sent.length, 4, "requests of a sender without replies")
      await rig.pass(2 * client.process.transport.supports.silenceMsMax)
      check(dialed.isUp && accepted.isUp, "a session whose receiver takes its time to stay up")
      checkEqual(server.requests.length, 4, "requests that were delivered")
      checkEqual(dialed.reserve(LANE_IO), NO_SLOT, "slot without credit")
      server.echo()
      await rig.done(...sent)
      for (const each of sent) rig.checkEchoed(each, "a request whose reply took long")
    },
  },
  {
    promise: "T8",
    title: "payloads that find no memory wait for it, however long, and arrive whole",
    run: waitsForMemory,
  },
  {
    promise: "T8",
    title: "payloads that wait for memory arrive one by one as it is released",
    run: async (rig) => {
      const { client, server, dialed } = await rig.pair({ credits: [4, 0, 0] })
      const filling = fillMemory(server.memory)
      const bytes = Math.min(4 * PAGE_BYTES, dialed.limits.payloadBytesMax)
      const sent = Array.from({ length: 4 }, () => client.write(dialed, { bytes })!)
      for (const lease of filling) {
        server.memory.release(lease)
        await rig.pass(1)
        for (const request of server.unanswered) server.answer(request)
      }
      server.echo()
      await rig.done(...sent)
      for (const each of sent) rig.checkEchoed(each, "a write that had to wait")
    },
  },
]
