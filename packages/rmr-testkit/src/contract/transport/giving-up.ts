/**
 * T13: a dial can be given up at any stage, and nothing is left of it.
 */
import type { DialSignal, Session } from "@rmr/core"
import { RmrError } from "@rmr/core"
import { check, checkEqual, checkFails } from "../check.js"
import type { RigClause } from "./clause.js"
import type { Party } from "./party.js"
import type { TransportRig } from "./rig.js"

/**
 * After so much time a dial is given up: before it left, on its way, and when it may be through.
 */
const STAGES_MS = [0, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 4, 8] as const

/** A signal that knows who still listens to it. */
class Abort implements DialSignal {
  aborted = false
  readonly listeners = new Set<() => void>()

  addEventListener(_type: "abort", run: () => void): void {
    this.listeners.add(run)
  }

  removeEventListener(_type: "abort", run: () => void): void {
    this.listeners.delete(run)
  }

  abort(): void {
    this.aborted = true
    for (const run of [...this.listeners]) run()
  }
}

/** The session, where the dial was through before it was given up. */
async function outcomeOf(dial: Promise<Session>): Promise<Session | undefined> {
  try {
    return await dial
  } catch (thrown) {
    check(thrown instanceof RmrError && thrown.code === "closed", `closed, not ${String(thrown)}`)
    return undefined
  }
}

/** No timer on the side that dialed, and every session on the other side gone. */
async function nothingLeft(rig: TransportRig, client: Party, server: Party): Promise<void> {
  const { silenceMsMax } = server.process.transport.supports
  const isGone = (): boolean => server.downs.length === server.ups.length
  await rig.pass(20)
  await rig.until(isGone, "end of what the other side accepted", 2 * silenceMsMax)
  checkEqual(client.clock.pendingCount, 0, "timers of a party without session")
  checkEqual(client.memory.stats().leaseCount, 0, "leases of a party without session")
}

export const givingUpClauses: readonly RigClause[] = [
  {
    promise: "T13",
    title: "a dial that is given up at any stage fails with closed, or was through",
    run: async (rig) => {
      const server = rig.party("server")
      const client = rig.party("client")
      const listener = await rig.settled(server.listen(), "listener")
      let givenUpCount = 0
      for (const stageMs of STAGES_MS) {
        const signal = new Abort()
        const dial = client.dial(listener, { signal })
        const outcome = outcomeOf(dial)
        if (stageMs > 0) await rig.pass(stageMs)
        signal.abort()
        const session = await rig.settled(outcome, "end of a dial that was given up")
        if (session === undefined) givenUpCount++
        else await rig.settled(session.close(), "end of closing")
        checkEqual(signal.listeners.size, 0, "listeners left on the signal")
      }
      check(givenUpCount > 0, "a dial that is given up at once not to be through")
      await nothingLeft(rig, client, server)
    },
  },
  {
    promise: "T13",
    title: "a dial with a signal that has already fired fails with closed, at once",
    run: async (rig) => {
      const server = rig.party("server")
      const client = rig.party("client")
      const listener = await rig.settled(server.listen(), "listener")
      const signal = new Abort()
      signal.abort()
      await rig.settled(checkFails(client.dial(listener, { signal }), "closed", "dial"), "refusal")
      checkEqual(signal.listeners.size, 0, "listeners left on the signal")
      await nothingLeft(rig, client, server)
    },
  },
  {
    promise: "T13",
    title: "a signal that fires long after the dial was through changes nothing",
    run: async (rig) => {
      const server = rig.party("server")
      const client = rig.party("client")
      server.echo()
      const listener = await rig.settled(server.listen(), "listener")
      const signal = new Abort()
      const session = await rig.settled(client.dial(listener, { signal }), "session")
      checkEqual(signal.listeners.size, 0, "listeners left on the signal")
      signal.abort()
      await rig.done(client.write(session))
      check(session.isUp, "the session to be up")
    },
  },
  {
    promise: "T13",
    title: "a dial without answer is given up, and leaves no timer",
    run: async (rig) => {
      const client = rig.party("client")
      const signal = new Abort()
      const dial = client.dial(rig.harness.silentAddress(), { signal, deadlineMs: 60_000 })
      const outcome = checkFails(dial, "closed", "a dial that was given up")
      await rig.pass(5)
      signal.abort()
      await rig.settled(outcome, "end of the dial")
      checkEqual(client.clock.pendingCount, 0, "timers of a dial that was given up")
    },
  },
  {
    promise: "T13",
    title: "closing the endpoint gives its dials up",
    run: async (rig) => {
      const client = rig.party("client")
      const dial = client.dial(rig.harness.silentAddress(), { deadlineMs: 60_000 })
      const outcome = checkFails(dial, "closed", "a dial of a closed endpoint")
      await rig.pass(5)
      await rig.settled(client.endpoint.close(), "end of closing")
      await rig.settled(outcome, "end of the dial")
      checkEqual(client.clock.pendingCount, 0, "timers of a closed endpoint")
    },
  },
]
