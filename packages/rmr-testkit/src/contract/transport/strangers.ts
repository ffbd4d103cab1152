/**
 * T19: whoever calls and does not speak this protocol harms nobody (P8).
 */
import { check, checkEqual } from "../check.js"
import type { RigClause } from "./clause.js"
import { patterned } from "./content.js"

const CALLS: readonly Uint8Array[] = [
  new Uint8Array(0),
  new Uint8Array(1),
  new Uint8Array(4096),
  new Uint8Array(4096).fill(0xff),
  patterned(1, 16),
  patterned(2, 100_000),
  Uint8Array.from("GET / HTTP/1.1\r\nHost: here\r\n\r\n", (char) => char.charCodeAt(0)),
]

export const strangerClauses: readonly RigClause[] = [
  {
    promise: "T19",
    title: "bytes of strangers reach no handler, and sessions and listeners go on",
    needs: ["callAsStranger"],
    run: async (rig) => {
      const { client, server, listener, dialed } = await rig.pair()
      server.echo()
      for (const bytes of CALLS) {
        const during = client.write(dialed)!
        await rig.power("callAsStranger")(listener, bytes)
        await rig.done(during)
        rig.checkEchoed(during, `a request beside a stranger's ${bytes.length} bytes`)
        const fresh = await rig.connect(client, server, listener)
        const sent = client.write(fresh.dialed)!
        await rig.done(sent)
        rig.checkEchoed(sent, `a request after a stranger's ${bytes.length} bytes`)
        await rig.settled(fresh.dialed.close(), "end of closing")
      }
      check(dialed.isUp, "the session that was there to be up")
      const dialedCount = 1 + CALLS.length
      checkEqual(server.ups.length, dialedCount, "sessions that were accepted")
      checkEqual(server.requests.length, 2 * CALLS.length, "requests that were delivered")
    },
  },
]
