/**
 * P8 on the wire: what callers can send, short of breaking CRC-32C, ends their own connections.
 */

import net from "node:net"
import type { Endpoint, EndpointEvents, Greeting, LaneCredits, Listener, Session } from "@rmr/core"
import { buddyMemory, LANE_IO, NO_LEASE, ownOffer, PAYLOAD_BACK, readGreeting } from "@rmr/core"
import type { ConnectionEvents, FrameConnection, SocketEngine } from "@rmr/io"
import { parseSocketAddress, plainSocketEngine, realEnv } from "@rmr/io"
import { clockWaiting } from "@rmr/testkit"
import { seededRandom } from "@rmr/testkit/world"
import {
  FRAME_SHAPE,
  frameOf,
  KIND_HELLO,
  KIND_REQUEST,
  KIND_WELCOME,
  kindOf,
  writeHead,
} from "../src/framing.js"
import { greetingFrame, joinFrame } from "../src/greeting.js"
import { tcp } from "../src/index.js"
import { STRANGER_LIMITS } from "../src/terms.js"

jest.setTimeout(60_000)

const CREDITS: LaneCredits = [4, 2, 2]
const SILENCE_MS_MAX = 120_000
const env = realEnv()
const waiting = clockWaiting(env.clock)

class Server implements EndpointEvents {
  readonly memory = buddyMemory({ arenas: [4 * 1024 * 1024], leaseCountMax: 256 })
  readonly sessions = new Set<Session>()
  readonly endpoint: Endpoint
  listener!: Listener
  requestCount = 0

  constructor(handshakeMsMax: number) {
    const limits = { payloadBytesMax: 64 * 1024, guestsMax: 64, silenceMsMax: SILENCE_MS_MAX }
    const transport = tcp({ handshakeMsMax, ...limits })
    const parts = { env, memory: this.memory, events: this, hostName: "server" }
    this.endpoint = transport.open(parts)
  }

  onCompletions(): void {
    throw new Error("a server asks nothing")
  }

  onRequests({ count, words }: Parameters<EndpointEvents["onRequests"]>[0]): void {
    this.requestCount += count
    for (let row = 0; row < count; row++) {
      const lease = words[row * 8 + 6]!
      if (lease !== NO_LEASE) this.memory.release(lease as never)
    }
  }

  onSessionUp(session: Session): void {
    this.sessions.add(session)
  }

  onSessionDown(session: Session): void {
    this.sessions.delete(session)
  }
}

let server: Server

async function serve(handshakeMsMax = 5000): Promise<Server> {
  server = new Server(handshakeMsMax)
  server.listener = await server.endpoint.listen("tcp://127.0.0.1:0", { creditsMax: CREDITS })
  return server
}

afterEach(async () => {
  await server.endpoint.close()
  expect(server.sessions.size).toBe(0)
  expect(server.memory.stats().leaseCount).toBe(0)
})

/** Somebody well behaved is served all the while. */
async function expectServed(): Promise<void> {
  const memory = buddyMemory({ arenas: [65_536], leaseCountMax: 4 })
  const nothing = (): void => undefined
  const events = { onCompletions: nothing, onRequests: nothing, onSessionUp: nothing }
  const endpoint = tcp().open({
    env,
    memory,
    events: { ...events, onSessionDown: nothing },
    hostName: "good",
  })
  const session = await endpoint.dial(server.listener.address, {
    deadlineMs: 5000,
    credits: CREDITS,
  })
  expect(session.peerName).toBe("server")
  await endpoint.close()
}

/** A raw client that can send any frame with right checksums. */
class Raw implements ConnectionEvents {
  readonly engine: SocketEngine
  readonly connection: FrameConnection
  readonly frames: DataView[] = []
  isConnected = false
  isEnded = false

  constructor() {
    const memory = buddyMemory({ arenas: [1024 * 1024], leaseCountMax: 64 })
    this.engine = plainSocketEngine({
      env,
      memory,
      shape: FRAME_SHAPE,
      turns: {
        onFrames: ({ count, words, bytes }) => {
          for (let row = 0; row < count; row++) {
            const at = words[row * 8 + 1]!
            const end = at + FRAME_SHAPE.headBytes + words[row * 8 + 2]!
            this.frames.push(new DataView(bytes.buffer.slice(at, end)))
          }
        },
        onTurnEnd: () => undefined,
      },
    })
    const place = server.listener.address.slice("tcp://".length)
    const limits = { ...STRANGER_LIMITS, queuedFramesMax: 256 }
    this.connection = this.engine.connect(parseSocketAddress(place), limits, this)
  }

  onConnected(): void {
    this.isConnected = true
  }

  onEnded(): void {
    this.isEnded = true
  }

  async say(...frames: readonly DataView[]): Promise<void> {
    await waiting.until(() => this.isConnected || this.isEnded, "connection")
    for (const frame of frames) {
      this.connection.send(frame, 0, frame.byteLength, NO_LEASE, 0, 0)
    }
  }

  answer(kind: number): DataView | undefined {
    return this.frames.find((frame) => kindOf(frame, 0) === kind)
  }
}

function hello(odd: Partial<Greeting> = {}): DataView {
  return greetingFrame(KIND_HELLO, {
    hostName: "raw",
    offer: ownOffer("raw 1"),
    credits: CREDITS,
    headerBytesMax: 512,
    payloadBytesMax: 65_536,
    silenceMs: 5000,
    key: new Uint8Array(16),
    ...odd,
  })
}

