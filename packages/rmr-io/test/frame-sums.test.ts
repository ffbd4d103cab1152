/**
 * Sums of frames by native code: the same as those of JavaScript, made and judged, however a stream
 * is damaged, and never looked at less closely than a connection asks for.
 */
import net from "node:net"
import { buddyMemory, crc32cSigned, type Memory, type RmrError } from "@rmr/core"
import { seededRandom } from "@rmr/testkit/world"
import { fastSocketEngine, plainSocketEngine } from "../src/frame-engine.js"
import type { FrameShape } from "../src/frame-shape.js"
import { PlainFrameSums } from "../src/frame-sums.js"
import { pageArenas, realEnv } from "../src/index.js"
import { SEALS_MAX } from "../src/native-addon.js"
import { NativeSockets } from "../src/native-socket.js"
import type {
  FrameConnection,
  ReceiveLimits,
  SocketEngine,
  SocketEngineSource,
} from "../src/socket-engine.js"
import { FRAME_LEASE, FRAME_PAYLOAD_BYTES, FRAME_STRIDE } from "../src/socket-engine.js"
import { addon, native } from "./native.js"

jest.setTimeout(60_000)

const SHAPE: FrameShape = {
  ...{ headBytes: 24, magic: 0x1234, kindAt: 2, roomKind: 9, idAt: 4, textBytesAt: 8 },
  ...{ payloadBytesAt: 12, payloadSumAt: 16, headSumAt: 20 },
}
const LIMITS: ReceiveLimits = {
  ...{ textBytesMax: 100, payloadBytesMax: 65_536, isPayloadSummed: true, rooms: undefined },
  queuedFramesMax: 4,
}
const plain = new PlainFrameSums(SHAPE)

/** A frame as it is sent, with its sums. */
function frameOf(textBytes: number, payloadBytes: number, seed: number): Uint8Array {
  const bytes = Uint8Array.from(
    { length: SHAPE.headBytes + textBytes + payloadBytes },
    (_, at) => (at * 31 + seed * 7) & 255,
  )
  const view = new DataView(bytes.buffer)
  view.setUint16(0, SHAPE.magic, true)
  view.setUint8(SHAPE.kindAt, 1)
  view.setUint16(SHAPE.textBytesAt, textBytes, true)
  view.setInt32(SHAPE.payloadBytesAt, payloadBytes, true)
  const sum = crc32cSigned(view, SHAPE.headBytes + textBytes, payloadBytes)
  view.setInt32(SHAPE.payloadSumAt, sum, true)
  plain.add(view, 0, SHAPE.headBytes + textBytes)
  return bytes
}

interface Received {
  /** Bytes of payloads of the frames that came. */
  readonly frames: readonly number[]
  readonly cause: string
}

/**
 * What a listener of `source` makes of these bytes, which come at once and end there; or of others
 * behind them, that come when `then` has seen the first frame.
 */
async function receive(
  source: SocketEngineSource,
  bytes: Uint8Array,
  limits: ReceiveLimits,
  then?: (connection: FrameConnection) => Uint8Array,
): Promise<Received> {
  const memory: Memory = buddyMemory({ arenas: pageArenas([2 ** 20]), leaseCountMax: 256 })
  const frames: number[] = []
  let connection: FrameConnection | undefined
  const turns = {
    onFrames: ({ count, words }: { count: number; words: Int32Array }) => {
      for (let row = 0; row < count * FRAME_STRIDE; row += FRAME_STRIDE) {
        frames.push(words[row + FRAME_PAYLOAD_BYTES]!)
        const lease = words[row + FRAME_LEASE]!
        if (lease >= 0) memory.release(lease as never)
        if (then !== undefined && frames.length === 1) peer.end(then(connection!))
      }
    },
    onTurnEnd: () => undefined,
  }
  const engine: SocketEngine = source({ env: realEnv(), memory, shape: SHAPE, turns })
  let end: (cause: RmrError) => void = () => undefined
  const ended = new Promise<RmrError>((resolve) => {
    end = resolve
  })
  const at = { host: "127.0.0.1", port: 0 }
  const listener = await engine.listen(at, limits, (accepted) => {
    connection = accepted
    return { onConnected: () => undefined, onEnded: (cause) => end(cause) }
  })
  const peer = net.connect(listener.address.port, "127.0.0.1")
  peer.on("error", () => undefined)
  if (then === undefined) peer.end(bytes)
  else peer.write(bytes)
  const cause = await ended
  peer.destroy()
  await engine.close()
  expect(memory.stats().leaseCount).toBe(0)
  return { frames, cause: cause.detail }
}

