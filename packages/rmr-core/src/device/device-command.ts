/**
 * What a block device says to its members: map, remap, unmap, get parameters (upstream: brmr's
 * messages).
 *
 * They travel as USER commands, which RMR does not look into: the same request goes to every leg,
 * and every leg answers for its own store. Requests and answers are layout tables like any message;
 * an answer that is an error carries its status and a sentence, apart from what goes wrong on the
 * way.
 */
import { type ErrorCode, RmrError, STATUS_OK, statusOf } from "../errors.js"
import { CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, IO_BYTES_MAX, QUEUE_DEPTH_MAX } from "../limits.js"
import type { StoreLifecycleState } from "../states/store-lifecycle.js"
import { BOOL, integer, oneOf, powerOfTwo, reserved, safeInteger, U8 } from "../wire/field-types.js"
import { type Struct, struct } from "../wire/layout.js"
import { Refused } from "../wire/refusal.js"
import { STORE_LIFECYCLE_NUMBERS } from "../wire/status.js"
import { readUtf8, utf8Bytes, writeUtf8 } from "../wire/utf8.js"

/** The version of requests and answers; another one is refused. */
export const DEVICE_COMMAND_VERSION = 1

export const DEVICE_COMMANDS = ["map", "remap", "unmap", "get-params"] as const
/**
 * `map`: a new device; the stores must not be mapped. `remap`: the device that is mapped already,
 * after its client restarted. `unmap`: it is given up. `get-params`: asks, and changes nothing.
 */
export type DeviceCommand = (typeof DEVICE_COMMANDS)[number]

export interface DeviceRequest {
  readonly version: number
  readonly command: DeviceCommand
  /** The size that the client believes in; 0 where it does not say. */
  readonly sizeBytes: number
}

/** What one member's store can do, and whether a device is mapped on it. */
export interface DeviceParameters {
  readonly sizeBytes: number
  /** Alignment of offsets and lengths. */
  readonly blockBytes: number
  readonly ioBytesMax: number
  /** The chunk size: multiples of it move the fewest bytes. */
  readonly optimalBytes: number
  readonly queueDepth: number
  readonly lifecycle: StoreLifecycleState
  /** What was written needs a flush to survive a power cut. */
  readonly hasWriteBack: boolean
  /** Discarded space is given back. */
  readonly canUnmap: boolean
}

const VOLUME_SIZE = safeInteger("u64", Number.MAX_SAFE_INTEGER)

export const DEVICE_REQUEST: Struct<DeviceRequest> = struct<DeviceRequest>("device request", 16, [
  ["version", 0, U8, "of requests and answers"],
  [
    "command",
    1,
    oneOf<DeviceCommand>({ map: 1, remap: 2, unmap: 3, "get-params": 4 }),
    "what is asked",
  ],
  ["reserved", 2, reserved(6), "must be zero"],
  ["sizeBytes", 8, VOLUME_SIZE, "of the device, as the client knows it; 0 for not said"],
])

export const DEVICE_PARAMETERS: Struct<DeviceParameters> = struct<DeviceParameters>(
  "device parameters",
  28,
  [
    ["sizeBytes", 0, VOLUME_SIZE, "mapped size of the pool, as this member has it"],
    ["blockBytes", 8, powerOfTwo(512, 4096, false), "alignment of offsets and lengths"],
    ["ioBytesMax", 12, integer("u32", 4, 4096, IO_BYTES_MAX), "the longest single operation"],
    [
      "optimalBytes",
      16,
      powerOfTwo(CHUNK_BYTES_MIN, CHUNK_BYTES_MAX, false),
      "multiples of it move the fewest bytes",
    ],
    ["queueDepth", 20, integer("u16", 2, 1, QUEUE_DEPTH_MAX), "io units of the pool"],
    ["lifecycle", 22, oneOf(STORE_LIFECYCLE_NUMBERS), "whether a device is mapped"],
    ["hasWriteBack", 23, BOOL, "a flush is needed for what must survive a power cut"],
    ["canUnmap", 24, BOOL, "discarded space is given back"],
    ["reserved", 25, reserved(3), "must be zero"],
  ],
)

/** One member's answer: `userStatus` of USER, and the bytes that travel beside it. */
export interface DeviceAnswer {
  readonly userStatus: number
  readonly bytes: Uint8Array
}

const DETAIL_BYTES = 512

export function encodeDeviceRequest(command: DeviceCommand, sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(DEVICE_REQUEST.bytes)
  DEVICE_REQUEST.write(viewOf(bytes), 0, { version: DEVICE_COMMAND_VERSION, command, sizeBytes })
  return bytes
}

/** The request, or the typed refusal that its sender is told. */
export function decodeDeviceRequest(bytes: Uint8Array): DeviceRequest | RmrError {
  const request = DEVICE_REQUEST.read(viewOf(bytes), 0, bytes.length)
  if (request instanceof Refused) return request.in("device request").toError()
  if (request.version !== DEVICE_COMMAND_VERSION) {
    return new RmrError("bad-version", `device commands of version ${request.version}`)
  }
  return request
}

export function encodeDeviceParameters(parameters: DeviceParameters): DeviceAnswer {
  const bytes = new Uint8Array(DEVICE_PARAMETERS.bytes)
  DEVICE_PARAMETERS.write(viewOf(bytes), 0, parameters)
  return { userStatus: STATUS_OK, bytes }
}

/** An answer that says no: the code as a number, the sentence as bytes. */
export function encodeDeviceError(code: ErrorCode, detail: string): DeviceAnswer {
  let text = detail
  while (utf8Bytes(text) > DETAIL_BYTES) text = text.slice(0, -1)
  const bytes = new Uint8Array(utf8Bytes(text))
  writeUtf8(viewOf(bytes), 0, text)
  return { userStatus: statusOf(code), bytes }
}

/** What a member said: its parameters, its error, or what is wrong with its bytes. */
export function decodeDeviceAnswer(answer: DeviceAnswer): DeviceParameters | RmrError {
  const { userStatus, bytes } = answer
  if (userStatus !== STATUS_OK) {
    const isText = bytes.length <= DETAIL_BYTES
    const detail = isText ? readUtf8(viewOf(bytes), 0, bytes.length) : undefined
    if (detail === undefined) return new RmrError("bad-message", "device answer: no text")
    return RmrError.ofStatus(userStatus, detail)
  }
  const parameters = DEVICE_PARAMETERS.read(viewOf(bytes), 0, bytes.length)
  return parameters instanceof Refused ? parameters.in("device parameters").toError() : parameters
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
