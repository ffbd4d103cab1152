/**
 * T5: what fits the limits arrives whole, and what does not is refused before a byte leaves.
 */
import type { PayloadDirection, Session } from "@rmr/core"
import { LANE_IO, NO_LEASE, PAYLOAD_BACK, PAYLOAD_OUT } from "@rmr/core"
import { check, checkAsserts, checkBytes, checkEqual } from "../check.js"
import type { RigClause } from "./clause.js"
import { patterned, payloadFor } from "./content.js"
import type { Party } from "./party.js"
import type { Pair, TransportRig } from "./rig.js"
import { HEADER_BYTES } from "./sending.js"

/** Each size once, those inside the limit. */
function sizesUpTo(max: number, sizes: readonly number[]): number[] {
  return [...new Set([...sizes, max - 1, max])].filter((size) => size >= 0 && size <= max)
}

const PAYLOAD_SIZES = [0, 1, 7, 511, 512, 4095, 4096, 4097, 65_535, 65_536]
const HEADER_SIZES = [1, 2, 3, 63, 64, 65]

async function exchangeOf(
  rig: TransportRig,
  { client, server, dialed }: Pair,
  headerBytes: number,
  bytes: number,
): Promise<void> {
  const known = server.requests.length
  const header = patterned(headerBytes + bytes, headerBytes)
  const write = client.write(dialed, { header, bytes })!
  const read = client.read(dialed, { header, bytes })!
  await rig.done(write, read)
  const what = `header of ${headerBytes} and payload of ${bytes} bytes`
  rig.checkEchoed(write, what)
  const arrived = server.requests.slice(known).find(({ direction }) => direction === PAYLOAD_OUT)
  checkBytes(arrived!.header, header, `${what}: header of the write`)
  checkBytes(arrived!.payload, payloadFor(header, bytes), `${what}: payload of the write`)
  rig.checkEchoed(read, what)
  checkEqual(read.completion.payloadBytes, bytes, `${what}: bytes that came back`)
}

/**
 * A request with everything as it should be but for these is refused, and its slot stays usable.
 */
function checkRefused(
  client: Party,
  session: Session,
  odd: { headerBytes?: number; bytes?: number; at?: number; direction?: PayloadDirection },
  what: string,
): void {
  const slot = session.reserve(LANE_IO)
  const lease = client.leased(patterned(1, 4096))
  const { headerBytes = HEADER_BYTES, bytes = 64, at = 0, direction = PAYLOAD_OUT } = odd
  const submit = (): void => session.submit(slot, headerBytes, 1, direction, lease, at, bytes)
  checkAsserts(() => client.inside(submit), what)
  client.memory.release(lease)
  session.unreserve(slot)
}

async function nothingLeft(rig: TransportRig, { client, server, dialed }: Pair): Promise<void> {
  server.echo()
  const sent = client.write(dialed)!
  await rig.done(sent)
  rig.checkEchoed(sent, "a request after refused ones")
  checkEqual(server.requests.length, 1, "requests that were delivered")
  checkEqual(client.strays.length, 0, "completions of refused requests")
  checkEqual(client.memory.stats().leaseCount, 0, "leases of refused requests")
}

