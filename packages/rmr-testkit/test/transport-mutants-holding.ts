/**
 * Broken transports, by what they do with memory and credits: T6, T7, T8, T15, T17.
 */
import type { LaneCredits, Lease, PayloadDirection, Session } from "@rmr/core"
import {
  LANE_CONTROL,
  LANE_IO,
  leaseBytes,
  NO_LEASE,
  NO_SLOT,
  PAYLOAD_BACK,
  PAYLOAD_OUT,
  REQUEST_LEASE,
  RmrError,
  silentLog,
} from "@rmr/core"
import type { TransportMutant } from "./transport-mutant.js"
import { leak, mutant, requests, scribble, submits } from "./transport-mutant.js"
import type { Defect } from "./transport-wrap.js"
import { keptBatch } from "./transport-wrap.js"

const touching: readonly TransportMutant[] = [
  mutant(
    "T6",
    "copies a payload at submit, and holds no lease",
    submits(({ memory }, inner, slot, headerBytes, token, direction, lease, at, bytes) => {
      if (direction === PAYLOAD_BACK || lease === NO_LEASE) {
        inner.submit(slot, headerBytes, token, direction, lease, at, bytes)
        return
      }
      const copy = memory.lease(bytes)
      leaseBytes(memory, copy, 0, bytes).set(leaseBytes(memory, lease, at, bytes))
      inner.submit(slot, headerBytes, token, direction, copy, 0, bytes)
      memory.release(copy)
    }),
  ),
  mutant(
    "T6",
    "holds the lease of a request for ever",
    submits(({ memory }, inner, ...args) => {
      inner.submit(...args)
      leak(memory, args[4])
    }),
  ),
  mutant("T6", "writes into a room after its completion", () => touchesLater(PAYLOAD_BACK)),
  mutant("T6", "writes into what it has sent, after the completion", () =>
    touchesLater(PAYLOAD_OUT),
  ),
  mutant(
    "T6",
    "writes one byte behind the room of a read",
    submits(({ memory }, inner, ...args) => {
      inner.submit(...args)
      const [, , , direction, lease, at, bytes] = args
      const hasMore = direction === PAYLOAD_BACK && at + bytes < memory.capacityOf(lease)
      if (hasMore) scribble(memory, lease, at + bytes)
    }),
  ),
  mutant(
    "T6",
    "keeps a reference on payloads that it has handed over",
    requests((rows, { memory }) => {
      for (const row of rows) leak(memory, row[REQUEST_LEASE]! as Lease)
      return rows
    }),
  ),
  mutant(
    "T6",
    "uses the memory of a payload again before its receiver is done",
    requests((rows, { memory, clock }) => {
      for (const row of rows) {
        const lease = row[REQUEST_LEASE]! as Lease
        if (lease !== NO_LEASE) clock.schedule(3, () => scribble(memory, lease, 0))
      }
      return rows
    }),
  ),
  mutant("T6", "never gives the lease of a reply back", () => ({
    session: (inner, { memory }) => ({
      reply: (...args) => {
        inner.reply(...args)
        leak(memory, args[3])
      },
    }),
  })),
]

const leaking: readonly TransportMutant[] = [
  mutant("T15", "leaks a timer", () => ({
    endpoint: (inner, { clock }) => ({
      close: () => {
        clock.schedule(1e6, () => undefined)
        return inner.close()
      },
    }),
  })),
  mutant("T15", "leaks the leases of requests that are in flight at close", leaksInFlight),
  mutant("T15", "goes on listening after its end", () => ({
    endpoint: (inner, { transport, clock, memory, user }) => {
      let address: string | undefined
      return {
        listen: async (at, options) => {
          const listener = await inner.listen(at, options)
          address = listener.address
          return listener
        },
        close: async () => {
          await inner.close()
          if (address === undefined) return
          const env = { clock, random: NO_RANDOM, log: silentLog }
          const second = transport.open({ env, memory, events: user, hostName: "ghost" })
          await second.listen(address, { creditsMax: [1, 1, 1] })
        },
      }
    },
  })),
  mutant("T15", "delivers after its end", () => ({
    endpoint: (inner, { clock, user, sessions }) => ({
      close: async () => {
        await inner.close()
        const [session] = sessions
        if (session === undefined) return
        clock.schedule(5, () => user.onSessionDown(session, new RmrError("closed", "again")))
      },
    }),
  })),
]

