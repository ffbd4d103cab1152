/**
 * What `tcp()` can be told, and what it is without.
 */
import type { LaneCredits, TransportCapabilities } from "@rmr/core"
import { assert, HEADER_BYTES_MAX, IO_BYTES_MAX, QUEUE_DEPTH_MAX } from "@rmr/core"
import { fastSocketEngine, type SocketEngineSource } from "@rmr/io"

export interface TcpOptions {
  /** Default HEADER_BYTES_MAX; at most that. */
  readonly headerBytesMax?: number
  /** Default IO_BYTES_MAX. A session takes no more than the memory of both ends can lease. */
  readonly payloadBytesMax?: number
  /** No session has more, whatever is asked and allowed. Default QUEUE_DEPTH_MAX each. */
  readonly creditsMax?: LaneCredits
  /** A peer that is not heard of for so long is lost. Default 5 s. */
  readonly silenceMsMax?: number
  /**
   * Payloads carry a checksum of this transport. Where the caller has one of its own, a second is
   * a waste. A session has it when either end asks. Default true.
   */
  readonly payloadChecked?: boolean
  /** How long a caller may take to become a session. Default 5 s. */
  readonly handshakeMsMax?: number
  /** Callers that are no session yet, at most; further ones are hung up on. Default 1,024. */
  readonly guestsMax?: number
  /** Name and version of the program, for people. Default none. */
  readonly software?: string
  /** What sockets stand on. Default: native ones where they were built, else those of Node. */
  readonly engine?: SocketEngineSource
}

export interface TcpTraits extends TransportCapabilities {
  readonly creditsMax: LaneCredits
  readonly handshakeMsMax: number
  readonly guestsMax: number
  readonly software: string
  readonly engine: SocketEngineSource
}

const SILENCE_MS_DEFAULT = 5000
export const HANDSHAKE_MS_DEFAULT = 5000
export const GUESTS_DEFAULT = 1024

export function traitsOf(options: TcpOptions): TcpTraits {
  const each = QUEUE_DEPTH_MAX
  const traits = {
    headerBytesMax: options.headerBytesMax ?? HEADER_BYTES_MAX,
    payloadBytesMax: options.payloadBytesMax ?? IO_BYTES_MAX,
    creditsMax: options.creditsMax ?? ([each, each, each] as const),
    silenceMsMax: options.silenceMsMax ?? SILENCE_MS_DEFAULT,
    payloadChecked: options.payloadChecked ?? true,
    handshakeMsMax: options.handshakeMsMax ?? HANDSHAKE_MS_DEFAULT,
    guestsMax: options.guestsMax ?? GUESTS_DEFAULT,
    software: options.software ?? "",
    engine: options.engine ?? fastSocketEngine,
  }
  const { headerBytesMax, payloadBytesMax, creditsMax, silenceMsMax, guestsMax } = traits
  const isHeader = isCount(headerBytesMax, HEADER_BYTES_MAX) && headerBytesMax >= 1
  assert(isHeader, `headerBytesMax is in 1…${HEADER_BYTES_MAX}`)
  assert(isCount(payloadBytesMax, 2 ** 30), "payloadBytesMax is in 0…2³⁰")
  assert(isCount(silenceMsMax, 2 ** 31) && silenceMsMax >= 1, "silenceMsMax is whole, 1 or more")
  assert(traits.handshakeMsMax > 0 && guestsMax >= 1, "somebody may call")
  const areCredits = creditsMax.every((count) => isCount(count, QUEUE_DEPTH_MAX))
  assert(areCredits, `credits are in 0…${QUEUE_DEPTH_MAX}`)
  return traits
}

function isCount(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= max
}