export const sizeClauses: readonly RigClause[] = [
  {
    promise: "T5",
    title: "payloads of every size up to the largest arrive whole, out and back",
    run: async (rig) => {
      const pair = await rig.pair()
      pair.server.echo()
      const sizes = sizesUpTo(pair.dialed.limits.payloadBytesMax, PAYLOAD_SIZES)
      for (const bytes of sizes) await exchangeOf(rig, pair, HEADER_BYTES, bytes)
    },
  },
  {
    promise: "T5",
    title: "headers of every size up to the largest arrive whole, in requests and replies",
    run: async (rig) => {
      const pair = await rig.pair()
      pair.server.echo()
      const sizes = sizesUpTo(pair.dialed.limits.headerBytesMax, HEADER_SIZES)
      for (const headerBytes of sizes) {
        await exchangeOf(rig, pair, headerBytes, 0)
        await exchangeOf(rig, pair, headerBytes, 100)
      }
    },
  },
  {
    promise: "T5",
    title: "a header of no byte or one too many is refused, and the slot can be given back",
    run: async (rig) => {
      const pair = await rig.pair()
      const { client, dialed } = pair
      for (const headerBytes of [0, -1, 1.5, dialed.limits.headerBytesMax + 1]) {
        checkRefused(client, dialed, { headerBytes }, `a header of ${headerBytes}`)
      }
      await nothingLeft(rig, pair)
    },
  },
  {
    promise: "T5",
    title: "a payload one byte too large is refused, out and back",
    run: async (rig) => {
      const pair = await rig.pair()
      const { client, dialed } = pair
      const bytes = dialed.limits.payloadBytesMax + 1
      const lease = client.memory.lease(Math.min(bytes, client.memory.leaseBytesMax))
      for (const direction of [PAYLOAD_OUT, PAYLOAD_BACK] as const) {
        const slot = dialed.reserve(LANE_IO)
        const submit = (): void => dialed.submit(slot, 1, 1, direction, lease, 0, bytes)
        checkAsserts(submit, `a payload of ${bytes} bytes in direction ${direction}`)
        dialed.unreserve(slot)
      }
      client.memory.release(lease)
      await nothingLeft(rig, pair)
    },
  },
  {
    promise: "T5",
    title: "a range that leaves its lease, and bytes without a lease, are refused",
    run: async (rig) => {
      const pair = await rig.pair()
      const { client, dialed } = pair
      const odds = [
        { at: 4096, bytes: 1 },
        { at: 4000, bytes: 97 },
        { at: -1, bytes: 1 },
        { bytes: -1 },
        { bytes: 0.5 },
      ]
      for (const odd of odds) {
        checkRefused(client, dialed, odd, `a payload of ${JSON.stringify(odd)}`)
      }
      const slot = dialed.reserve(LANE_IO)
      const bare = (): void => dialed.submit(slot, 1, 1, PAYLOAD_OUT, NO_LEASE, 0, 1)
      checkAsserts(bare, "a payload without lease")
      dialed.unreserve(slot)
      await nothingLeft(rig, pair)
    },
  },
  {
    promise: "T5",
    title: "a reply larger than the room, or with payload to a write, is refused",
    run: async (rig) => {
      const { client, server, dialed } = await rig.pair()
      const read = client.read(dialed, { bytes: 100 })!
      const write = client.write(dialed, { bytes: 100 })!
      await rig.until(() => server.requests.length === 2, "both requests")
      for (const request of server.requests) {
        const { session, ticket, direction } = request
        const bytes = direction === PAYLOAD_BACK ? 101 : 1
        const slot = session.reserveReply(ticket)
        const lease = server.leased(patterned(2, 4096))
        const reply = (): void => session.reply(slot, 1, ticket, lease, 0, bytes)
        checkAsserts(reply, `a reply of ${bytes} bytes in direction ${direction}`)
        const long = session.limits.headerBytesMax + 1
        checkAsserts(() => session.reply(slot, long, ticket, NO_LEASE, 0, 0), "a long header")
        checkAsserts(() => session.reply(slot, 0, ticket, NO_LEASE, 0, 0), "a reply without header")
        server.memory.release(lease)
        session.unreserve(slot)
        server.answer(request)
      }
      await rig.done(read, write)
      rig.checkEchoed(read, "a read after refused replies")
      rig.checkEchoed(write, "a write after refused replies")
    },
  },
  {
    promise: "T5",
    title: "a reply may be shorter than the room, down to nothing, and says how long it is",
    run: async (rig) => {
      const { client, server, dialed } = await rig.pair()
      for (const bytes of [0, 1, 99]) {
        const sent = client.read(dialed, { bytes: 100 })!
        await rig.until(() => server.unanswered.length === 1, "request")
        server.answer(server.unanswered[0]!, bytes)
        await rig.done(sent)
        rig.checkEchoed(sent, `a read of 100 bytes that got ${bytes}`)
        checkEqual(sent.completion.payloadBytes, bytes, "bytes that came back")
      }
    },
  },
  {
    promise: "T5",
    title: "a request is answered once; a ticket that is unknown or used up is refused",
    run: async (rig) => {
      const { client, server, dialed, accepted } = await rig.pair()
      const sent = client.write(dialed)!
      await rig.until(() => server.requests.length === 1, "request")
      const [request] = server.requests
      checkAsserts(() => accepted.reserveReply(request!.ticket ^ 0x55), "an unknown ticket")
      check(server.answer(request!), "the session to take an answer")
      checkAsserts(() => accepted.reserveReply(request!.ticket), "a second answer")
      await rig.done(sent)
      rig.checkEchoed(sent, "a request that was nearly answered twice")
    },
  },
]
