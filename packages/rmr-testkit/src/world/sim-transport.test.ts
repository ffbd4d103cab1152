import type { Batch, Lease, Memory, RmrError, Session } from "@rmr/core"
import {
  buddyMemory,
  COMPLETION_HEADER_AT,
  COMPLETION_STATUS,
  COMPLETION_STRIDE,
  COMPLETION_TOKEN,
  LANE_IO,
  leaseBytes,
  NO_LEASE,
  PAYLOAD_BACK,
  PAYLOAD_OUT,
  REQUEST_HEADER_AT,
  REQUEST_LEASE,
  REQUEST_PAYLOAD_BYTES,
  REQUEST_SESSION,
  REQUEST_STRIDE,
  REQUEST_TICKET,
  statusOf,
} from "@rmr/core"
import { nodeWorld } from "../node/index.js"
import type { Seed } from "./seeded-random.js"
import type { SimNetwork } from "./sim-network.js"
import { simNetwork } from "./sim-network.js"
import type { LinkOptions } from "./sim-network-link.js"
import { CALM_LINK } from "./sim-network-link.js"
import type { SimTransportOptions } from "./sim-transport.js"
import { severSession, simTransport } from "./sim-transport.js"
import type { World } from "./world.js"

const SILENCE_MS = 1000
const LINK_LOST = statusOf("link-lost")
const POISON = 0xdb

interface Arrived {
  readonly session: Session
  readonly ticket: number
  readonly mark: number
  readonly payload: number[]
}

/** One life of a host: what it was told, in short. */
class Node {
  readonly memory: Memory = buddyMemory({ arenas: [1 << 20], leaseCountMax: 64, poison: true })
  readonly requests: Arrived[] = []
  readonly completions: { token: number; status: number; mark: number }[] = []
  readonly ups: Session[] = []
  readonly downs: { session: Session; cause: RmrError; atMs: number }[] = []
  readonly endpoint
  onRequest: ((arrived: Arrived) => void) | undefined
  lastBatch: Batch | undefined
  private readonly world: World
  private readonly sessionsById = new Map<number, Session>()

  constructor(
    world: World,
    network: SimNetwork,
    name: string,
    options: Partial<SimTransportOptions>,
  ) {
    this.world = world
    const host = world.host(name)
    const transport = simTransport({ network, host, silenceMsMax: SILENCE_MS, ...options })
    this.endpoint = transport.open({
      env: host.env,
      memory: this.memory,
      events: this,
      hostName: name,
    })
  }

  /** A request whose header is one byte. */
  submit(session: Session, mark: number, bytes = 0, direction: 0 | 1 = PAYLOAD_OUT): Lease {
    const slot = session.reserve(LANE_IO)
    session.slots.setUint8(slot, mark)
    const lease = bytes === 0 ? NO_LEASE : this.memory.lease(bytes)
    if (lease !== NO_LEASE) leaseBytes(this.memory, lease, 0, bytes).fill(mark)
    session.submit(slot, 1, mark, direction, lease, 0, bytes)
    return lease
  }

  reply({ session, ticket, mark }: Arrived): void {
    const slot = session.reserveReply(ticket)
    if (slot < 0) return
    session.slots.setUint8(slot, mark)
    session.reply(slot, 1, ticket, NO_LEASE, 0, 0)
  }

  marks(): number[] {
    return this.requests.map(({ mark }) => mark)
  }

  onSessionUp(session: Session): void {
    this.ups.push(session)
    this.sessionsById.set(session.id, session)
  }

  onSessionDown(session: Session, cause: RmrError): void {
    this.downs.push({ session, cause, atMs: this.world.nowMs })
  }

  onCompletions(batch: Batch): void {
    this.lastBatch = batch
    const { count, words, headers } = batch
    for (let at = 0; at < count * COMPLETION_STRIDE; at += COMPLETION_STRIDE) {
      const status = words[at + COMPLETION_STATUS]!
      const mark = status === 0 ? headers.getUint8(words[at + COMPLETION_HEADER_AT]!) : -1
      this.completions.push({ token: words[at + COMPLETION_TOKEN]!, status, mark })
    }
  }

  onRequests(batch: Batch): void {
    this.lastBatch = batch
    const { count, words, headers } = batch
    for (let at = 0; at < count * REQUEST_STRIDE; at += REQUEST_STRIDE) {
      const lease = words[at + REQUEST_LEASE]! as Lease
      const bytes = lease === NO_LEASE ? 0 : words[at + REQUEST_PAYLOAD_BYTES]!
      const payload = bytes === 0 ? [] : [...leaseBytes(this.memory, lease, 0, bytes)]
      if (lease !== NO_LEASE) this.memory.release(lease)
      const mark = headers.getUint8(words[at + REQUEST_HEADER_AT]!)
      const session = this.sessionsById.get(words[at + REQUEST_SESSION]!)!
      const arrived = { session, ticket: words[at + REQUEST_TICKET]!, mark, payload }
      this.requests.push(arrived)
      this.onRequest?.(arrived)
    }
  }
}

