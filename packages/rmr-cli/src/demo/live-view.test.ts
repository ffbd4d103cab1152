import type { ClientStatus, DaemonStatus, LegStatus, StoragePoolStatus } from "../control/status.js"
import { type DaemonLook, frameOf, type PoolLook } from "./live-view.js"

const SHOWN = { sinceMs: 0, why: "", next: "", help: "" }
const MEMORY = { arenaBytes: 2 ** 26, leasedBytes: 0, leaseCount: 0 }
const DAEMON = {
  ...{ name: "", version: "1", pid: 1, residentBytes: 0, storage: null, client: null },
  native: { isLoaded: true, reason: "", checksum: "sse4.2" },
}

describe("a frame of the view", () => {
  it("shows a pool with a node that copies and one that is down", () => {
    const looks = [storage(1, "normal", 0), storage(2, "normal", 64), storage(3)]
    const legs = [leg(1, "normal", 0.25), leg(2, "normal", 12), leg(3, "failed", 0)]
    const before = look(looks, legs, { requestCount: 100, writtenBytes: 0 }, 1000)
    const now = look(looks, legs, { requestCount: 300, writtenBytes: 1 << 20 }, 1500)
    expect(frameOf(now, before)).toEqual({
      screen: `pool vault: open, view 3.7
400 IOPS, read 0 bytes/s, written 2 MiB/s, 1 clients, 2 open requests, 0 errors

  storage-1    normal    normal          0.25 ms  [########################] 0 dirty
  storage-2    normal    normal         12.00 ms  [############............] 64 dirty
  storage-3    down      failed          0.00 ms`,
      line:
        "pool vault: open, view 3.7: storage-1 normal/normal, " +
        "storage-2 normal/normal (syncing), storage-3 down/failed",
    })
  })

  it("divides by the time that passed, and not by the time that should have", () => {
    const before = look([], [], { requestCount: 0, readBytes: 0 }, 0)
    const now = look([], [], { requestCount: 5000, readBytes: 10 << 20 }, 5000)
    expect(frameOf(now, before).screen).toContain("\n1000 IOPS, read 2 MiB/s, written 0 bytes/s, ")
  })

  it("says of a process that is there and silent that it does not answer", () => {
    const stuck = { name: "storage-1", isRunning: true, status: undefined }
    const { screen, line } = frameOf(look([stuck], [leg(1, "reconnecting", 0)], {}, 0), undefined)
    expect(line).toBe("pool vault: open, view 3.7: storage-1 no answer/reconnecting")
    expect(screen).toContain("\n  storage-1    no answer reconnecting    0.00 ms")
  })

  it("finds a leg by its member, also where another one is not there", () => {
    const looks = [storage(1, "created", 0), storage(2, "normal", 0)]
    const { line } = frameOf(look(looks, [leg(2, "normal", 0)], {}, 0), undefined)
    expect(line).toBe("pool vault: open, view 3.7: storage-1 created/none, storage-2 normal/normal")
  })

  it("without a client shows what the nodes say", () => {
    const client = { name: "client", isRunning: true, status: undefined }
    expect(frameOf({ storage: [storage(1, "normal", 0)], client, atMs: 0 }, undefined)).toEqual({
      screen: `the client: no answer
no traffic yet

  storage-1    normal    none                     [########################] 0 dirty`,
      line: "the client: no answer: storage-1 normal/none",
    })
  })
})

function look(
  nodes: readonly DaemonLook[],
  legs: readonly LegStatus[],
  counts: Partial<ClientStatus["nbd"]>,
  atMs: number,
): PoolLook {
  const nbd = {
    uris: [],
    clientCount: 1,
    requestCount: 0,
    errorCount: 0,
    openRequestCount: 2,
    readBytes: 0,
    writtenBytes: 0,
    ...counts,
  }
  const pool = {
    name: "vault",
    state: "open",
    why: null,
    device: null,
    view: "3.7",
    lineage: null,
    forks: [],
    lost: [],
    sizeBytes: null,
    isFlushable: true,
    legs,
  }
  const status = {
    ...DAEMON,
    client: { memory: MEMORY, loops: 1, nbd, pools: [pool] },
  } as DaemonStatus
  return { storage: nodes, client: { name: "client", isRunning: true, status }, atMs }
}

/** One that is down where it has no state. */
function storage(id: number, state?: string, dirtyChunks = 0): DaemonLook {
  const name = `storage-${id}`
  if (state === undefined) return { name, isRunning: false, status: undefined }
  const pool = { ...SHOWN, state, dirtyChunks, chunkCount: 128 } as Partial<StoragePoolStatus>
  const pools = [pool as StoragePoolStatus]
  return {
    name,
    isRunning: true,
    status: { ...DAEMON, storage: { memory: MEMORY, loops: 1, listen: [], pools } },
  }
}

function leg(member: number, state: string, latencyMs: number): LegStatus {
  const counts = { inFlight: 0, dirtyChunks: 0 }
  return { ...SHOWN, member, state, latencyMs, address: "", ...counts, returning: null }
}
