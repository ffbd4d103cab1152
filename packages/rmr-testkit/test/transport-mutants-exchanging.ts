/**
 * Broken transports, by what they do with requests and replies: T3, T4, T5, T12, T16.
 */
import type { Batch, Lease } from "@rmr/core"
import {
  COMPLETION_HEADER_AT,
  COMPLETION_SESSION,
  COMPLETION_STATUS,
  COMPLETION_STRIDE,
  COMPLETION_TOKEN,
  NO_LEASE,
  REQUEST_LEASE,
  REQUEST_STRIDE,
  statusOf,
} from "@rmr/core"
import type { TransportMutant } from "./transport-mutant.js"
import { completions, mutant, requests, submits } from "./transport-mutant.js"
import type { Defect } from "./transport-wrap.js"
import { batchOf, keptBatch, rowsOf } from "./transport-wrap.js"

const LINK_LOST = statusOf("link-lost")

function losesOneInThirty(): Defect {
  let nth = 0
  return completions((rows) => rows.filter(() => ++nth % 30 !== 0))()
}

/** Head-of-line blocking: a request waits until the one before it was answered. */
function oneAtATime(): Defect {
  const waiting: (() => void)[] = []
  let isIdle = true
  const next = (): void => {
    const deliver = waiting.shift()
    isIdle = deliver === undefined
    deliver?.()
  }
  return {
    events: ({ user }) => ({
      onRequests: (batch) => {
        const { headers } = keptBatch(batch)
        for (const row of rowsOf(batch, REQUEST_STRIDE)) {
          waiting.push(() => user.onRequests(batchOf([row], headers)))
        }
        if (isIdle) next()
      },
    }),
    session: (inner, { clock }) => ({
      reply: (...args) => {
        inner.reply(...args)
        clock.schedule(0, next)
      },
    }),
  }
}

/** What has arrived waits for half a millisecond, or for the user to call flush. */
function deliversInFlush(): Defect {
  let arrived: Batch[] = []
  return {
    events: ({ user, clock }) => ({
      onCompletions: (batch) => {
        const kept = keptBatch(batch)
        arrived.push(kept)
        clock.schedule(0.5, () => {
          if (!arrived.includes(kept)) return
          arrived = arrived.filter((other) => other !== kept)
          user.onCompletions(kept)
        })
      },
    }),
    endpoint: (inner, { user }) => ({
      flush: () => {
        inner.flush()
        for (const batch of arrived.splice(0)) user.onCompletions(batch)
      },
    }),
  }
}

function swapped(rows: number[][], column: number): number[][] {
  const [first, second] = rows
  if (first === undefined || second === undefined) return rows
  const a = first.with(column, second[column]!)
  const b = second.with(column, first[column]!)
  return [a, b, ...rows.slice(2)]
}

const completing: readonly TransportMutant[] = [
  mutant(
    "T3",
    "completes a request twice",
    completions((rows) => [...rows, rows[0]!]),
  ),
  mutant("T3", "loses one completion in thirty", losesOneInThirty),
  mutant(
    "T3",
    "forgets requests whose link was lost",
    completions((rows) => rows.filter((row) => row[COMPLETION_STATUS] !== LINK_LOST)),
  ),
  mutant(
    "T3",
    "delivers a write twice",
    requests((rows, { memory }) => {
      const again = rows.filter((row) => row[REQUEST_LEASE] !== NO_LEASE).slice(0, 1)
      for (const row of again) memory.retain(row[REQUEST_LEASE]! as Lease)
      return [...rows, ...again]
    }),
  ),
  mutant(
    "T3",
    "hands back a token of its own",
    completions((rows) =>
      rows.map((row) => row.with(COMPLETION_TOKEN, Math.abs(row[COMPLETION_TOKEN]!))),
    ),
  ),
  mutant("T4", "delivers a request only when the one before it was answered", oneAtATime),
  mutant(
    "T12",
    "swaps two replies that arrive together",
    completions((rows) => swapped(rows, COMPLETION_HEADER_AT)),
  ),
  mutant(
    "T12",
    "gives a completion to another session with the same token",
    completions((rows, { sessions }) => {
      const ids = sessions.filter((session) => session.isUp).map(({ id }) => id as number)
      return rows.map((row) => {
        const id = row[COMPLETION_SESSION]!
        return row.with(COMPLETION_SESSION, ids[(ids.indexOf(id) + 1) % ids.length] ?? id)
      })
    }),
  ),
]

const batching: readonly TransportMutant[] = [
  mutant("T16", "makes one call for each message", () => ({
    events: ({ user }) => ({
      onRequests: (batch) => {
        for (const row of rowsOf(batch, REQUEST_STRIDE)) {
          user.onRequests(batchOf([row], batch.headers))
        }
      },
      onCompletions: (batch) => {
        for (const row of rowsOf(batch, COMPLETION_STRIDE)) {
          user.onCompletions(batchOf([row], batch.headers))
        }
      },
    }),
  })),
  mutant("T16", "delivers one request a turn, and the rest later", () => ({
    events: ({ user, clock }) => ({
      onRequests: (batch) => {
        const { headers } = keptBatch(batch)
        for (const [nth, row] of rowsOf(batch, REQUEST_STRIDE).entries()) {
          clock.schedule(nth * 0.01, () => user.onRequests(batchOf([row], headers)))
        }
      },
    }),
  })),
  mutant("T16", "delivers what has arrived inside the user's call of flush", deliversInFlush),
  mutant("T16", "delivers tables with nothing in them", () => ({
    events: ({ user }) => ({
      onCompletions: (batch) => {
        user.onCompletions(batch)
        user.onCompletions(batchOf([], batch.headers))
      },
    }),
  })),
]

const sizing: readonly TransportMutant[] = [
  mutant(
    "T5",
    "accepts a header that is one byte too long, and cuts it",
    submits((_inside, inner, slot, headerBytes, ...rest) => {
      inner.submit(slot, Math.min(headerBytes, inner.limits.headerBytesMax), ...rest)
    }),
  ),
  mutant(
    "T5",
    "cuts the last byte of a long header",
    submits((_inside, inner, slot, headerBytes, ...rest) => {
      inner.submit(slot, headerBytes > 64 ? headerBytes - 1 : headerBytes, ...rest)
    }),
  ),
  mutant(
    "T5",
    "accepts a payload that is one byte too long, and cuts it",
    submits((_inside, inner, slot, headerBytes, token, direction, lease, at, bytes) => {
      const cut = Math.min(bytes, inner.limits.payloadBytesMax)
      inner.submit(slot, headerBytes, token, direction, lease, at, cut)
    }),
  ),
  mutant(
    "T5",
    "loses the last byte of a payload that fills pages",
    submits((_inside, inner, slot, headerBytes, token, direction, lease, at, bytes) => {
      const cut = bytes > 0 && bytes % 4096 === 0 ? bytes - 1 : bytes
      inner.submit(slot, headerBytes, token, direction, lease, at, cut)
    }),
  ),
  mutant("T5", "cuts a reply to the room instead of refusing it", () => ({
    session: (inner) => ({
      reply: (slot, headerBytes, ticket, lease, at, bytes) => {
        inner.reply(slot, headerBytes, ticket, lease, at, bytes === 101 ? 100 : bytes)
      },
    }),
  })),
]

export const exchangingMutants: readonly TransportMutant[] = [...completing, ...batching, ...sizing]