const crediting: readonly TransportMutant[] = [
  mutant("T7", "ignores credits", () => ({
    session: (inner) => {
      const [io, sync, control] = inner.limits.credits
      const credits: LaneCredits = [io >> 1, sync >> 1, control >> 1]
      return {
        limits: { ...inner.limits, credits },
        freeCredits: (lane) =>
          Math.max(0, inner.freeCredits(lane) - (inner.limits.credits[lane] - credits[lane])),
      }
    },
  })),
  mutant("T7", "loses a credit with every tenth completion", losesCredits),
  mutant("T7", "gives a credit back only after its completion was delivered", lateCredits),
  mutant("T7", "gives nothing back for a slot that was not used", () => ({
    session: () => ({ unreserve: () => undefined }),
  })),
  mutant("T8", "never asks again for the memory that it did not get", () => ({
    memory: () => ({ whenFree: () => undefined }),
  })),
  mutant("T8", "takes a receiver that does not reply for silent", () => ({
    events: ({ user, clock, transport, sessions }) => ({
      onRequests: (batch) => {
        user.onRequests(batch)
        const { silenceMsMax } = transport.supports
        clock.schedule(silenceMsMax, () => void sessions[0]?.close())
      },
    }),
  })),
  mutant("T17", "has no credit for control while io has none", () => ({
    session: (inner) => ({
      reserve: (lane) => {
        const isBlocked = lane === LANE_CONTROL && inner.freeCredits(LANE_IO) === 0
        return isBlocked ? NO_SLOT : inner.reserve(lane)
      },
    }),
  })),
  mutant("T17", "delivers nothing while a payload waits for memory", waitsAsAWhole),
]

export const holdingMutants: readonly TransportMutant[] = [...touching, ...leaking, ...crediting]

/** The simulated transport draws from the network's chance, never from its user's. */
const NO_RANDOM = { u32: () => 0, below: () => 0, unit: () => 0, fill: () => undefined }

function touchesLater(wanted: PayloadDirection): Defect {
  return {
    session: (inner, { memory, clock }) => ({
      submit: (...args) => {
        inner.submit(...args)
        const [, , , direction, lease, at] = args
        if (direction !== wanted || lease === NO_LEASE) return
        const look = (): void => {
          const isInFlight = inner.freeCredits(LANE_IO) < inner.limits.credits[LANE_IO]
          if (inner.isUp && isInFlight) clock.schedule(1, look)
          else scribble(memory, lease, at)
        }
        clock.schedule(1, look)
      },
    }),
  }
}

function leaksInFlight(): Defect {
  return {
    session: (inner, { memory }) => {
      const leases: Lease[] = []
      return {
        submit: (...args) => {
          inner.submit(...args)
          leases.push(args[4])
        },
        close: () => {
          for (const lease of leases) leak(memory, lease)
          return inner.close()
        },
      }
    },
    endpoint: (inner, { sessions }) => ({
      close: () => {
        for (const session of sessions) void session.close()
        return inner.close()
      },
    }),
  }
}

function losesCredits(): Defect {
  let completedCount = 0
  const lost = (): number => Math.floor(completedCount / 10)
  return {
    events: ({ user }) => ({
      onCompletions: (batch) => {
        completedCount += batch.count
        user.onCompletions(batch)
      },
    }),
    session: (inner) => ({
      freeCredits: (lane) => Math.max(0, inner.freeCredits(lane) - lost()),
      reserve: (lane) => (inner.freeCredits(lane) <= lost() ? NO_SLOT : inner.reserve(lane)),
    }),
  }
}

function lateCredits(): Defect {
  let isDelivering = false
  return {
    events: ({ user }) => ({
      onCompletions: (batch) => {
        isDelivering = true
        try {
          user.onCompletions(batch)
        } finally {
          isDelivering = false
        }
      },
    }),
    session: (inner): Partial<Session> => ({
      freeCredits: (lane) => (isDelivering ? 0 : inner.freeCredits(lane)),
      reserve: (lane) => (isDelivering ? NO_SLOT : inner.reserve(lane)),
    }),
  }
}

/** One queue for all lanes, which a payload without memory holds up. */
function waitsAsAWhole(): Defect {
  let isWaiting = false
  const held: (() => void)[] = []
  return {
    memory: (inner) => ({
      whenFree: (run) => {
        isWaiting = true
        inner.whenFree(() => {
          isWaiting = false
          for (const deliver of held.splice(0)) deliver()
          run()
        })
      },
    }),
    events: ({ user }) => ({
      onRequests: (batch) => {
        const kept = keptBatch(batch)
        if (isWaiting) held.push(() => user.onRequests(kept))
        else user.onRequests(batch)
      },
    }),
  }
}
