/**
 * Broken transports, by how their sessions end: T9, T10, T18.
 */
import { COMPLETION_STATUS, COMPLETION_STRIDE, RmrError, STATUS_OK, statusOf } from "@rmr/core"
import type { TransportMutant } from "./transport-mutant.js"
import { completions, leak, mutant } from "./transport-mutant.js"
import type { Defect } from "./transport-wrap.js"
import { batchOf, keptBatch, rowsOf } from "./transport-wrap.js"

const LINK_LOST = statusOf("link-lost")
const CLOSED = statusOf("closed")

/** What the end of a session completes comes a little after the end. */
function endsFirst(): Defect {
  return {
    events: ({ user, clock }) => ({
      onCompletions: (batch) => {
        const rows = rowsOf(batch, COMPLETION_STRIDE)
        const ended = rows.filter((row) => row[COMPLETION_STATUS] !== STATUS_OK)
        const answered = rows.filter((row) => row[COMPLETION_STATUS] === STATUS_OK)
        const { headers } = keptBatch(batch)
        if (answered.length > 0) user.onCompletions(batchOf(answered, batch.headers))
        if (ended.length > 0) clock.schedule(1, () => user.onCompletions(batchOf(ended, headers)))
      },
    }),
  }
}

const closing: readonly TransportMutant[] = [
  mutant(
    "T9",
    "forgets what is in flight at close",
    completions((rows) => rows.filter((row) => row[COMPLETION_STATUS] !== CLOSED)),
  ),
  mutant(
    "T9",
    "says link-lost to who closed by himself",
    completions((rows) =>
      rows.map((row) =>
        row[COMPLETION_STATUS] === CLOSED ? row.with(COMPLETION_STATUS, LINK_LOST) : row,
      ),
    ),
  ),
  mutant("T9", "does not report the end to who closed", () => ({
    events: ({ user }) => ({
      onSessionDown: (session, cause) => {
        if (cause.code !== "closed") user.onSessionDown(session, cause)
      },
    }),
  })),
  mutant("T9", "fails to close what is closed", () => ({
    session: (inner) => ({
      close: () =>
        inner.isUp ? inner.close() : Promise.reject(new RmrError("closed", "it is closed")),
    }),
  })),
  mutant("T9", "keeps the peer in the dark about a close", () => ({
    events: ({ user }) => ({
      onSessionDown: (session, cause) => {
        if (cause.code !== "link-lost") user.onSessionDown(session, cause)
      },
    }),
  })),
]

const losing: readonly TransportMutant[] = [
  mutant("T10", "reports the end twice", () => ({
    events: ({ user }) => ({
      onSessionDown: (session, cause) => {
        user.onSessionDown(session, cause)
        if (cause.code === "link-lost") user.onSessionDown(session, cause)
      },
    }),
  })),
  mutant("T10", "reports a lost link as if this side had closed", () => ({
    events: ({ user }) => ({
      onSessionDown: (session, { detail }) => {
        user.onSessionDown(session, new RmrError("closed", detail))
      },
    }),
  })),
  mutant("T10", "never reports a lost link", () => ({
    events: ({ user }) => ({
      onSessionDown: (session, cause) => {
        if (cause.code !== "link-lost") user.onSessionDown(session, cause)
      },
    }),
  })),
  mutant("T10", "reports the end before the completions that it causes", endsFirst),
  mutant("T10", "ends a session that has been idle for long", () => ({
    events: ({ user, clock, transport }) => ({
      onSessionUp: (session) => {
        user.onSessionUp(session)
        clock.schedule(3 * transport.supports.silenceMsMax, () => void session.close())
      },
    }),
  })),
]

const replyingLate: readonly TransportMutant[] = [
  mutant("T18", "fails on a reply to a session that is down", () => ({
    session: (inner) => ({
      reply: (...args) => {
        if (!inner.isUp) throw new RmrError("link-lost", "the session is down")
        inner.reply(...args)
      },
    }),
  })),
  mutant("T18", "keeps the lease of a reply that it drops", () => ({
    session: (inner, { memory }) => ({
      reply: (...args) => {
        inner.reply(...args)
        if (!inner.isUp) leak(memory, args[3])
      },
    }),
  })),
  mutant("T18", "gives a slot for a reply to a session that is down", () => ({
    session: (inner) => ({
      reserveReply: (ticket) => (inner.isUp ? inner.reserveReply(ticket) : 0),
      reply: (...args) => {
        if (inner.isUp) inner.reply(...args)
      },
    }),
  })),
]

export const endingMutants: readonly TransportMutant[] = [...closing, ...losing, ...replyingLate]
