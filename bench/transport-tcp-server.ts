/**
 * The other end of the bench of the transport over TCP: answers every request with 64 bytes.
 */
import type { Batch, EndpointEvents, Lease, Session } from "@rmr/core"
import {
  buddyMemory,
  NO_LEASE,
  NO_SLOT,
  REQUEST_LEASE,
  REQUEST_STRIDE,
  REQUEST_TICKET,
} from "@rmr/core"
import { pageArenas, realEnv } from "@rmr/io"
import { tcp } from "@rmr/transport-tcp"

const REPLY_BYTES = 64
const memory = buddyMemory({ arenas: pageArenas([16 * 1024 * 1024]), leaseCountMax: 1024 })
let session: Session

const events: EndpointEvents = {
  onSessionUp: (up) => {
    session = up
  },
  onRequests({ count, words }: Batch) {
    for (let row = 0; row < count * REQUEST_STRIDE; row += REQUEST_STRIDE) {
      const ticket = words[row + REQUEST_TICKET] as number
      memory.release(words[row + REQUEST_LEASE] as Lease)
      const slot = session.reserveReply(ticket)
      if (slot !== NO_SLOT) session.reply(slot, REPLY_BYTES, ticket, NO_LEASE, 0, 0)
    }
  },
  onCompletions: () => undefined,
  onSessionDown: () => undefined,
}

const transport = tcp({ payloadChecked: process.argv[2] === "true" })
const endpoint = transport.open({ env: realEnv(), memory, events, hostName: "server" })
const listener = await endpoint.listen("tcp://127.0.0.1:0", { creditsMax: [64, 4, 4] })
process.send?.(listener.address)
process.on("message", () => process.send?.(process.cpuUsage()))
process.on("disconnect", () => process.exit())
