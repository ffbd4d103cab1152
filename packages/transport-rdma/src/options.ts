/**
 * What `rdma()` can be told, and what it is without.
 */
import type { LaneCredits, TransportCapabilities } from "@rmr/core"
import { assert, HEADER_BYTES_MAX, IO_BYTES_MAX, QUEUE_DEPTH_MAX } from "@rmr/core"
import { LINGER_US_MAX } from "@rmr/io"
import { PATH_POLICIES, type PathPolicy } from "./choosing.js"

export interface RdmaOptions {
  /** Default HEADER_BYTES_MAX; at most that. */
  readonly headerBytesMax?: number
  /** Default IO_BYTES_MAX. A session takes no more than the memory of both ends can lease. */
  readonly payloadBytesMax?: number
  /** No session has more, whatever is asked and allowed. Default QUEUE_DEPTH_MAX each. */
  readonly creditsMax?: LaneCredits
  /** A peer that is not heard of for so long is lost. Default 5 s. */
  readonly silenceMsMax?: number
  /**
   * Payloads carry a checksum beside that of the wire. Where the caller has one of its own, a
   * second is a waste. A session has it when either end asks. Default true.
   */
  readonly payloadChecked?: boolean
  /** How long a caller may take to become a session. Default 5 s. */
  readonly handshakeMsMax?: number
  /** Callers that are no session yet, at most; further ones are hung up on. Default 1,024. */
  readonly guestsMax?: number
  /** Name and version of the program, for people. Default none. */
  readonly software?: string
  /**
   * Payloads up to this size go through the room of the other side, and are copied there once;
   * larger ones go from memory to memory, which the device has to be told of first. Default 64 KiB.
   */
  readonly placedBytesMax?: number
  /** Of each end of a session, for payloads that are on their way. Default 4 MiB. */
  readonly roomBytes?: number
  /**
   * Which path a request takes, where an address names several: the next one in turn, the one with
   * the fewest requests under way, or the one that answers fastest. Default `min-inflight`.
   */
  readonly pathPolicy?: PathPolicy
  /** Frames are told by a message of their own, as for devices without immediate data. */
  readonly tellBySend?: boolean
  /** Awake after a turn, for the next one; 0 is never. Default: as long as the thread does. */
  readonly lingerUs?: number
}

export interface RdmaTraits extends TransportCapabilities {
  readonly creditsMax: LaneCredits
  readonly handshakeMsMax: number
  readonly guestsMax: number
  readonly software: string
  readonly placedBytesMax: number
  readonly roomBytes: number
  readonly pathPolicy: PathPolicy
  readonly tellBySend: boolean
  readonly lingerUs: number | undefined
}

const SILENCE_MS_DEFAULT = 5000
const HANDSHAKE_MS_DEFAULT = 5000
const GUESTS_DEFAULT = 1024
const POLICY_DEFAULT: PathPolicy = "min-inflight"
const PLACED_BYTES_DEFAULT: number = 64 * 1024
const ROOM_BYTES_DEFAULT: number = 4 * 1024 * 1024
const ROOM_BYTES_MAX: number = 2 ** 30

export function traitsOf(options: RdmaOptions): RdmaTraits {
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
    placedBytesMax: options.placedBytesMax ?? PLACED_BYTES_DEFAULT,
    roomBytes: options.roomBytes ?? ROOM_BYTES_DEFAULT,
    pathPolicy: options.pathPolicy ?? POLICY_DEFAULT,
    tellBySend: options.tellBySend ?? false,
    lingerUs: options.lingerUs,
  }
  const { headerBytesMax, payloadBytesMax, creditsMax, silenceMsMax, guestsMax } = traits
  const isHeader = isCount(headerBytesMax, HEADER_BYTES_MAX) && headerBytesMax >= 1
  assert(isHeader, `headerBytesMax is in 1…${HEADER_BYTES_MAX}`)
  assert(isCount(payloadBytesMax, IO_BYTES_MAX), `payloadBytesMax is in 0…${IO_BYTES_MAX}`)
  assert(isCount(silenceMsMax, 2 ** 31) && silenceMsMax >= 1, "silenceMsMax is whole, 1 or more")
  assert(traits.handshakeMsMax > 0 && guestsMax >= 1, "somebody may call")
  const areCredits = creditsMax.every((count) => isCount(count, QUEUE_DEPTH_MAX))
  assert(areCredits, `credits are in 0…${QUEUE_DEPTH_MAX}`)
  assert(isCount(traits.placedBytesMax, IO_BYTES_MAX), `placedBytesMax is in 0…${IO_BYTES_MAX}`)
  assert(isCount(traits.roomBytes, ROOM_BYTES_MAX), "roomBytes is in 0…2³⁰")
  assert(PATH_POLICIES.includes(traits.pathPolicy), `pathPolicy: ${PATH_POLICIES.join(", ")}`)
  assert(isCount(traits.lingerUs ?? 0, LINGER_US_MAX), `lingerUs is in 0…${LINGER_US_MAX}`)
  return traits
}

function isCount(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= max
}