class Stage {
  readonly world: World
  readonly network: SimNetwork
  private readonly options: Partial<SimTransportOptions>

  constructor(
    links: Partial<LinkOptions> = CALM_LINK,
    options: Partial<SimTransportOptions> = {},
    seed: Seed = 1,
  ) {
    this.world = nodeWorld({ seed })
    this.network = simNetwork({ world: this.world, links })
    this.options = options
  }

  node(name: string): Node {
    return new Node(this.world, this.network, name, this.options)
  }

  async server(): Promise<Node> {
    const server = this.node("server")
    const listening = server.endpoint.listen("sim:server:1", { creditsMax: [32, 32, 32] })
    await this.world.settled(listening, "listener")
    return server
  }

  async dial(client: Node): Promise<Session> {
    const options = { deadlineMs: 500, credits: [32, 1, 1] as const }
    return this.world.settled(client.endpoint.dial("sim:server:1", options), "session", 600)
  }

  async pair(): Promise<{ client: Node; server: Node; dialed: Session; accepted: Session }> {
    const server = await this.server()
    const client = this.node("client")
    const dialed = await this.dial(client)
    await this.world.runUntil(() => server.ups.length === 1, "accepted session", 100)
    return { client, server, dialed, accepted: server.ups[0]! }
  }
}

describe("SimTransport: zombies", () => {
  it("runs an old life's request after the new life's, though its sender is dead", async () => {
    const stage = new Stage({ ...CALM_LINK, resetChance: 0, overtakeChance: 1 })
    const { world, network } = stage
    const { client, dialed, server } = await stage.pair()
    network.delayNext("client", "server", 0.5 * SILENCE_MS)
    client.submit(dialed, 1, 100)
    await world.runFor(1)
    network.crash("client", "machine")
    world.host("client").restart()
    const reborn = stage.node("client")
    reborn.submit(await stage.dial(reborn), 2)
    await world.runUntil(() => server.requests.length === 2, "both requests", SILENCE_MS)
    expect(server.marks()).toEqual([2, 1])
    expect(server.requests[1]!.payload).toEqual(Array(100).fill(1))
  })

  it("executes a request although its dialer saw link-lost and has its memory back", async () => {
    const stage = new Stage({ ...CALM_LINK, resetChance: 0 })
    const { world, network } = stage
    const { client, server, dialed } = await stage.pair()
    network.clog("client", "server")
    const lease = client.submit(dialed, 7, 64)
    client.memory.release(lease)
    await world.runFor(1)
    network.cutOneWay("server", "client")
    await world.runUntil(() => client.downs.length === 1, "the client to notice", 2 * SILENCE_MS)
    expect(client.completions).toEqual([{ token: 7, status: LINK_LOST, mark: -1 }])
    expect(client.memory.stats().leaseCount).toBe(0)
    expect(server.requests).toEqual([])
    network.heal()
    await world.runUntil(() => server.requests.length === 1, "the late request", 100)
    expect(server.requests[0]!.payload).toEqual(Array(64).fill(7))
  })
})

