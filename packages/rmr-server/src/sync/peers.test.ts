import type { LinkRegistry } from "@rmr/client"
import {
  buddyMemory,
  ChunkGeometry,
  crc32c,
  type Env,
  groupIdOfName,
  type MemberEntry,
  memberId,
  NO_LEASE,
  NO_VIEW,
  RmrError,
  statusOf,
  ZERO_UUID,
} from "@rmr/core"
import { type RecordingLog, recordingLog } from "@rmr/testkit"
import { Peers } from "./peers.js"

const VIEW = { lineage: ZERO_UUID, epoch: 1, version: 1 }

/** Links as the test says: each is refused with this, or serves where it is undefined. */
class Links {
  readonly problems = new Map<string, RmrError>()
  private readonly sessions = new Map<string, object>()

  addOwner(): number {
    return 0
  }

  link(address: string) {
    const problem = this.problems.get(address)
    const isUp = problem?.code !== "unreachable"
    if (!isUp) this.sessions.delete(address)
    const session = isUp ? this.sessionOf(address) : undefined
    return {
      session,
      connect: async () => {
        if (!isUp) throw problem
      },
      ask: async () => {
        if (problem !== undefined) throw problem
        return { outcome: "ok", payload: [] }
      },
    }
  }

  private sessionOf(address: string): object {
    const session = this.sessions.get(address) ?? { isUp: false }
    this.sessions.set(address, session)
    return session
  }
}

let log: RecordingLog
let links: Links
let peers: Peers

beforeEach(() => {
  log = recordingLog({ nowMs: () => 0 })
  links = new Links()
  peers = new Peers({
    env: { log } as Partial<Env> as Env,
    memory: buddyMemory({ arenas: [1 << 16], leaseCountMax: 4 }),
    registry: links as unknown as LinkRegistry,
    poolName: "vault",
    groupId: groupIdOfName("vault"),
    memberId: memberId(1),
    nonce: ZERO_UUID,
    checksum: crc32c,
    geometry: new ChunkGeometry({ chunkSizeBytes: 1 << 16, mappedSizeBytes: 1 << 20 }),
  })
})

describe("a peer that cannot be reached", () => {
  it("is told once, with the reason, however often and for whatever it is asked", async () => {
    links.problems.set("tcp://two", new RmrError("unreachable", "nobody listens there"))
    await readsOf(peerAt(2, "tcp://two"), 3)
    await expect(peers.readLastIo(peerAt(2, "tcp://two"), VIEW)).rejects.toThrow("nobody")
    expect(said()).toEqual([
      [
        "warn",
        "server-pool.peer-unreachable",
        {
          pool: "vault",
          member: 2,
          address: "tcp://two",
          code: "unreachable",
          detail: "nobody listens there",
        },
      ],
    ])
  })

  it("is told for each peer by itself", async () => {
    for (const at of ["tcp://two", "tcp://three"]) {
      links.problems.set(at, new RmrError("unreachable", "nobody listens there"))
    }
    for (let round = 0; round < 2; round++) {
      await readsOf(peerAt(2, "tcp://two"), 1)
      await readsOf(peerAt(3, "tcp://three"), 1)
    }
    expect(said().map(([, , fields]) => fields["member"])).toEqual([2, 3])
  })

  it("is told again where the reason is another one: it answers and refuses", async () => {
    links.problems.set("tcp://two", new RmrError("unreachable", "nobody listens there"))
    await readsOf(peerAt(2, "tcp://two"), 2)
    links.problems.set("tcp://two", new RmrError("not-found", "no such pool here"))
    await readsOf(peerAt(2, "tcp://two"), 2)
    expect(said().map(([, , fields]) => fields["code"])).toEqual(["unreachable", "not-found"])
  })

  it("is told when it can be reached, and again when it cannot", async () => {
    const peer = peerAt(2, "tcp://two")
    links.problems.set("tcp://two", new RmrError("unreachable", "nobody listens there"))
    await readsOf(peer, 2)
    links.problems.clear()
    await peers.readLastIo(peer, VIEW)
    await peers.readLastIo(peer, VIEW)
    links.problems.set("tcp://two", new RmrError("unreachable", "nobody listens there"))
    await readsOf(peer, 2)
    expect(said().map(([level, event]) => [level, event])).toEqual([
      ["warn", "server-pool.peer-unreachable"],
      ["info", "server-pool.peer-reached"],
      ["warn", "server-pool.peer-unreachable"],
    ])
    expect(said()[1]?.[2]).toEqual({ pool: "vault", member: 2, address: "tcp://two" })
  })
})

describe("a peer that can be reached", () => {
  it("is no news", async () => {
    await peers.readLastIo(peerAt(2, "tcp://two"), VIEW)
    expect(said()).toEqual([])
  })
})

async function readsOf(peer: MemberEntry, count: number): Promise<void> {
  for (let nth = 0; nth < count; nth++) {
    const { status } = await peers.read(peer, VIEW, 0, NO_LEASE, 0, 4096)
    expect(status).toBe(statusOf(links.problems.get(peer.address)?.code ?? "link-lost"))
  }
}

function said(): [string, string, Readonly<Record<string, unknown>>][] {
  return log.records.map(({ level, event, fields }) => [level, event, fields])
}

function peerAt(id: number, address: string): MemberEntry {
  return {
    memberId: memberId(id),
    storeUuid: ZERO_UUID,
    address,
    role: "data",
    normalThrough: NO_VIEW,
    reported: NO_VIEW,
    incarnation: 0,
  }
}
