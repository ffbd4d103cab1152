/** What people read of members that are out of the view (promise P11). */
import type { DaemonStatus, LegStatus, StoragePoolStatus } from "../control/status.js"
import { statusText } from "./status-text.js"

const DAEMON = {
  ...{ name: "n", version: "1", pid: 1, residentBytes: 0, storage: null, client: null },
  native: { isLoaded: true, reason: "/rmr-io.node", checksum: "sse4.2" },
}

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
  return statusText({ ...DAEMON, client } as unknown as DaemonStatus)
}

function storageText(pace: Partial<StoragePoolStatus>): string {
  const pool = {
    ...{ name: "vault", member: 2, state: "normal", view: "3.4", dirtyChunks: 100 },
    ...{ chunkCount: 8192, chunksPerSecond: 200, syncLeftMs: 500, isSyncStopped: false },
    ...{ store: "/srv/vault", sizeBytes: 2 ** 30, scrub: null, failure: null },
    ...{ deletedIn: null, ...pace },
  }
  const storage = { listen: [], pools: [pool] }
  return statusText({ ...DAEMON, storage } as unknown as DaemonStatus)
}

describe("status", () => {
  it("P11: says that a daemon runs without native code, and why; else nothing of it", () => {
    const native = { isLoaded: false, reason: "RMR_NATIVE=off", checksum: "javascript" }
    expect(statusText({ ...DAEMON, native })).toContain("\n  in plain Node, slower: RMR_NATIVE=off")
    expect(statusText(DAEMON)).not.toContain("Node")
  })

  it("says among how many threads pools are shared out; nothing of one", () => {
    const role = (loops: number): object => ({ loops, listen: [], nbd: { uris: [] }, pools: [] })
    const both = { ...DAEMON, storage: role(4), client: role(1) } as unknown as DaemonStatus
    expect(statusText(both)).toContain("\n  storage pools are shared out among 4 threads")
    expect(statusText(both)).not.toContain("client pools")
  })

  it("P11: says that copies go easy on foreground IO, at what rate, and what they cost it", () => {
    const pace = { isSyncPaced: true, syncBytesPerSecondMax: 24 * 2 ** 20 }
    const text = storageText({ ...pace, foregroundSlowdown: 1.3 })
    expect(text).toContain("copies go easy on foreground IO: at most 24 MiB a second")
    expect(text).toContain("requests take 1.3 times what they take in a pause")
    expect(storageText({ ...pace, foregroundSlowdown: null })).toContain("is not known yet")
  })

  it("P11: says nothing of a pace where nothing is copied, or nobody is to be spared", () => {
    const pace = { syncBytesPerSecondMax: 0, foregroundSlowdown: null }
    expect(storageText({ ...pace, isSyncPaced: false })).not.toContain("go easy")
    expect(storageText({ ...pace, isSyncPaced: true, dirtyChunks: 0 })).not.toContain("go easy")
  })

  it("P11: G4: says of a store that was deleted how its place is freed, and no more", () => {
    const text = storageText({ state: "no-io", deletedIn: "3.9", next: "It waits for a client." })
    expect(text).toContain("its pool goes on without this store since view 3.9")
    expect(text).toContain('"rmr store delete /srv/vault --yes"')
    expect(text).not.toContain("waits for a client")
  })

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