describe("SimTransport: silence", () => {
  it("notices a half-open link on the deaf side only, and late", async () => {
    const stage = new Stage({ ...CALM_LINK, resetChance: 0 })
    const { world, network } = stage
    const { client, server } = await stage.pair()
    const cutMs = world.nowMs
    network.cutOneWay("server", "client")
    await world.runUntil(() => client.downs.length === 1, "the client to notice", 2 * SILENCE_MS)
    const afterMs = client.downs[0]!.atMs - cutMs
    expect(afterMs).toBeGreaterThan(0.8 * SILENCE_MS)
    expect(afterMs).toBeLessThanOrEqual(SILENCE_MS)
    expect(server.downs).toEqual([])
    // The server hears nothing of the client any more, and so it notices by silence as well.
    await world.runUntil(() => server.downs.length === 1, "the server to notice", 2 * SILENCE_MS)
    expect(server.downs[0]!.atMs - client.downs[0]!.atMs).toBeGreaterThan(0.8 * SILENCE_MS)
  })

  it("loses nothing by a cut that is healed in time", async () => {
    const stage = new Stage()
    const { world, network } = stage
    const { client, server, dialed } = await stage.pair()
    server.onRequest = (arrived) => server.reply(arrived)
    network.cut("client", "server")
    client.submit(dialed, 3, 10)
    await world.runFor(0.7 * SILENCE_MS)
    network.heal()
    await world.runUntil(() => client.completions.length === 1, "completion", 10)
    expect(client.completions).toEqual([{ token: 3, status: 0, mark: 3 }])
    await world.runFor(3 * SILENCE_MS)
    expect(dialed.isUp).toBe(true)
  })

  it("keeps a session over a clogged link, however long its requests take", async () => {
    const stage = new Stage()
    const { world, network } = stage
    const { client, server, dialed } = await stage.pair()
    network.clog("client", "server")
    client.submit(dialed, 3)
    await world.runFor(10 * SILENCE_MS)
    expect(dialed.isUp).toBe(true)
    expect(server.requests).toEqual([])
    network.heal()
    await world.runUntil(() => server.requests.length === 1, "request", 10)
  })

  it("takes a paused process for silent, and tells it when it goes on", async () => {
    const stage = new Stage()
    const { world } = stage
    const { client, server, dialed } = await stage.pair()
    world.host("client").pause()
    await world.runUntil(() => server.downs.length === 1, "the server to notice", 2 * SILENCE_MS)
    expect(client.downs).toEqual([])
    world.host("client").resume()
    await world.runUntil(() => client.downs.length === 1, "the client to notice", 2 * SILENCE_MS)
    expect(dialed.isUp).toBe(false)
  })

  it("hears of a dead process at once, and of a dead machine by silence", async () => {
    for (const kind of ["process", "machine"] as const) {
      const stage = new Stage()
      const { world, network } = stage
      const { client, server } = await stage.pair()
      const crashMs = world.nowMs
      network.crash("server", kind)
      await world.runUntil(() => client.downs.length === 1, "the client to notice", 2 * SILENCE_MS)
      const afterMs = client.downs[0]!.atMs - crashMs
      if (kind === "process") expect(afterMs).toBeLessThan(1)
      else expect(afterMs).toBeGreaterThan(0.8 * SILENCE_MS)
      expect(server.downs).toEqual([])
    }
  })
})

describe("SimTransport: crash and restart", () => {
  it("frees the address of a dead listener, and accepts in its next life", async () => {
    const stage = new Stage()
    const { world, network } = stage
    const { client } = await stage.pair()
    network.crash("server", "process")
    expect(network.boundAddresses()).toEqual([])
    await expect(stage.dial(client)).rejects.toMatchObject({ code: "unreachable" })
    world.host("server").restart()
    const server = await stage.server()
    const session = await stage.dial(client)
    client.submit(session, 5)
    await world.runUntil(() => server.requests.length === 1, "request", 100)
  })

  it("delivers nothing to a process that ended itself in the middle of a delivery", async () => {
    const stage = new Stage()
    const { world, network } = stage
    const { client, server, dialed } = await stage.pair()
    server.onRequest = () => network.crash("server", "process")
    client.submit(dialed, 1)
    await world.runUntil(() => client.downs.length === 1, "the client to notice", 100)
    await world.runFor(3 * SILENCE_MS)
    expect(server.downs).toEqual([])
    expect(client.completions).toEqual([{ token: 1, status: LINK_LOST, mark: -1 }])
  })

  it("gives the id of a session that is down to another one", async () => {
    const stage = new Stage()
    const { client, dialed } = await stage.pair()
    const second = await stage.dial(client)
    expect(second.id).not.toBe(dialed.id)
    await stage.world.settled(dialed.close(), "end of closing")
    const third = await stage.dial(client)
    expect(third.id).toBe(dialed.id)
    expect(dialed.isUp).toBe(false)
  })
})

