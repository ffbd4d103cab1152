/**
 * Uses @rmr/transport-tcp: two ends on loopback, one request, and its reply.
 */
import type { EndpointEvents, Session } from "@rmr/core"
import {
  buddyMemory,
  LANE_IO,
  NO_LEASE,
  PAYLOAD_OUT,
  REQUEST_STRIDE,
  REQUEST_TICKET,
} from "@rmr/core"
import { realEnv } from "@rmr/io"
import { tcp } from "@rmr/transport-tcp"

const memory = buddyMemory({ arenas: [64 * 1024], leaseCountMax: 4 })
const transport = tcp({ software: "consumer 1" })
const nothing = (): void => undefined
const quiet = { onCompletions: nothing, onRequests: nothing, onSessionDown: nothing }

let accepted: Session | undefined
const server: EndpointEvents = {
  ...quiet,
  onSessionUp: (session) => {
    accepted = session
  },
  onRequests: ({ count, words }) => {
    for (let row = 0; row < count; row++) {
      const ticket = words[row * REQUEST_STRIDE + REQUEST_TICKET] ?? 0
      const slot = accepted?.reserveReply(ticket) ?? -1
      accepted?.slots.setUint8(slot, 43)
      accepted?.reply(slot, 1, ticket, NO_LEASE, 0, 0)
    }
  },
}

let answered: (answer: number) => void = nothing
const client: EndpointEvents = {
  ...quiet,
  onSessionUp: nothing,
  onCompletions: ({ words, headers }) => answered(headers.getUint8(words[3] ?? 0)),
}

const ends = [server, client].map((events, nth) =>
  transport.open({ env: realEnv(), memory, events, hostName: `end-${nth}` }),
)
const listener = await ends[0]?.listen("tcp://127.0.0.1:0", { creditsMax: [4, 1, 1] })
const session = await ends[1]?.dial(listener?.address ?? "", {
  deadlineMs: 5000,
  credits: [4, 1, 1],
})
if (session?.peerName !== "end-0") throw new Error("it is somebody else")
const answer = await new Promise<number>((resolve) => {
  answered = resolve
  const slot = session.reserve(LANE_IO)
  session.slots.setUint8(slot, 42)
  session.submit(slot, 1, 7, PAYLOAD_OUT, NO_LEASE, 0, 0)
})
if (answer !== 43) throw new Error(`${answer} is not the answer`)
await Promise.all(ends.map((end) => end.close()))
memory.assertNoLeases()