native("heads that leave get the same sums from native code as from JavaScript", async () => {
  const random = seededRandom("seals")
  const sums = new NativeSockets(addon!).sumsOf(SHAPE)
  const known = pageArenas([2 ** 18])[0]!
  for (const bytes of [known, new Uint8Array(2 ** 18), known]) {
    const view = new DataView(bytes.buffer)
    const expected = new DataView(new ArrayBuffer(bytes.length))
    let at = 0
    for (let nth = 0; nth < SEALS_MAX + 50; nth++) {
      const length = SHAPE.headBytes + random.below(300)
      for (let byte = at; byte < at + length; byte++) {
        view.setUint8(byte, random.below(256))
        expected.setUint8(byte, view.getUint8(byte))
      }
      sums.add(view, at, length)
      plain.add(expected, at, length)
      at += length + random.below(9)
    }
    sums.seal()
    expect(Buffer.compare(bytes, new Uint8Array(expected.buffer))).toBe(0)
    bytes.fill(0)
  }
})

const STREAM = [frameOf(0, 0, 1), frameOf(40, 900, 2), frameOf(5, 0, 3), frameOf(0, 64, 4)]

describe("a stream that was damaged on its way", () => {
  const whole = new Uint8Array(Buffer.concat(STREAM))
  const places = [0, 1, 2, 9, 13, 17, 20, 23, 24, 26, 47, 50, 90, 500, 987, 988, 990, 1010, 1020]

  native("ends at the same frame for the same cause, whoever looks at its sums", async () => {
    for (const at of places) {
      const bytes = whole.slice()
      bytes[at]! ^= 0x10
      const found = await receive(fastSocketEngine, bytes, LIMITS)
      expect({ at, ...found }).toEqual({ at, ...(await receive(plainSocketEngine, bytes, LIMITS)) })
      expect(found.frames.length).toBeLessThan(STREAM.length)
    }
    const { frames } = await receive(fastSocketEngine, whole, LIMITS)
    expect(frames).toEqual([0, 900, 0, 64])
  })

  native("is taken where nobody asked for sums of payloads", async () => {
    const bytes = whole.slice()
    bytes[500]! ^= 1
    const found = await receive(fastSocketEngine, bytes, { ...LIMITS, isPayloadSummed: false })
    expect(found.frames).toEqual([0, 900, 0, 64])
  })

  native("is refused as soon as somebody asks for sums of payloads", async () => {
    const bytes = frameOf(3, 400, 9)
    bytes[200]! ^= 1
    const found = await receive(
      fastSocketEngine,
      frameOf(3, 500, 8),
      { ...LIMITS, isPayloadSummed: false },
      (connection) => {
        connection.setLimits(LIMITS)
        return bytes
      },
    )
    expect(found).toEqual({ frames: [500], cause: expect.stringContaining("payload is wrong") })
  })

  native("more frames at once than have a row come as they were sent", async () => {
    const many = Array.from({ length: 700 }, (_, nth) => frameOf(nth % 9, (nth % 5) * 11, nth))
    const { frames } = await receive(fastSocketEngine, new Uint8Array(Buffer.concat(many)), LIMITS)
    expect(frames).toEqual(many.map((_, nth) => (nth % 5) * 11))
  })
})
