/**
 * Members whose stores keep sums of their data: what rots under one of them is a media error, and
 * that member has it from another one again, before anybody has seen a wrong byte (S6, P7).
 */
import { createStore, type FileStore, fileStore, scrubStore, storeBytes } from "@rmr/brmr-store"
import { buddyMemory, type RmrError, STATUS_OK, type StoreSource } from "@rmr/core"
import { type SimDisk, simDisk, type World } from "@rmr/testkit"
import { nodeWorld } from "@rmr/testkit/node"
import { type SimNode, SimPool } from "./sim-pool.js"
import { openSoon, pattern, pause, userOf } from "./story.js"

jest.setTimeout(60_000)

const SIZE = 4 * 1024 * 1024
const CHUNK = 64 * 1024
const SHAPE = {
  sizeBytes: SIZE,
  extentBytes: 256 * 1024,
  hotExtentsMax: 256,
  chunkSizeBytes: 4096,
  dataSums: true,
}

interface SumsStory {
  readonly sim: SimPool
  /** By the number of the node. */
  readonly disks: readonly SimDisk[]
  /** A bit of the volume, under the store of this node. */
  rot(nth: number, offset: number): void
  damageCount(): number
}

async function tell(seed: number, story: (told: SumsStory) => Promise<void>): Promise<void> {
  const world = nodeWorld({ seed })
  await world.settled(prepare(world).then(story), `the story of seed ${seed}`, 600_000)
}

async function prepare(world: World): Promise<SumsStory> {
  const { env } = world
  const sizeBytes = storeBytes(SHAPE)
  const disks = [1, 2].map((id) => simDisk(world, { name: `node-${id}`, sizeBytes }))
  const memory = buddyMemory({ arenas: [1024 * 1024], leaseCountMax: 64 })
  for (const disk of disks) await createStore({ env, memory, source: disk.source(), ...SHAPE })
  // Instead of the store in memory that a node of a story has otherwise.
  const wrapStore = (_: StoreSource, nth: number): StoreSource =>
    fileStore({ source: disks[nth]!.source(world.host(`node-${nth + 1}`)) })
  const sim = new SimPool({ world, nodes: 2, sizeBytes: SIZE, chunkSizeBytes: CHUNK, wrapStore })
  const rot = (nth: number, offset: number): void => {
    const at = sizeBytes - SIZE + offset
    const disk = disks[nth]!
    disk.poke(at, Uint8Array.of(disk.peek(at, 1)[0]! ^ 1))
  }
  const damageCount = (): number => world.log.find("store.data-damaged").length
  return { sim, disks, rot, damageCount }
}

/** Much faster than to compare them as objects, which a failure would print. */
function isSame(one: Uint8Array | RmrError, other: Uint8Array): boolean {
  return one instanceof Uint8Array && Buffer.compare(one, other) === 0
}

const storeOf = (node: SimNode): FileStore => node.pool!.member.store as FileStore

describe("a pool whose members keep sums of their data", () => {
  it("P7: hands out no byte that has rotted, and the member repairs itself", async () => {
    await tell(201, async ({ sim, disks, rot, damageCount }) => {
      await sim.startAll()
      const user = userOf(await sim.create())
      const content = pattern(3, 2 * CHUNK)
      expect(await user.write(0, content)).toBe(STATUS_OK)
      for (let round = 1; round <= 3; round++) {
        // Stable, and cold on both members by the second round.
        expect(await user.flush()).toBe(STATUS_OK)
        await pause(sim, 3000)
        const offset = CHUNK + round * 4096 + 11
        rot(0, offset)
        for (let nth = 0; nth < 60 && damageCount() < round; nth++) {
          expect(isSame(await user.read(CHUNK, CHUNK), content.subarray(CHUNK))).toBe(true)
        }
        expect(damageCount()).toBe(round)
        await pause(sim, 3000)
        expect(sim.nodes.map(({ dirtyChunks }) => dirtyChunks)).toEqual([0, 0])
        const at = storeBytes(SHAPE) - SIZE
        expect(isSame(disks[0]!.peek(at, 2 * CHUNK), content)).toBe(true)
      }
      expect(storeOf(sim.nodes[0]!).sumCounts.damagedBlocks).toBeGreaterThanOrEqual(3)
      expect(storeOf(sim.nodes[1]!).sumCounts.damagedBlocks).toBe(0)
    })
  })

  it("P7: what has rotted while the member was down is found when it is back", async () => {
    await tell(202, async ({ sim, rot, damageCount }) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      const content = pattern(4, CHUNK)
      // Later writes than the first, so that the member does not suspect that one anyway (R5).
      for (let at = 0; at < SIZE / 2; at += CHUNK) {
        expect(await user.write(at, content)).toBe(STATUS_OK)
      }
      expect(await user.flush()).toBe(STATUS_OK)
      await pause(sim, 3000)
      // The frame that makes another extent hot says which are cold.
      expect(await user.write(SIZE / 2, content)).toBe(STATUS_OK)
      const victim = sim.nodes[0]!
      sim.killClient(client)
      victim.kill()
      rot(0, 4096)
      await victim.start()
      expect(victim.pool?.member.store.hotAtOpen).not.toContain(0)
      const again = userOf(await openSoon(sim))
      await pause(sim, 3000)
      expect([victim.pool?.state.state, victim.dirtyChunks]).toEqual(["normal", 0])
      for (let nth = 0; nth < 60 && damageCount() < 1; nth++) {
        expect(isSame(await again.read(0, CHUNK), content)).toBe(true)
      }
      expect(damageCount()).toBe(1)
      await pause(sim, 3000)
      expect(sim.nodes.map(({ dirtyChunks }) => dirtyChunks)).toEqual([0, 0])
      const [one, other] = await Promise.all(sim.nodes.map((node) => node.content()))
      expect(isSame(one!, other!)).toBe(true)
    })
  })

  it("S6, P7: a scrub finds what nobody reads, and the member has it again", async () => {
    await tell(203, async ({ sim, disks, rot, damageCount }) => {
      await sim.startAll()
      const user = userOf(await sim.create())
      const content = pattern(5, 4 * CHUNK)
      for (const at of [0, 2 * CHUNK]) {
        expect(await user.write(at, content.subarray(at, at + 2 * CHUNK))).toBe(STATUS_OK)
      }
      expect(await user.flush()).toBe(STATUS_OK)
      await pause(sim, 3000)
      rot(0, 17)
      rot(0, 2 * CHUNK + 4096)
      const { pool } = sim.nodes[0]!
      const scrub = scrubStore({
        env: sim.world.env,
        store: storeOf(sim.nodes[0]!),
        bytesPerSecond: 512 * 1024,
        onDamage: ({ offset, bytes }) => void pool!.noteDamage(offset, bytes),
      })
      const other = pattern(6, CHUNK)
      for (let nth = 0; nth < 20; nth++) {
        expect(await user.write(3 * CHUNK, other)).toBe(STATUS_OK)
        await pause(sim, 50)
      }
      const { damagedBytes, damaged } = await scrub.done
      expect([damagedBytes, damageCount()]).toEqual([2 * 4096, 2])
      expect(damaged.map(({ offset }) => offset)).toEqual([0, 2 * CHUNK + 4096])
      await pause(sim, 3000)
      expect(sim.nodes.map(({ dirtyChunks }) => dirtyChunks)).toEqual([0, 0])
      const at = storeBytes(SHAPE) - SIZE
      expect(isSame(disks[0]!.peek(at, 3 * CHUNK), content.subarray(0, 3 * CHUNK))).toBe(true)
    })
  })
})
