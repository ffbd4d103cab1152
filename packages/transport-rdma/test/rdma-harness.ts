/**
 * The transport over RDMA as a subject of the transport suite: on devices of a guest of the lab
 * (e2e/lab), by one path for each address that is given, separated by commas.
 */
import net from "node:net"
import type { Endpoint, Listener, Session, Transport } from "@rmr/core"
import { buddyMemory } from "@rmr/core"
import { realEnv } from "@rmr/io"
import { clockWaiting } from "@rmr/testkit"
import type { TransportHarness } from "@rmr/testkit/contract/transport"
import { seededRandom } from "@rmr/testkit/world"
import type { RdmaOptions } from "../src/index.js"
import { rdma } from "../src/index.js"
import { RdmaSession } from "../src/session.js"

const ARENA_BYTES = 4 * 1024 * 1024
const SHORT: RdmaOptions = {
  payloadBytesMax: 64 * 1024,
  silenceMsMax: 1500,
  handshakeMsMax: 4000,
  roomBytes: 256 * 1024,
}
/** Nobody has it, and packets to it vanish. */
const NOBODY = "10.71.1.77"

export interface RdmaHarness extends TransportHarness {
  close(): Promise<void>
}

export async function rdmaHarness(hosts: string, options: RdmaOptions = {}): Promise<RdmaHarness> {
  const [host = "", ...others] = hosts.split(",")
  const env = realEnv()
  const endpoints: Endpoint[] = []
  // Not every clause closes what it has opened; devices would keep the process alive.
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
    random: seededRandom(`rdma-${hosts}`).fork("clause"),
    powers: { sever: hangUp, callAsStranger: callAs },
    process: (name) => ({
      name,
      transport: remembered(rdma({ ...SHORT, ...options })),
      env: realEnv(),
      memory: buddyMemory({ arenas: [ARENA_BYTES], leaseCountMax: 1024, poison: true }),
    }),
    listenAddress: () => `rdma://${others.length === 0 ? host : "0.0.0.0"}:0`,
    reach: ({ address }) => {
      if (others.length === 0) return address
      const port = address.split(":").at(-1)
      return `rdma://${[host, ...others].map((one) => `${one}:${port}`).join()}`
    },
    refusedAddress: () => `rdma://${host}:9`,
    silentAddress: () => `rdma://${NOBODY}:4710`,
    leftovers: () => [],
    close: async () => {
      await Promise.all(endpoints.map((endpoint) => endpoint.close()))
    },
  }
}

/** Every line of the session ends under it, as if its process had been killed. */
function hangUp(session: Session): void {
  if (!(session instanceof RdmaSession)) throw new Error("not a session over RDMA")
  for (const path of session.carrier.paths.all) {
    for (const line of path.lines.all) line.onOver(13, 0, new DataView(new ArrayBuffer(0)), 0, 0)
  }
}

/** Calls by TCP at the port of the listener: what does not speak RDMA finds nobody there. */
function callAs(listener: Listener, bytes: Uint8Array): Promise<void> {
  const port = Number(listener.address.split(":").at(-1))
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: "127.0.0.1" }, () => socket.end(bytes))
    socket.on("error", () => undefined)
    socket.on("close", () => resolve())
    socket.resume()
  })
}
