/**
 * The simulated transport as a subject of the transport suite: each clause in a world of its own.
 */
import type { Transport } from "@rmr/core"
import { buddyMemory } from "@rmr/core"
import { worldWaiting } from "../src/contract/index.js"
import type { TransportHarness, TransportProcess } from "../src/contract/transport/index.js"
import { nodeWorld } from "../src/node/index.js"
import type {
  Host,
  LinkOptions,
  Seed,
  SimNetwork,
  SimTransportOptions,
} from "../src/world/index.js"
import { severSession, silenceSession, simNetwork, simTransport } from "../src/world/index.js"
import { unwrap } from "./transport-wrap.js"

export interface SimHarnessOptions {
  readonly seed: Seed
  readonly links?: Partial<LinkOptions>
  readonly transport?: Partial<SimTransportOptions>
  /** Puts something around each transport; sessions are unwrapped before they are hurt. */
  readonly wrap?: (inner: Transport, network: SimNetwork) => Transport
}

const ARENA_BYTES = 4 * 1024 * 1024
const PAYLOAD_BYTES_MAX = 64 * 1024
const SILENCE_MS_MAX = 2000

export interface SimTransportHarness extends TransportHarness {
  readonly network: SimNetwork
}

export function simTransportHarness(options: SimHarnessOptions): SimTransportHarness {
  const world = nodeWorld({ seed: options.seed })
  const network = simNetwork({ world, ...(options.links ? { links: options.links } : {}) })
  network.attach("refuser")
  const hostsByProcess = new Map<TransportProcess, Host>()
  const process = (name: string): TransportProcess => {
    const host = world.host(`${name}-${hostsByProcess.size}`)
    const limits = { payloadBytesMax: PAYLOAD_BYTES_MAX, silenceMsMax: SILENCE_MS_MAX }
    const transport = simTransport({ network, host, ...limits, ...options.transport })
    const made: TransportProcess = {
      name,
      transport: options.wrap?.(transport, network) ?? transport,
      env: host.env,
      memory: buddyMemory({ arenas: [ARENA_BYTES], leaseCountMax: 1024, poison: true }),
    }
    hostsByProcess.set(made, host)
    return made
  }
  return {
    network,
    process,
    waiting: worldWaiting(world),
    random: world.random.fork("clause"),
    powers: {
      sever: (session) => severSession(unwrap(session)),
      silence: (session) => silenceSession(unwrap(session)),
      changeNext: () => network.tune({ corruptChance: 1 }),
      callAsStranger: (listener, bytes) => network.callAs("stranger", listener.address, bytes),
    },
    listenAddress: (on) => `sim:${hostsByProcess.get(on)?.name}:0`,
    reach: (listener) => listener.address,
    refusedAddress: () => "sim:refuser:9",
    silentAddress: () => "sim:nowhere:9",
    leftovers: () => network.boundAddresses().map((address) => `listener at ${address}`),
  }
}
