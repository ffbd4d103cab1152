/**
 * The simulated transport: deliberately the weakest one that the port allows.
 *
 * Everything the promises of ports/transport.ts leave open, it does: requests, replies and
 * completions overtake each other within and across sessions; payloads are read as late and rooms
 * written as rudely as possible; a dead peer may be noticed only by silence, at the very end of
 * what `silenceMsMax` allows; requests are executed after their sender saw the link lost; replies
 * given just before a close get lost; slots, tables and headers are full of poison when nobody may
 * look at them. Code that works here leans on no accident of TCP.
 *
 * Faults are the network's (sim-network.ts). The two below end one session rather than a link.
 */
import type { EndpointOptions, LaneCredits, Session, Transport } from "@rmr/core"
import { assert, HEADER_BYTES_MAX, QUEUE_DEPTH_MAX } from "@rmr/core"
import type { Host } from "./host.js"
import type { SimNetwork } from "./sim-network.js"
import { SIM_SCHEME } from "./sim-transport-address.js"
import { SimEndpoint } from "./sim-transport-endpoint.js"
import { SimSession } from "./sim-transport-session.js"

export interface SimTransportOptions {
  readonly network: SimNetwork
  /** The process that uses it; open it again for each of its lives. */
  readonly host: Host
  /** Default HEADER_BYTES_MAX. */
  readonly headerBytesMax?: number
  /** Default 128 KiB. */
  readonly payloadBytesMax?: number
  /** No session has more, whatever is asked and allowed. Default QUEUE_DEPTH_MAX for each lane. */
  readonly creditsMax?: LaneCredits
  /** Default 5 s. */
  readonly silenceMsMax?: number
  /** Whether a change on the way is noticed. Default true. */
  readonly payloadChecked?: boolean
  /** A process looks what has arrived after at most this long. Default 0.1 ms. */
  readonly turnMsMax?: number
}

const PAYLOAD_BYTES_MAX_DEFAULT = 128 * 1024
const SILENCE_MS_DEFAULT = 5000
const TURN_MS_DEFAULT = 0.1

export function simTransport(options: SimTransportOptions): Transport {
  const { network, host } = options
  const each = QUEUE_DEPTH_MAX
  const traits = {
    network,
    host,
    headerBytesMax: options.headerBytesMax ?? HEADER_BYTES_MAX,
    payloadBytesMax: options.payloadBytesMax ?? PAYLOAD_BYTES_MAX_DEFAULT,
    creditsMax: options.creditsMax ?? ([each, each, each] as const),
    silenceMsMax: options.silenceMsMax ?? SILENCE_MS_DEFAULT,
    payloadChecked: options.payloadChecked ?? true,
    turnMsMax: options.turnMsMax ?? TURN_MS_DEFAULT,
  }
  const { payloadChecked, headerBytesMax, payloadBytesMax, silenceMsMax } = traits
  assert(headerBytesMax >= 1 && payloadBytesMax >= 0 && silenceMsMax > 0, "limits make sense")
  let openCount = 0
  return {
    name: SIM_SCHEME,
    supports: Object.freeze({ payloadChecked, headerBytesMax, payloadBytesMax, silenceMsMax }),
    open: (endpointOptions: EndpointOptions) => {
      assert(host.isAlive, `host ${host.name} is not alive`)
      openCount++
      const random = network.random.fork(`${host.name}/life-${host.life}/endpoint-${openCount}`)
      return new SimEndpoint(traits, endpointOptions, random)
    },
  }
}

/** Cuts one session without a goodbye; both sides notice, each in its own time. */
export function severSession(session: Session): void {
  simulated(session).sever()
}

/** From now on neither side of this session hears the other, and nothing tells them. */
export function silenceSession(session: Session): void {
  simulated(session).silence()
}

function simulated(session: Session): SimSession {
  assert(session instanceof SimSession, "only a simulated session can be ended by a story")
  return session
}
