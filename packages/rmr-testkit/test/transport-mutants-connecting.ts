/**
 * Broken transports, by what they do around dial, listen and addresses: T1, T2, T11, T13, T14, T19.
 */
import type { LaneCredits, TransportCapabilities } from "@rmr/core"
import { RmrError } from "@rmr/core"
import type { SimNetwork } from "../src/world/index.js"
import type { TransportMutant } from "./transport-mutant.js"
import { mutant } from "./transport-mutant.js"
import type { Defect } from "./transport-wrap.js"

/** Says something else of itself than the transport beneath. */
function saying(changes: (truth: TransportCapabilities) => Partial<TransportCapabilities>): Defect {
  return {
    transport: ({ supports }) => ({
      supports: Object.freeze({ ...supports, ...changes(supports) }),
    }),
  }
}

/** Looks at the calls of strangers before its listener does. */
function hearing(
  network: SimNetwork,
  onStranger: (bytes: Uint8Array, address: string, closeSessions: () => void) => void,
): Defect {
  return {
    endpoint: (inner, { sessions }) => ({
      listen: async (address, options) => {
        const listener = await inner.listen(address, options)
        const answer = network.answerAt(listener.address)!
        const closeSessions = (): void => {
          for (const session of sessions) void session.close()
        }
        network.unbind(listener.address)
        network.bind(listener.address, (call) => {
          if (call instanceof Uint8Array) onStranger(call, listener.address, closeSessions)
          else answer(call)
        })
        return listener
      },
    }),
  }
}

export const connectingMutants: readonly TransportMutant[] = [
  mutant("T1", "tells each side its own name instead of the peer's", () => ({
    session: (inner) => ({ peerName: inner.peerName === "client" ? "server" : "client" }),
  })),
  mutant("T1", "gives the dialer the credits that it asked for, whatever is allowed", () => ({
    session: (inner) => {
      const credits: LaneCredits = [8, 8, 8]
      return { limits: { ...inner.limits, credits } }
    },
  })),
  mutant("T1", "delivers requests of a session before it reports the session", () => ({
    events: ({ clock, user }) => ({
      onSessionUp: (session) => void clock.schedule(5, () => user.onSessionUp(session)),
    }),
  })),
  mutant("T2", "dials on for ever, whatever the deadline", () => ({
    endpoint: (inner) => ({
      dial: (address, options) => inner.dial(address, { ...options, deadlineMs: 1e9 }),
    }),
  })),
  mutant("T2", "calls a refused dial a lost link", () => ({
    endpoint: (inner) => ({
      dial: (address, options) =>
        inner.dial(address, options).catch((error: RmrError) => {
          throw error.code === "unreachable" ? new RmrError("link-lost", error.detail) : error
        }),
    }),
  })),
  mutant("T11", "closes the sessions of a listener with it", () => ({
    endpoint: (inner, { sessions }) => ({
      listen: async (address, options) => {
        const listener = await inner.listen(address, options)
        const close = async (): Promise<void> => {
          for (const session of sessions) void session.close()
          await listener.close()
        }
        return { address: listener.address, close }
      },
    }),
  })),
  mutant("T11", "accepts through a listener that was closed", () => ({
    endpoint: (inner) => ({
      listen: async (address, options) => {
        const listener = await inner.listen(address, options)
        return { address: listener.address, close: async () => undefined }
      },
    }),
  })),
  mutant("T13", "goes on dialing when it is told to give up", () => ({
    endpoint: (inner) => ({
      dial: (address, { signal: _, ...options }) => inner.dial(address, options),
    }),
  })),
  mutant("T13", "keeps listening to the signal after the dial", () => ({
    endpoint: (inner) => ({
      dial: (address, options) => {
        options.signal?.addEventListener("abort", () => undefined)
        return inner.dial(address, options)
      },
    }),
  })),
  mutant("T13", "leaves the timer of a dial that was given up", () => ({
    endpoint: (inner, { clock }) => ({
      dial: (address, options) => {
        clock.schedule(options.deadlineMs + 60_000, () => undefined)
        return inner.dial(address, options)
      },
    }),
  })),
  mutant("T14", "says that it carries larger headers than it does", () =>
    saying(({ headerBytesMax }) => ({ headerBytesMax: 2 * headerBytesMax })),
  ),
  mutant("T14", "lets anybody change what it supports", () => ({
    transport: ({ supports }) => ({ supports: { ...supports } }),
  })),
  mutant("T14", "dials an address of another scheme", () => ({
    endpoint: (inner) => ({
      dial: (address, options) => inner.dial(address.replace(/^un/, ""), options),
    }),
  })),
  mutant(
    "T14",
    "says that it checks payloads, and does not",
    () => saying(() => ({ payloadChecked: true })),
    { payloadChecked: false },
  ),
  mutant(
    "T10",
    "notices silence ten times later than it says",
    () => saying(() => ({ silenceMsMax: 2000 })),
    { silenceMsMax: 20_000 },
  ),
  mutant("T19", "ends its sessions when a stranger sends nonsense", (network) =>
    hearing(network, (_bytes, _address, closeSessions) => closeSessions()),
  ),
  mutant("T19", "stops listening when a stranger sends nothing at all", (network) =>
    hearing(network, (bytes, address) => {
      if (bytes.length === 0) network.unbind(address)
    }),
  ),
]