describe("SimTransport: rudeness", () => {
  it("poisons table and headers when the call returns", async () => {
    const stage = new Stage()
    const { client, server, dialed } = await stage.pair()
    server.onRequest = (arrived) => server.reply(arrived)
    client.submit(dialed, 9)
    await stage.world.runUntil(() => client.completions.length === 1, "completion", 100)
    for (const { lastBatch } of [client, server]) {
      const { words, headers } = lastBatch!
      expect(new Set(words)).toEqual(new Set([(POISON * 0x0101_0101) | 0]))
      expect(headers.getUint8(headers.byteLength - 1)).toBe(POISON)
    }
  })

  it("gives slots that are full of poison, in no order", async () => {
    const stage = new Stage()
    const { dialed } = await stage.pair()
    const slots = Array.from({ length: 8 }, () => dialed.reserve(LANE_IO))
    for (const slot of slots) expect(dialed.slots.getUint8(slot)).toBe(POISON)
    expect(slots).not.toEqual(slots.toSorted((a, b) => a - b))
  })

  it("fills a room with garbage at once, and what a short reply leaves of it too", async () => {
    const stage = new Stage()
    const { client, server, dialed } = await stage.pair()
    server.onRequest = (arrived) => server.reply(arrived)
    const lease = client.submit(dialed, 1, 16, PAYLOAD_BACK)
    expect([...leaseBytes(client.memory, lease, 0, 16)]).toEqual(Array(16).fill(POISON))
    leaseBytes(client.memory, lease, 0, 16).fill(0)
    await stage.world.runUntil(() => client.completions.length === 1, "completion", 100)
    expect([...leaseBytes(client.memory, lease, 0, 16)]).toEqual(Array(16).fill(POISON))
  })

  it("reads a payload as late as it may, so a change in flight is what arrives", async () => {
    const stage = new Stage()
    const { client, server, dialed } = await stage.pair()
    const lease = client.submit(dialed, 1, 4)
    leaseBytes(client.memory, lease, 0, 4).fill(2)
    await stage.world.runUntil(() => server.requests.length === 1, "request", 100)
    expect(server.requests[0]!.payload).toEqual([2, 2, 2, 2])
  })

  it("delivers and completes out of order, also on links that keep the order", async () => {
    const stage = new Stage()
    const { client, server, dialed } = await stage.pair()
    for (let mark = 0; mark < 20; mark++) client.submit(dialed, mark)
    await stage.world.runUntil(() => server.requests.length === 20, "requests", 100)
    const inOrder = Array.from({ length: 20 }, (_, mark) => mark)
    expect(server.marks()).not.toEqual(inOrder)
    for (const arrived of server.requests) server.reply(arrived)
    await stage.world.runUntil(() => client.completions.length === 20, "completions", 100)
    expect(client.completions.map(({ mark }) => mark)).not.toEqual(server.marks())
  })

  it("delivers what was changed on its way where it does not check payloads", async () => {
    const stage = new Stage({ ...CALM_LINK, corruptChance: 1 }, { payloadChecked: false })
    const { client, server, dialed } = await stage.pair()
    for (let nth = 0; nth < 8; nth++) client.submit(dialed, 1, 16)
    await stage.world.runUntil(() => server.requests.length === 8, "requests", 100)
    const isWhole = ({ mark, payload }: Arrived): boolean =>
      mark === 1 && payload.every((byte) => byte === 1)
    expect(server.requests.filter(isWhole)).toEqual([])
    expect(server.requests.some(({ mark }) => mark !== 1)).toBe(true)
    expect(server.requests.some(({ mark }) => mark === 1)).toBe(true)
  })
})

describe("SimTransport: chance", () => {
  /** Everything at once, under every fault that links have. */
  async function fire(seed: Seed): Promise<Stage & { counts: number[] }> {
    const links = {
      sessionLossChance: 0.01,
      corruptChance: 0.005,
      clogChance: 0.02,
      clogMsMax: 50,
      slowChance: 0.05,
    }
    const stage = new Stage(links, {}, seed)
    const { world } = stage
    const server = await stage.server()
    server.onRequest = (arrived) => server.reply(arrived)
    const client = stage.node("client")
    const sessions: Session[] = []
    let token = 0
    for (let round = 0; round < 100; round++) {
      const up = sessions.filter((session) => session.isUp)
      const session = up[0] ?? (await stage.dial(client).catch(() => undefined))
      if (session === undefined) continue
      if (up.length === 0) sessions.push(session)
      while (session.freeCredits(LANE_IO) > 16) client.submit(session, token++ % 256)
      if (round % 30 === 29) severSession(session)
      await world.runFor(3)
    }
    stage.network.heal()
    stage.network.tune({ sessionLossChance: 0, corruptChance: 0, clogChance: 0 })
    await world.runUntil(() => client.completions.length >= token, "completions", 20_000)
    await world.runFor(1000)
    const lostCount = client.completions.filter(({ status }) => status === LINK_LOST).length
    return Object.assign(stage, {
      counts: [token, client.completions.length, lostCount, client.downs.length],
    })
  }

  it("completes everything once under every fault that links have", async () => {
    for (const seed of [11, 12, 13]) {
      const { counts } = await fire(seed)
      const [sent, completed, lost, downs] = counts
      expect(completed).toBe(sent)
      expect(lost).toBeGreaterThan(0)
      expect(downs).toBeGreaterThan(1)
    }
  })

  it("repeats a run of the same seed exactly", async () => {
    const first = await fire("again")
    const second = await fire("again")
    const other = await fire("other")
    expect(second.world.digest()).toBe(first.world.digest())
    expect(second.counts).toEqual(first.counts)
    expect(other.world.digest()).not.toBe(first.world.digest())
  })
})