/** A whole session of raw connections, by channel. */
async function rawSession(odd: Partial<Greeting> = {}): Promise<Raw[]> {
  const link = new Raw()
  await link.say(hello(odd))
  await waiting.until(() => link.answer(KIND_WELCOME) !== undefined, "welcome")
  const welcome = link.answer(KIND_WELCOME)!
  const { key } = readGreeting(welcome, 32, welcome.byteLength - 32)!
  const known = server.sessions.size
  const raws = [link]
  for (const channel of [1, 2, 3]) {
    const raw = new Raw()
    await raw.say(joinFrame(key, channel))
    raws.push(raw)
  }
  await waiting.until(() => server.sessions.size > known, "session")
  return raws
}

describe("callers that mean harm", () => {
  it("P8 bytes that come slowly or never end at the deadline; so does half a close", async () => {
    await serve(300)
    const bytes = new Uint8Array(hello().buffer)
    let closedCount = 0
    const sockets = [0, 1, 20, bytes.length - 1].map((count) => {
      const port = Number(server.listener.address.split(":").at(-1))
      const socket = net.connect({ port, host: "127.0.0.1" }, () => {
        socket.write(bytes.subarray(0, count))
        if (count === 20) socket.end()
      })
      socket.on("error", () => undefined)
      socket.on("close", () => closedCount++)
      return socket
    })
    await expectServed()
    for (const socket of sockets) socket.resume()
    await waiting.until(() => closedCount === sockets.length, "end of all that were slow")
    await expectServed()
  })

  it("P8 a welcome without joins holds nothing after the deadline", async () => {
    await serve(300)
    const raw = new Raw()
    await raw.say(hello())
    await waiting.until(() => raw.answer(KIND_WELCOME) !== undefined, "welcome")
    await waiting.until(() => raw.isEnded, "end of a session that nobody joins")
    await raw.engine.close()
    await expectServed()
  })

  it.each([
    ["no magic of a greeting", frameOf(77, new Uint8Array(3))],
    ["a request before a session", frameOf(KIND_REQUEST, new Uint8Array(40))],
    ["a greeting that is cut", frameOf(KIND_HELLO, new Uint8Array(30))],
    ["a greeting of zeroes", frameOf(KIND_HELLO, new Uint8Array(100))],
    ["a welcome", greetingFrame(KIND_WELCOME, readGreeting(hello(), 32, hello().byteLength - 32)!)],
    ["a host name that is no name", hello({ hostName: "\u0001" })],
    ["no host name", hello({ hostName: "" })],
    ["an unknown key", joinFrame(new Uint8Array(16).fill(3), 1)],
    ["a channel that there is not", joinFrame(new Uint8Array(16), 9)],
  ])("P8 %s ends the connection", async (_, frame) => {
    await serve()
    const raw = new Raw()
    await raw.say(frame)
    await waiting.until(() => raw.isEnded, "end")
    await raw.engine.close()
    await expectServed()
  })

  it("P8 a flood of greetings on one connection, and of callers, hurts no others", async () => {
    await serve(500)
    const flood = new Raw()
    await flood.say(...Array.from({ length: 200 }, () => hello()))
    await waiting.until(() => flood.isEnded, "end of a caller that greets twice")
    const crowd = Array.from({ length: 200 }, () => new Raw())
    await waiting.until(() => crowd.filter(({ isEnded }) => isEnded).length >= 130, "full house")
    await waiting.until(() => crowd.every(({ isEnded }) => isEnded), "end of the crowd")
    await expectServed()
    for (const raw of [flood, ...crowd]) await raw.engine.close()
  })

  it("P8 a peer of a version from elsewhere is told so", async () => {
    await serve()
    const raw = new Raw()
    const offer = { ...ownOffer("raw 99"), versionMin: 99, versionMax: 99 }
    await raw.say(hello({ offer }))
    await waiting.until(() => raw.frames.length > 0, "refusal")
    const text = Buffer.from(raw.frames[0]!.buffer).toString("latin1")
    expect(text).toContain("version 99")
    await raw.engine.close()
  })

  it("P8 frames of a session with fields at random lose that session and no other", async () => {
    await serve()
    const random = seededRandom("hostile")
    // It says nothing all the while, however long that takes.
    const other = await rawSession({ silenceMs: SILENCE_MS_MAX })
    for (let round = 0; round < 60; round++) {
      const raws = await rawSession()
      const request = frameOf(KIND_REQUEST, new Uint8Array(1))
      writeHead(request, 0, KIND_REQUEST, LANE_IO, PAYLOAD_BACK, 1 << 14, 1, 0, 0)
      const known = server.requestCount
      await raws[1]!.say(request)
      await waiting.until(() => server.requestCount > known, "a right request")
      for (let nth = 0; nth < 40 && !raws.some(({ isEnded }) => isEnded); nth++) {
        const textBytes = random.below(20)
        const frame = frameOf(KIND_REQUEST, new Uint8Array(textBytes))
        const kind = random.chance(0.8) ? KIND_REQUEST : random.below(256)
        const id = random.chance(0.5) ? random.below(8) | (1 << 14) : random.u32() | 0
        const roomBytes = random.pick([0, 1, 65_536, 65_537, -1, 2 ** 31 - 1])
        const [lane, direction] = [random.below(4), random.below(3)] as never[]
        writeHead(frame, 0, kind, lane!, direction!, id, textBytes, 0, roomBytes)
        await random.pick(raws).say(frame)
        if (nth % 8 === 7) await waiting.pass(0)
      }
      await waiting.until(() => raws.some(({ isEnded }) => isEnded), "end of a session", 20_000)
      for (const raw of raws) await raw.engine.close()
    }
    expect(other.every(({ isEnded }) => !isEnded)).toBe(true)
    for (const raw of other) await raw.engine.close()
    await waiting.until(() => server.sessions.size === 0, "end of the last session")
    await expectServed()
  })
})
