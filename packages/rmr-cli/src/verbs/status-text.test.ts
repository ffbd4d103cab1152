/** What people read of members that are out of the view (promise P11). */
import type { DaemonStatus, LegStatus } from "../control/status.js"
import { statusText } from "./status-text.js"

function textOf(returning: LegStatus["returning"]): string {
  const leg = { state: "reconnecting", sinceMs: 4000, why: "W.", next: "N.", help: "H." }
  const counts = { inFlight: 0, latencyMs: 1, dirtyChunks: 0 }
  const pool = {
    name: "vault",
    state: "open",
    why: null,
    view: null,
    sizeBytes: null,
    forks: [],
    lost: [],
    legs: [{ member: 3, address: "tcp://c:1", ...leg, ...counts, returning }],
  }
  const client = { nbd: { uris: [] }, pools: [pool] }
  const status = { name: "n", version: "1", pid: 1, residentBytes: 0, storage: null, client }
  return statusText(status as unknown as DaemonStatus)
}

describe("status", () => {
  it("P11: says of a member that was too slow what it was, and when it comes back", () => {
    const detail = "slow: 412 ms against 3 ms of its peers; back when it has been fast for 20 s"
    const text = textOf({ phase: "held back", detail, split: null })
    expect(text).toContain(`out of the view, held back: ${detail}\n`.trimEnd())
    expect(text).not.toContain("the last try")
  })

  it("P11: says of one that failed to return what its last try was", () => {
    const text = textOf({ phase: "waiting", detail: "too-small: it has no room", split: null })
    expect(text).toContain("on its way back: waiting; the last try: too-small: it has no room")
  })
})
