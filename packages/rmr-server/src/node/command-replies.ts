/** Answers to commands: encoded into a reply slot, their payload in a lease of its own. */
import type { CommandKind, Lease, MapVersion, Memory, ReplyOf, Session } from "@rmr/core"
import {
  encodeReply,
  leaseBytes,
  NO_LEASE,
  NO_SLOT,
  RmrError,
  replyPayloadBytes,
  ZERO_UUID,
} from "@rmr/core"
import type { Answer } from "../commands/answer.js"
import type { ServerPool } from "../pool/server-pool.js"

export const NO_VERSION: MapVersion = { lineage: ZERO_UUID, epoch: 0, version: 0 }

/** What every answer says around its result. */
export interface Envelope {
  readonly groupId: number
  readonly memberId: number
  readonly mapVersion: MapVersion
  readonly openEpoch: number
}

export function envelopeOf(groupId: number, pool: ServerPool | undefined): Envelope {
  if (pool === undefined) return { groupId, memberId: 0, mapVersion: NO_VERSION, openEpoch: 0 }
  return {
    groupId,
    memberId: pool.member.memberId,
    mapVersion: pool.record?.mapVersion ?? NO_VERSION,
    openEpoch: pool.admission.epoch,
  }
}

export function answered<K extends CommandKind>(
  kind: K,
  envelope: Envelope,
  { result, payload }: Answer<K>,
): ReplyOf<K> {
  return { kind, ...envelope, outcome: "ok", result, payload } as unknown as ReplyOf<K>
}

export function refused<K extends CommandKind>(
  kind: K,
  envelope: Envelope,
  error: RmrError,
): ReplyOf<K> {
  const { code, detail } = error
  return { kind, ...envelope, outcome: code, detail } as unknown as ReplyOf<K>
}

/** Sends the answer; `room` is what the requester has for a payload. */
export function sendReply<K extends CommandKind>(
  memory: Memory,
  session: Session,
  ticket: number,
  room: number,
  reply: ReplyOf<K>,
): void {
  const bytes = replyPayloadBytes(reply)
  if (bytes > room) {
    const words = `the answer has ${bytes} bytes of payload, the request room for ${room}`
    sendReply(memory, session, ticket, room, refused(reply.kind, reply as never, tooLong(words)))
    return
  }
  const lease = bytes === 0 ? NO_LEASE : memory.lease(bytes)
  if (bytes > 0 && lease === NO_LEASE) {
    const error = new RmrError("out-of-memory", "no payload memory for the answer; ask again")
    sendReply(memory, session, ticket, room, refused(reply.kind, reply as never, error))
    return
  }
  const slot = session.reserveReply(ticket)
  if (slot !== NO_SLOT) {
    const payload = payloadOf(memory, lease, bytes)
    const headerBytes = encodeReply(session.slots, slot, reply, payload)
    session.reply(slot, headerBytes, ticket, lease, 0, bytes)
  }
  if (lease !== NO_LEASE) memory.release(lease)
}

function payloadOf(memory: Memory, lease: Lease, bytes: number): Uint8Array | undefined {
  return bytes === 0 ? undefined : leaseBytes(memory, lease, 0, bytes)
}

function tooLong(words: string): RmrError {
  return new RmrError("invalid-argument", words)
}
