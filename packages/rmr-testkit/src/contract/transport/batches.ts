/**
 * T16: what arrived in a turn comes as one call, and never in the middle of somebody else's.
 */

import { check, checkEqual } from "../check.js"
import type { RigClause } from "./clause.js"
import { LANES } from "./content.js"
import type { Party } from "./party.js"
import type { CallKind } from "./records.js"

/** Bursts that may be tried until one of them arrives in company. */
const BURSTS_MAX = 20
const BURST: readonly [number, number, number] = [64, 8, 8]

function checkOncePerTurn(party: Party): void {
  const seen = new Set<string>()
  for (const { kind, turn } of party.calls) {
    const key = `${kind} of turn ${turn}`
    check(!seen.has(key), `one call with ${key}, not two`)
    seen.add(key)
  }
}

function largestCall(party: Party, kind: CallKind): number {
  return Math.max(0, ...party.calls.filter((call) => call.kind === kind).map(({ count }) => count))
}

export const batchClauses: readonly RigClause[] = [
  {
    promise: "T16",
    title: "requests that leave together arrive in company, and so do their replies",
    run: async (rig) => {
      const pair = await rig.pair({ credits: BURST, creditsMax: BURST })
      const { client, server, dialed } = pair
      const isShown = (): boolean =>
        largestCall(server, "requests") > 1 && largestCall(client, "completions") > 1
      for (let burst = 0; burst < BURSTS_MAX && !isShown(); burst++) {
        for (const lane of LANES) while (client.write(dialed, { lane, bytes: 8 }) !== undefined);
        await rig.until(() => server.unanswered.length === client.unfinishedCount, "requests")
        for (const request of server.unanswered) server.answer(request)
        await rig.allDone(client)
      }
      check(largestCall(server, "requests") > 1, "a call with more than one request")
      check(largestCall(client, "completions") > 1, "a call with more than one completion")
    },
  },
  {
    promise: "T16",
    title: "no turn has two calls of a kind, over several sessions and all lanes",
    run: async (rig) => {
      const { client, server, listener, dialed } = await rig.pair()
      const { dialed: second } = await rig.connect(client, server, listener)
      server.echo()
      for (let round = 0; round < 20; round++) {
        for (const session of [dialed, second]) {
          for (const lane of LANES) while (client.write(session, { lane }) !== undefined);
        }
        await rig.allDone(client)
      }
      checkOncePerTurn(client)
      checkOncePerTurn(server)
    },
  },
  {
    promise: "T16",
    title: "no call has an empty table, and none comes inside a call of the user",
    run: async (rig) => {
      const { client, server, dialed } = await rig.pair()
      server.echo()
      for (let round = 0; round < 10; round++) {
        for (const lane of LANES) while (client.write(dialed, { lane }) !== undefined);
        // Calls at every moment, also when something has just arrived and nobody was told yet.
        while (client.unfinishedCount > 0) {
          for (const party of [client, server]) party.inside(() => party.endpoint.flush())
          await rig.pass(0.2)
        }
      }
      client.write(dialed)
      await rig.settled(
        client.inside(() => dialed.close()),
        "end of closing",
      )
      for (const party of [client, server]) {
        checkEqual(party.insideCallCount, 0, `deliveries inside a call of ${party.name}`)
        check(
          party.calls.every(({ count }) => count > 0),
          "no call with nothing",
        )
      }
    },
  },
]
