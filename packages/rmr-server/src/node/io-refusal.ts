/** The answer to an IO request that reaches no pool. */
import type { ErrorCode, Session } from "@rmr/core"
import { encodeIoReply, IoReplyRecord, NO_LEASE, NO_SLOT, statusOf } from "@rmr/core"

const reply = new IoReplyRecord()

export function refuseIoReply(
  session: Session,
  ticket: number,
  groupId: number,
  code: ErrorCode,
): void {
  const slot = session.reserveReply(ticket)
  if (slot === NO_SLOT) return
  reply.groupId = groupId
  reply.status = statusOf(code)
  session.reply(slot, encodeIoReply(session.slots, slot, reply), ticket, NO_LEASE, 0, 0)
}
