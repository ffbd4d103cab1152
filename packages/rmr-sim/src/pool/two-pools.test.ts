/**
 * Two pools of one client process, over one session per node. What one of them does to a session
 * (it ends it where it puts a member out) the other one sees as a blink, and no user sees anything.
 */
import { BLOCK_FUA, BLOCK_UNMAP, groupIdOfName, RmrError, STATUS_OK, shardOf } from "@rmr/core"
import type { SimClient, SimNode, SimPool } from "./sim-pool.js"
import { POOL_NAME, POOL_SHARD } from "./sim-pool.js"
import { pattern, pause, tell, userOf } from "./story.js"
import type { VolumeUser } from "./volume-user.js"

/** Of the same shard as POOL_NAME, so that both are over one session; asserted below. */
const OTHER = "pantry"
const SIZE_BYTES = 1024 * 1024
const REGION = 32 * 1024
const IN_FLIGHT = 12
/** Between two operations of one hand, so that seconds of a story are not all work. */
const THINK_MS = 200
/** Longer than any deadline of a leg. */
const LATE_MS = 10_000

jest.setTimeout(60_000)

/** A user of one pool: it works until it is told to stop, and remembers what must be there. */
class Tenant {
  readonly client: SimClient
  readonly complaints: string[] = []
  doneCount = 0
  private readonly sim: SimPool
  private readonly user: VolumeUser
  private readonly bytes: Uint8Array
  private readonly name: string

  constructor(sim: SimPool, client: SimClient, name: string) {
    this.sim = sim
    this.client = client
    this.user = userOf(client)
    this.bytes = new Uint8Array(sim.sizeBytes)
    this.name = name
  }

  async workWhile(isWanted: () => boolean): Promise<void> {
    const random = this.sim.world.random.fork(`load of ${this.name}`)
    const regions = Math.floor(this.bytes.length / REGION / IN_FLIGHT)
    const work = async (own: number): Promise<void> => {
      while (isWanted()) {
        const place = (own * regions + random.below(regions)) * REGION
        const block = random.below(8)
        const bytes = 4096 * (1 + random.below(8 - block))
        await this.operate(random.below(10), place + block * 4096, bytes)
        this.doneCount++
        await pause(this.sim, random.below(THINK_MS))
      }
    }
    await Promise.all(Array.from({ length: IN_FLIGHT }, (_, own) => work(own)))
  }

  private async operate(kind: number, offset: number, bytes: number): Promise<void> {
    if (kind >= 7) return this.check(offset, await this.user.read(offset, bytes))
    if (kind === 6) return this.complain("a flush", await this.user.flush())
    const content = kind === 5 ? new Uint8Array(bytes) : pattern(this.doneCount, bytes)
    const status = await (kind === 5
      ? this.user.zero(offset, bytes, BLOCK_UNMAP)
      : this.user.write(offset, content, kind === 0 ? BLOCK_FUA : 0))
    this.complain(`a write at ${offset}`, status)
    this.bytes.set(content, offset)
  }

  /** All of it, asked so often that every member is asked. */
  async checkAll(rounds: number): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      for (let offset = 0; offset < this.bytes.length; offset += REGION) {
        this.check(offset, await this.user.read(offset, REGION))
      }
    }
  }

  /** P3: the store holds what was written, read past the pool. */
  async checkStore(node: SimNode): Promise<void> {
    this.check(0, await node.part(this.name).content(node.memory))
  }

  private check(offset: number, found: Uint8Array | RmrError): void {
    if (found instanceof RmrError) {
      this.complaints.push(`a read at ${offset}: ${found.message}`)
      return
    }
    const wrong = found.findIndex((byte, at) => byte !== this.bytes[offset + at])
    if (wrong >= 0) this.complaints.push(`byte ${offset + wrong} is not what was written`)
  }

  private complain(what: string, status: number): void {
    if (status === STATUS_OK) return
    this.complaints.push(`${what}: ${RmrError.ofStatus(status, "it failed").message}`)
  }
}

async function tellOfTwo(
  seed: number,
  story: (sim: SimPool, mine: Tenant, other: Tenant) => Promise<void>,
): Promise<void> {
  expect(shardOf(groupIdOfName(OTHER))).toBe(POOL_SHARD)
  const options = { nodes: 4, otherPools: [OTHER], sizeBytes: SIZE_BYTES }
  await tell(seed, options, async (sim) => {
    await sim.startAll()
    const client = await sim.create()
    const mine = new Tenant(sim, client, POOL_NAME)
    const other = new Tenant(sim, await sim.create(client, OTHER), OTHER)
    await story(sim, mine, other)
  })
}

async function until(sim: SimPool, isSo: () => boolean): Promise<void> {
  for (let waited = 0; !isSo(); waited++) {
    if (waited === 3000) throw new Error("it has not come true in time")
    await pause(sim, 20)
  }
}

const normalOf = (tenant: Tenant): number => tenant.client.pool.record.normal
const legOf = (tenant: Tenant, slot: number) => tenant.client.pool.legs[slot]

/** Members that are in the view of a pool hold what was written to it, all of it. */
async function expectWhole(sim: SimPool, tenants: readonly Tenant[]): Promise<void> {
  for (const tenant of tenants) {
    await tenant.checkAll(4)
    for (const [slot, node] of sim.nodes.entries()) {
      if ((normalOf(tenant) & (1 << slot)) !== 0) await tenant.checkStore(node)
    }
  }
  expect(tenants.map(({ complaints }) => complaints)).toEqual(tenants.map(() => []))
}

describe("two pools of one process", () => {
  const faults = [
    ["a node is killed, and then a member of one pool is late", 1, 0, 5000],
    ["a member of one pool is late, and then a node is killed", 2, 5000, 0],
    ["a node is killed while a member of one pool is late", 3, 1500, 0],
  ] as const

  it.each(faults)("P2: %s, and no user notices", async (_, seed, killAfterMs, lateAfterMs) => {
    await tellOfTwo(seed, async (sim, mine, other) => {
      let isOver = false
      const loads = [mine, other].map((tenant) => tenant.workWhile(() => !isOver))
      await until(sim, () => mine.doneCount > 100 && other.doneCount > 100)
      expect(legOf(mine, 1)?.link).toBe(legOf(other, 1)?.link)
      const generation = legOf(mine, 1)!.io.sessionGeneration
      const { clock } = sim.world.env
      clock.schedule(killAfterMs, () => sim.nodes[3]!.kill())
      clock.schedule(lateAfterMs, () => {
        sim.nodes[1]!.part(OTHER).lateMs = LATE_MS
      })
      await until(sim, () => normalOf(other) === 0b0101 && normalOf(mine) === 0b0111)
      // The session was ended under the pool that had no trouble with that member.
      await until(sim, () => legOf(mine, 1)!.io.sessionGeneration > generation)
      const then = [mine.doneCount, other.doneCount] as const
      await until(sim, () => mine.doneCount > then[0] + 100 && other.doneCount > then[1] + 100)
      isOver = true
      await Promise.all(loads)
      sim.nodes[1]!.part(OTHER).lateMs = 0
      await expectWhole(sim, [mine, other])
      expect([normalOf(mine), normalOf(other)]).toEqual([0b0111, 0b0101])
    })
  })
})
