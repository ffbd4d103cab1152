/**
 * The transport over TCP as a subject of the transport suite: on loopback, in real time.
 */
import { readdirSync, readlinkSync } from "node:fs"
import net from "node:net"
import type { Endpoint, Listener, Session, Transport } from "@rmr/core"
import { buddyMemory, RmrError, transportsByScheme } from "@rmr/core"
import { realEnv } from "@rmr/io"
import { clockWaiting } from "@rmr/testkit"
import type { TransportHarness, TransportPowers } from "@rmr/testkit/contract/transport"
import { seededRandom } from "@rmr/testkit/world"
import type { TcpOptions } from "../src/index.js"
import { tcp } from "../src/index.js"
import { TcpSession } from "../src/session.js"
import { Relay } from "./relay.js"

const ARENA_BYTES = 4 * 1024 * 1024
const SHORT: TcpOptions = { payloadBytesMax: 64 * 1024, silenceMsMax: 1000, handshakeMsMax: 2000 }

export interface TcpHarness extends TransportHarness {
  close(): Promise<void>
}

export interface TcpHarnessOptions {
  readonly transport?: TcpOptions
  /** `127.0.0.1` or `[::1]`. */
  readonly host?: string
  /** As one of several transports. */
  readonly isByScheme?: boolean
  /** Puts a relay in front of every listener. */
  readonly isRelayed?: boolean
}

/** Someone who takes calls and says nothing, and a port where nobody is. */
interface Places {
  readonly silent: net.Server
  readonly silentPort: number
  readonly refusedPort: number
}

export async function tcpHarness(options: TcpHarnessOptions = {}): Promise<TcpHarness> {
  const { transport, host = "127.0.0.1", isRelayed = false, isByScheme = false } = options
  const env = realEnv()
  const ours = (): Transport => tcp({ ...SHORT, ...transport })
  const places = await openPlaces()
  const relays = new Map<Listener, Relay>()
  const relayOf = (listener: Listener): Relay => {
    const known = relays.get(listener)
    if (known !== undefined) return known
    const made = new Relay(listener)
    relays.set(listener, made)
    return made
  }
  const through = (run: (relay: Relay, ports: readonly number[]) => void) => (session: Session) => {
    for (const relay of relays.values()) run(relay, portsOf(session))
  }
  const powers: Partial<TransportPowers> = isRelayed
    ? {
        sever: through((relay, ports) => relay.cut(ports)),
        silence: through((relay, ports) => relay.silence(ports)),
        changeNext: through((relay, ports) => relay.changeNext(ports)),
        callAsStranger: callAs,
      }
    : { sever: hangUp, callAsStranger: callAs }
  const known = openSockets()
  // Not every clause closes what it has opened; a real socket would keep the process alive.
  const endpoints: Endpoint[] = []
  const remembered = (made: Transport): Transport => ({
    ...made,
    open: (parts) => {
      const endpoint = made.open(parts)
      endpoints.push(endpoint)
      return endpoint
    },
  })
  return {
    waiting: clockWaiting(env.clock),
    random: seededRandom(`tcp-${host}`).fork("clause"),
    powers,
    process: (name) => ({
      name,
      transport: remembered(isByScheme ? transportsByScheme([ours()]) : ours()),
      env: realEnv(),
      memory: buddyMemory({ arenas: [ARENA_BYTES], leaseCountMax: 1024, poison: true }),
    }),
    listenAddress: () => `tcp://${host}:0`,
    reach: (listener) =>
      isRelayed ? `tcp://127.0.0.1:${relayOf(listener).port}` : listener.address,
    refusedAddress: () => `tcp://127.0.0.1:${places.refusedPort}`,
    silentAddress: () => `tcp://127.0.0.1:${places.silentPort}`,
    leftovers: () => (isRelayed || openSockets() <= known ? [] : ["open sockets"]),
    close: async () => {
      await Promise.all(endpoints.map((endpoint) => endpoint.close()))
      for (const relay of relays.values()) relay.close()
      await new Promise((resolve) => places.silent.close(resolve))
    },
  }
}

/** Sockets that this process has open, listeners among them. */
function openSockets(): number {
  return readdirSync("/proc/self/fd").filter(isSocket).length
}

function isSocket(fd: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).startsWith("socket:")
  } catch (thrown) {
    // The one that the folder was read by.
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return false
    throw thrown
  }
}

async function openPlaces(): Promise<Places> {
  const silent = net.createServer((socket) => {
    socket.on("error", () => undefined)
    socket.resume()
  })
  const silentPort = await listening(silent)
  const gone = net.createServer()
  const refusedPort = await listening(gone)
  await new Promise((resolve) => gone.close(resolve))
  return { silent, silentPort, refusedPort }
}

function listening(server: net.Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as net.AddressInfo).port))
  })
}

function portsOf(session: Session): number[] {
  if (!(session instanceof TcpSession)) throw new Error("not a session over TCP")
  return session.channels.all.map((connection) => connection.localPort)
}

/** Every connection of the session ends under it, as if its process had been killed. */
function hangUp(session: Session): void {
  if (!(session instanceof TcpSession)) throw new Error("not a session over TCP")
  for (const connection of session.channels.all) {
    const cut = connection as unknown as { end(cause: RmrError): void }
    cut.end(new RmrError("link-lost", "cut"))
  }
}

/** Calls, says this, and waits until it is hung up on, or hangs up where nobody minds it. */
function callAs(listener: Listener, bytes: Uint8Array): Promise<void> {
  const port = Number(listener.address.split(":").at(-1))
  const host = listener.address.includes("[") ? "::1" : "127.0.0.1"
  return new Promise((resolve) => {
    const socket = net.connect({ port, host }, () => socket.end(bytes))
    socket.on("error", () => undefined)
    socket.on("close", () => resolve())
    socket.resume()
  })
}
