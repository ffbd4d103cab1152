/**
 * What comes to the port of a storage node and is no peer: another protocol, another version, half
 * of a greeting; and what a client finds where it expects a storage node. Each is told or hung up
 * on, and a witness reads and writes all the while.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { createServer as createHttpServer } from "node:http"
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { crc32cOf, ownOffer } from "@rmr/core"
import { FRAME_SHAPE, KIND_HELLO } from "../../packages/transport-tcp/src/framing.js"
import { greetingFrame } from "../../packages/transport-tcp/src/greeting.js"
import { expectSameStores, itWhere, MIB, missing, seededBytes, tried } from "./nbd-tools.js"
import { type PoolProcesses, RmrDaemon, startPool, until } from "./pool-processes.js"
import { Witness } from "./witness.js"

const SIZE_BYTES = 32 * MIB

jest.setTimeout(120_000)

let folder: string
let pool: PoolProcesses
let witness: Witness

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "rmr-peers-"))
  pool = await startPool(folder, 3, SIZE_BYTES)
})

afterAll(async () => {
  await pool.stop()
  await expectSameStores(pool.stores)
  rmSync(folder, { recursive: true, force: true })
})

beforeEach(async () => {
  witness = await Witness.begin(pool.socket, 16 * MIB)
})

afterEach(async () => {
  await witness.goOn()
  await witness.end()
  const status = await pool.client.status()
  expect(status.client?.pools[0]?.legs.map(({ state }) => state)).toEqual(Array(3).fill("normal"))
})

/** Everything that the node said until it hung up. */
function answerTo(bytes: Uint8Array, isHalfClosed = false): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    const socket = connect({ host: "127.0.0.1", port: pool.ports[0]!, allowHalfOpen: true })
    socket.on("data", (chunk: Buffer) => chunks.push(chunk))
    socket.on("error", () => undefined)
    socket.on("end", () => socket.end())
    socket.on("close", () => resolve(Buffer.concat(chunks)))
    socket.write(bytes)
    if (isHalfClosed) socket.end()
  })
}

/** A greeting as another version of this program would send it. */
function helloOf(version: number): Buffer {
  const offer = { ...ownOffer("rmr 99"), versionMin: version, versionMax: version }
  const frame = greetingFrame(KIND_HELLO, {
    hostName: "stranger",
    offer,
    credits: [4, 2, 2],
    headerBytesMax: 512,
    payloadBytesMax: 65_536,
    silenceMs: 5000,
    key: new Uint8Array(16),
  })
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength)
  const { headBytes, headSumAt } = FRAME_SHAPE
  const summed = Buffer.concat([bytes.subarray(0, headSumAt), bytes.subarray(headBytes)])
  bytes.writeUInt32LE(crc32cOf(summed), headSumAt)
  return bytes
}

describe("the port of a storage node", () => {
  it.each([
    ["a request of HTTP", Buffer.from("GET / HTTP/1.1\r\nHost: storage\r\n\r\n")],
    ["a greeting of SSH", Buffer.from("SSH-2.0-OpenSSH_9.2p1\r\n".repeat(4))],
    ["the options of an NBD client", Buffer.from("\0\0\0\x03IHAVEOPT\0\0\0\x07".repeat(4))],
    ["a greeting whose checksum is wrong", Buffer.concat([helloOf(1), helloOf(1)]).fill(7, 40, 50)],
  ])("hangs up on %s, without a word", async (_what, bytes) => {
    expect((await answerTo(bytes)).length).toBe(0)
  })

  it("tells another version which ones it speaks, and says so in its log", async () => {
    const said = (await answerTo(helloOf(99))).toString("latin1")
    expect(said).toContain("version 99")
    await until("it is logged", pool.storage[0]!, () =>
      pool.storage[0]!.lastWords.includes("session.refused"),
    )
    expect(pool.storage[0]!.lastWords).toContain("bad-version")
  })

  it("hangs up on who says nothing, or half of a greeting, when the time is over", async () => {
    const half = helloOf(1).subarray(0, 40)
    const said = await Promise.all([answerTo(Buffer.alloc(0)), answerTo(half)])
    expect(said.map(({ length }) => length)).toEqual([0, 0])
  })

  it("hangs up on random bytes, and on who half-closes", async () => {
    for (let nth = 0; nth < 20; nth++) {
      expect((await answerTo(seededBytes(nth, 4096), nth % 2 === 0)).length).toBe(0)
    }
  })

  itWhere("is no NBD server, and an NBD client learns it", missing("nbdinfo"), async () => {
    const { ok } = await tried(folder, "nbdinfo", `nbd://127.0.0.1:${pool.ports[1]}/vault`)
    expect(ok).toBe(false)
  })
})

describe("a client whose member is", () => {
  const servers: Server[] = []
  const sockets: Socket[] = []

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy()
    for (const server of servers.splice(0)) {
      await new Promise<void>((resolve) => server.close(() => resolve()))
    }
  })

  async function portOf(server: Server): Promise<number> {
    servers.push(server)
    server.on("connection", (socket) => sockets.push(socket))
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()))
    return (server.address() as AddressInfo).port
  }

  /** Why the pool is not open, once the client says it. */
  async function whyOf(
    name: string,
    ports: readonly number[],
    poolName = "other",
    more = "",
  ): Promise<string> {
    const members = ports.map((port, nth) => `"${nth + 1}@tcp://127.0.0.1:${port}"`).join(", ")
    const head = `[client]\n[[client.pool]]\nname = "${poolName}"\n`
    const text = `${head}members = [${members}]\n${more}`
    const daemon = new RmrDaemon(folder, name, text)
    daemon.start()
    try {
      const said = await until("why it waits", daemon, ({ client }) => {
        return client?.pools[0]?.why != null
      })
      expect(said.client?.pools[0]?.state).toBe("waiting")
      return said.client?.pools[0]?.why ?? ""
    } finally {
      await daemon.stop()
    }
  }

  it("a web server says that nobody there speaks its protocol", async () => {
    const server = createHttpServer((_request, reply) => reply.end("hello"))
    const why = await whyOf("web", [await portOf(server)])
    expect(why).toMatch(/^unsupported: .*does not speak this protocol/)
  })

  it("an NBD server says that it hangs up", async () => {
    expect(await whyOf("nbd", [pool.tcpPort])).toMatch(/^unreachable: .*the other side ended it/)
  })

  it("somebody who never says a word says that there is no session", async () => {
    const why = await whyOf("silent", [await portOf(createServer())])
    expect(why).toMatch(/^unreachable: .*no session within \d+ ms/)
  })

  it("nobody says that the connection was refused", async () => {
    const server = createServer()
    const port = await portOf(server)
    await new Promise<void>((resolve) => servers.pop()?.close(() => resolve()))
    expect(await whyOf("nobody", [port])).toMatch(/^unreachable: /)
  })

  it("a node without that pool says so, also where it should create it", async () => {
    const words = /^not-found: .*no pool with that name is served here; add its store/
    expect(await whyOf("unknown", pool.ports)).toMatch(words)
    expect(await whyOf("unknown-new", pool.ports, "new", "create = 4194304\n")).toMatch(words)
  })

  it("of a pool that is held by a client that is alive says who holds it", async () => {
    const why = await whyOf("second", pool.ports, "vault")
    expect(why).toBe("held: client holds pool vault and is alive; take it over")
    // Whoever knows one member hears of the others from its record.
    expect(await whyOf("third", pool.ports.slice(0, 1), "vault")).toBe(why)
  })
})
