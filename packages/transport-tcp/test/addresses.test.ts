/**
 * Where one can listen and dial, what fails with which code, and that a thousand sessions leave
 * nothing.
 */
import net from "node:net"
import type { Endpoint, EndpointEvents, LaneCredits, Session } from "@rmr/core"
import { buddyMemory } from "@rmr/core"
import { realEnv } from "@rmr/io"
import { clockWaiting } from "@rmr/testkit"
import { tcp } from "../src/index.js"

jest.setTimeout(60_000)

const CREDITS: LaneCredits = [4, 2, 2]
const env = realEnv()
const waiting = clockWaiting(env.clock)
const memory = buddyMemory({ arenas: [1024 * 1024], leaseCountMax: 64 })

class Party implements EndpointEvents {
  readonly up = new Set<Session>()
  downCount = 0
  readonly endpoint: Endpoint

  constructor(hostName: string) {
    this.endpoint = tcp().open({ env, memory, events: this, hostName })
  }

  onCompletions(): void {
    throw new Error("nothing was asked")
  }

  onRequests(): void {
    throw new Error("nothing was asked")
  }

  onSessionUp(session: Session): void {
    this.up.add(session)
  }

  onSessionDown(session: Session): void {
    this.up.delete(session)
    this.downCount++
  }

  dial(address: string): Promise<Session> {
    return this.endpoint.dial(address, { deadlineMs: 10_000, credits: CREDITS })
  }
}

let client: Party
let server: Party
beforeEach(() => {
  client = new Party("client")
  server = new Party("server")
})
afterEach(async () => {
  await Promise.all([client.endpoint.close(), server.endpoint.close()])
})

it.each(["tcp://127.0.0.1:0", "tcp:127.0.0.1:0", "tcp://localhost:0", "tcp://[::1]:0"])(
  "listens at %s, and says where for others to dial",
  async (at) => {
    const listener = await server.endpoint.listen(at, { creditsMax: CREDITS })
    expect(listener.address).toMatch(/^tcp:\/\/(127\.0\.0\.1|\[::1\]):[1-9]\d*$/)
    const session = await client.dial(listener.address)
    expect(session.isUp).toBe(true)
    const port = listener.address.split(":").at(-1)
    if (at.includes("localhost")) await client.dial(`tcp://localhost:${port}`)
  },
)

it("fails with busy where another program listens", async () => {
  const other = net.createServer()
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve))
  const { port } = other.address() as net.AddressInfo
  const listening = server.endpoint.listen(`tcp://127.0.0.1:${port}`, { creditsMax: CREDITS })
  await expect(listening).rejects.toMatchObject({ code: "busy" })
  await new Promise((resolve) => other.close(resolve))
})

it.each([
  ["unreachable", "tcp://no-such-host.invalid:1000"],
  ["invalid-argument", "tcp://127.0.0.1:0"],
  ["invalid-argument", "tcp://127.0.0.1:70000"],
  ["unsupported", "rdma://127.0.0.1:1000"],
])("fails with %s to dial %s", async (code, address) => {
  await expect(client.dial(address)).rejects.toMatchObject({ code })
})

it("fails with invalid-argument to listen at an address of another machine", async () => {
  const listening = server.endpoint.listen("tcp://192.0.2.1:0", { creditsMax: CREDITS })
  await expect(listening).rejects.toMatchObject({ code: "invalid-argument" })
})

it("fails with unsupported to dial somebody who speaks another protocol", async () => {
  const other = net.createServer((socket) => {
    socket.on("error", () => undefined)
    socket.resume()
    socket.end("SSH-2.0-OpenSSH_9.2p1 and some more words\r\n")
  })
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve))
  const { port } = other.address() as net.AddressInfo
  const dial = client.dial(`tcp://127.0.0.1:${port}`)
  await expect(dial).rejects.toMatchObject({ code: "unsupported" })
  await new Promise((resolve) => other.close(resolve))
})

it("T15 a thousand sessions leave no socket, session or lease", async () => {
  const listener = await server.endpoint.listen("tcp://127.0.0.1:0", { creditsMax: CREDITS })
  const socketCount = (): number =>
    process.getActiveResourcesInfo().filter((name) => name.startsWith("TCP")).length
  const before = socketCount()
  for (let round = 0; round < 20; round++) {
    const dials = Array.from({ length: 50 }, () => client.dial(listener.address))
    const sessions = await Promise.all(dials)
    // Half by this side, half by the other.
    await waiting.until(() => server.up.size === 50, "accepted sessions")
    await Promise.all(sessions.slice(0, 25).map((session) => session.close()))
    await waiting.until(() => server.up.size === 25, "ends on the other side")
    await Promise.all([...server.up].map((session) => session.close()))
    await waiting.until(() => client.downCount === 50 * (round + 1), "ends on this side")
    expect(sessions.every(({ id, isUp }) => id < 50 && !isUp)).toBe(true)
  }
  await waiting.until(() => socketCount() <= before, "end of all sockets")
  expect(server.downCount).toBe(1000)
  expect(memory.stats().leaseCount).toBe(0)
})
