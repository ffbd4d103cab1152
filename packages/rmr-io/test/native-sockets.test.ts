/**
 * Native sockets where the port's suites do not reach: a slow reader, a peer that dies in the
 * middle of a write, and threads that end.
 */
import { spawnSync } from "node:child_process"
import net from "node:net"
import { join } from "node:path"
import type { ByteSocket, ByteSocketEvents } from "../src/byte-socket.js"
import { CHECK_NOTHING } from "../src/native-addon.js"
import { NativeSockets } from "../src/native-socket.js"
import { addon, native } from "./native.js"

jest.setTimeout(60_000)

interface Ends {
  readonly sockets: NativeSockets
  readonly socket: ByteSocket
  readonly peer: net.Socket
  readonly written: () => number
  readonly ended: Promise<string>
  onWritten: () => void
  close(): Promise<void>
}

/** A native socket and a socket of Node's that it is connected to. */
async function connect(): Promise<Ends> {
  if (addon === undefined) throw new Error("there is no addon")
  const sockets = new NativeSockets(addon)
  const server = net.createServer({ pauseOnConnect: true })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const accepted = new Promise<net.Socket>((resolve) => server.once("connection", resolve))
  let writtenCount = 0
  let end: (text: string) => void = () => undefined
  const ended = new Promise<string>((resolve) => {
    end = resolve
  })
  const events: ByteSocketEvents = {
    directPlace: () => undefined,
    checks: () => CHECK_NOTHING,
    checksFrom: () => 0,
    onRead: () => true,
    onWritten: () => {
      writtenCount++
      ends.onWritten()
    },
    onEnd: (cause) => end(cause.detail),
  }
  const socket = sockets.open(events)
  const { port } = server.address() as net.AddressInfo
  await new Promise<void>((resolve) => socket.connect({ host: "127.0.0.1", port }, resolve))
  const peer = await accepted
  peer.on("error", () => undefined)
  const ends: Ends = {
    ...{ sockets, socket, peer, written: () => writtenCount, ended, onWritten: () => undefined },
    async close() {
      socket.destroy()
      peer.destroy()
      sockets.close()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return ends
}

const bytesOf = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => (at * 7 + seed) & 0xff)

native("what a slow reader has no room for follows, whole and in order", async () => {
  const ends = await connect()
  const pieces = [1, 70_000, 3_000_000, 17, 2_000_000].map(bytesOf)
  expect(ends.socket.write([...pieces, bytesOf(9, 9)], pieces.length)).toBe(false)
  expect(ends.socket.unsentBytes).toBeGreaterThan(0)
  const said = bytesOf(50_000, 3)
  const whole = Buffer.concat([...pieces, said])
  ends.socket.say(said)
  const heard: Buffer[] = []
  let heardBytes = 0
  for await (const piece of ends.peer) {
    heard.push(piece as Buffer)
    heardBytes += (piece as Buffer).length
    if (heardBytes >= whole.length) break
  }
  expect(Buffer.concat(heard).equals(whole)).toBe(true)
  expect(ends.written()).toBe(1)
  expect(ends.socket.unsentBytes).toBe(0)
  await ends.close()
})

native("what the kernel takes at once needs no further word", async () => {
  const ends = await connect()
  expect(ends.socket.write([bytesOf(100, 1), bytesOf(100, 2)], 2)).toBe(true)
  expect(ends.written()).toBe(0)
  await ends.close()
})

native("a peer that dies in the middle of a write ends the connection", async () => {
  const ends = await connect()
  expect(ends.socket.write([bytesOf(8_000_000, 1)], 1)).toBe(false)
  ends.peer.resetAndDestroy()
  expect(await ends.ended).toMatch(/ECONNRESET|EPIPE/)
  await ends.close()
})

native("a socket that was destroyed is read and written no more", async () => {
  const ends = await connect()
  ends.socket.destroy()
  ends.socket.destroy()
  expect(ends.socket.write([bytesOf(10, 1)], 1)).toBe(false)
  ends.socket.say(bytesOf(10, 1))
  ends.socket.resume()
  expect(ends.socket.unsentBytes).toBe(0)
  const heard: Buffer[] = []
  for await (const piece of ends.peer) heard.push(piece as Buffer)
  expect(heard).toEqual([])
  await ends.close()
})

native(
  "a gathered write is not told to the socket that is destroyed, nor followed up",
  async () => {
    const ends = await connect()
    ends.onWritten = () => ends.socket.write([bytesOf(10, 2)], 1)
    ends.sockets.gather()
    expect(ends.socket.write([bytesOf(10, 1)], 1)).toBe(false)
    ends.socket.destroy()
    ends.sockets.send()
    expect(ends.written()).toBe(0)
    const heard: Buffer[] = []
    for await (const piece of ends.peer) heard.push(piece as Buffer)
    expect([...Buffer.concat(heard)]).toEqual([...bytesOf(10, 1)])
    await ends.close()
  },
)

native("a number of another life is refused", async () => {
  const ends = await connect()
  expect(() => addon?.readSocket(60_000)).toThrow("no such socket")
  expect(() => addon?.writeSocket(-1, [], 0, 0)).toThrow("no such socket")
  await ends.close()
})

native("threads that end take their sockets with them, and no other's", async () => {
  const args = ["--import", "tsx", join(__dirname, "thread-program.ts")]
  const env = { ...process.env, TSX_TSCONFIG_PATH: "tsconfig.run.json" }
  const child = spawnSync(process.execPath, args, { encoding: "utf8", env, timeout: 50_000 })
  expect(child.stderr).toBe("")
  expect(JSON.parse(child.stdout)).toEqual({ heardBytes: 3_000_000 })
})
