/**
 * What a store must be to be opened for a member, and what an unclean end makes of its maps
 * (rules R2, R3, I1; G3, G5).
 */
import {
  buddyMemory,
  CHUNK_CLEAN,
  type ChunkNumber,
  chunkByte,
  type Env,
  groupIdOfName,
  IDENTITY_CELL,
  type MemberEntry,
  memberId,
  NO_VIEW,
  type PoolMetadata,
  RANK_CACHE_LOST,
  RANK_IN_FLIGHT,
  RANK_REAL,
  RmrError,
} from "@rmr/core"
import { type MemoryStoreSource, memoryStore, type World } from "@rmr/testkit"
import { nodeWorld } from "@rmr/testkit/node"
import type { Member } from "./member.js"
import { type MemberConfig, newVolume, openMember } from "./open-member.js"
import { StoreJobs } from "./store-jobs.js"

const MIB = 1024 * 1024
const CONFIG: MemberConfig = {
  poolName: "vault",
  memberId: memberId(1),
  chunkSizeBytes: 64 * 1024,
  queueDepth: 4,
}
const LINEAGE = "11111111111111111111111111111111"
const POOL_UUID = "22222222222222222222222222222222"
const OTHER_UUID = "33333333333333333333333333333333"
const VIEW = { epoch: 1, version: 2 }
const EXTENT_BYTES = 256 * 1024
/** Chunks of the third extent. */
const [HOT, NEXT, COLD] = [8 as ChunkNumber, 9 as ChunkNumber, 12 as ChunkNumber]
const ABSENT = 1

interface Place {
  readonly env: Env
  readonly source: MemoryStoreSource
}

function story(run: (place: Place) => Promise<void>): () => Promise<void> {
  return async () => {
    const world: World = nodeWorld({ seed: 7 })
    const source = storeOf(world, 4 * MIB)
    await world.settled(run({ env: world.host("node").env, source }), "an opening", 60_000)
  }
}

function storeOf({ random }: World, sizeBytes: number): MemoryStoreSource {
  return memoryStore({
    name: "store",
    random: random.fork("store"),
    sizeBytes,
    extentBytes: EXTENT_BYTES,
    ioBytesMax: 128 * 1024,
    hotExtentsMax: 64,
  })
}

/** The store as a process opens it for this configuration. */
async function open({ env, source }: Place, config: MemberConfig = CONFIG): Promise<Member> {
  const memory = buddyMemory({ arenas: [MIB], leaseCountMax: 16 })
  const jobs = await StoreJobs.open(
    { env, memory, source },
    {
      onDone: () => undefined,
      onBatchEnd: () => undefined,
      onRoom: () => undefined,
      onCacheLost: () => undefined,
    },
  )
  try {
    return await openMember(env, jobs, config)
  } catch (thrown) {
    await jobs.store.close()
    throw thrown
  }
}

function failure(opening: Promise<Member>): Promise<readonly [string, string]> {
  return opening.then(
    () => ["opened", ""] as const,
    (thrown: unknown) => {
      const { code, detail } = RmrError.from(thrown)
      return [code, detail] as const
    },
  )
}

function entry(id: number, storeUuid: string): MemberEntry {
  return {
    memberId: memberId(id),
    storeUuid,
    address: `sim:node-${id}:1`,
    role: "data",
    normalThrough: id === 1 ? VIEW : NO_VIEW,
    reported: NO_VIEW,
    incarnation: 1,
  }
}

/** A member of a pool of two whose other member is absent. */
async function created(place: Place, change: Partial<PoolMetadata> = {}): Promise<Member> {
  const member = await open(place)
  const { chunkSizeBytes, queueDepth, poolName } = CONFIG
  const metadata: PoolMetadata = {
    poolName,
    groupId: groupIdOfName(poolName),
    poolUuid: POOL_UUID,
    chunkSizeBytes,
    mappedSizeBytes: 2 * MIB,
    queueDepth,
    minNormal: 1,
    mapVersion: { lineage: LINEAGE, ...VIEW },
    history: [],
    members: [entry(1, member.identity.storeUuid), entry(2, OTHER_UUID)],
    normal: 1,
    ranges: [],
    ...change,
  }
  const { mappedSizeBytes } = metadata
  const identity = { ...member.identity, poolUuid: POOL_UUID, mappedSizeBytes }
  const volume = newVolume(member.store, identity, metadata)
  volume.maps.rebirth(ABSENT, memberId(2), metadata.mapVersion, volume.geometry.chunkCount)
  const state = { ...member.state, lineage: LINEAGE, seen: VIEW, seenNormal: 1 }
  await member.create(identity, state, { metadata, markings: [] }, volume)
  return member
}

function bytesOf({ volume }: Member): readonly number[] {
  return [HOT, NEXT, COLD].map((chunk) => volume!.maps.own.byteOf(chunk))
}

function marksOf({ volume }: Member): readonly number[] {
  return [HOT, NEXT, COLD].map((chunk) => volume!.maps.about(ABSENT)!.byteOf(chunk))
}

describe("a store that does not fit its configuration", () => {
  it.each([
    ["chunk size", { chunkSizeBytes: 128 * 1024 }, "65536", "131072"],
    ["queue depth", { queueDepth: 8 }, "4", "8"],
  ])(
    "P8: is refused for another %s, before and after the pool is created",
    async (what, change, has, asked) => {
      await story(async (place) => {
        const words = `the store was made for a ${what} of ${has}, the configuration says ${asked}`
        const expected = ["mismatch", `${words}: configure ${has}, or give it an empty store`]
        await (await open(place)).store.close()
        expect(await failure(open(place, { ...CONFIG, ...change }))).toEqual(expected)
        await (await created(place)).store.close()
        expect(await failure(open(place, { ...CONFIG, ...change }))).toEqual(expected)
        expect((await open(place)).record?.chunkSizeBytes).toBe(CONFIG.chunkSizeBytes)
      })()
    },
  )

  it(
    "G2: is refused where it is smaller than the volume, and by how much",
    story(async (place) => {
      await (await created(place, { mappedSizeBytes: 8 * MIB })).store.close()
      const has = `the store has room for ${4 * MIB} bytes, the volume has ${8 * MIB}`
      const words = `${has}: enlarge it, or give the member another store`
      expect(await failure(open(place))).toEqual(["too-small", words])
    }),
  )

  it(
    "G5: is refused where its record names another store in its place",
    story(async (place) => {
      const members = [entry(1, POOL_UUID), entry(2, OTHER_UUID)]
      await (await created(place, { members })).store.close()
      const words = "the record on the store is about another store"
      expect(await failure(open(place))).toEqual(["corrupt", words])
    }),
  )

  it(
    "R2: keeps what its last end was while it is refused",
    story(async (place) => {
      const member = await created(place)
      await member.jobs.heat([2])
      place.source.powerCut()
      expect((await failure(open(place, { ...CONFIG, queueDepth: 8 })))[0]).toBe("mismatch")
      const again = await open(place)
      expect([again.restart, again.hotAtOpen]).toEqual(["cache-lost", [2]])
    }),
  )
})

describe("an end that was not clean", () => {
  const CLASSES = [
    ["process", RANK_IN_FLIGHT, (source: MemoryStoreSource) => source.kill()],
    ["cache-lost", RANK_CACHE_LOST, (source: MemoryStoreSource) => source.powerCut()],
  ] as const

  it.each(CLASSES)(
    "R3: (%s) suspects what was hot and marks it for the absent, durably before it answers",
    async (restart, rank, end) => {
      await story(async (place) => {
        const first = await created(place)
        await first.jobs.heat([2])
        // What it lacked itself it does not mark for others (RT-36).
        first.volume!.maps.markOwn(NEXT, 1, RANK_REAL)
        await first.saveMaps()
        end(place.source)
        const expected = {
          own: [chunkByte(rank), chunkByte(RANK_REAL), CHUNK_CLEAN],
          marks: [chunkByte(RANK_REAL), CHUNK_CLEAN, CHUNK_CLEAN],
        }
        const second = await open(place)
        expect(second.restart).toBe(restart)
        expect({ own: bytesOf(second), marks: marksOf(second) }).toEqual(expected)
        // Whatever ends it now: the suspicion is on the store, and no worse for it.
        second.store.cool([2])
        await second.store.close()
        const third = await open(place)
        expect(third.restart).toBe("none")
        expect({ own: bytesOf(third), marks: marksOf(third) }).toEqual(expected)
      })()
    },
  )

  it.each(CLASSES)(
    "R2: (%s) is told again until what it asks for is durable",
    async (restart, rank, end) => {
      await story(async (place) => {
        const first = await created(place)
        await first.jobs.heat([2])
        end(place.source)
        place.source.failNextCommit()
        expect((await failure(open(place)))[0]).toBe("io-error")
        // A process that dies makes a lost cache no better.
        place.source.kill()
        const again = await open(place)
        expect([again.restart, bytesOf(again)[0]]).toEqual([restart, chunkByte(rank)])
      })()
    },
  )

  it(
    "R2: is none where the store was closed, and what was hot is not suspected",
    story(async (place) => {
      const first = await created(place)
      await first.jobs.heat([2])
      await first.store.close()
      const second = await open(place)
      expect([second.restart, bytesOf(second)]).toEqual(["none", [0, 0, 0]])
      // Still hot: it is cooled when it is stable, and not before.
      expect(second.volume!.hot.all()).toEqual([2])
    }),
  )
})

describe("what is durable of maps", () => {
  it(
    "S4: a chunk that is marked while its clear is on its way stays dirty, on the store too",
    story(async (place) => {
      const member = await created(place)
      const { maps } = member.volume!
      maps.markOwn(HOT, 1, RANK_REAL)
      await member.saveMaps()
      const clearing = member.clearDurably([HOT])
      await Promise.resolve()
      // The same mark again: no news to the map, but the store is about to hear the contrary.
      maps.markOwn(HOT, 1, RANK_REAL)
      expect(maps.hasChanges).toBe(true)
      await clearing
      expect(maps.own.isDirty(HOT)).toBe(true)
      await member.saveMaps()
      place.source.kill()
      expect(bytesOf(await open(place))[0]).toBe(chunkByte(RANK_REAL))
    }),
  )

  it(
    "S4: a clear writes its page once, and with it what was marked there",
    story(async (place) => {
      const member = await created(place)
      const { maps } = member.volume!
      maps.markOwn(HOT, 2, RANK_REAL)
      await member.clearDurably([HOT])
      expect([maps.hasChanges, maps.isDurable(HOT, 2)]).toEqual([false, true])
      place.source.kill()
      expect(bytesOf(await open(place))).toEqual([0, chunkByte(RANK_REAL), 0])
    }),
  )
})

describe("a save of maps", () => {
  it(
    "M1: ends, however fast marks come, and is about those before it",
    story(async (place) => {
      const member = await created(place)
      const { maps, geometry } = member.volume!
      const { jobs } = member
      let commits = 0
      const commit = jobs.commit.bind(jobs)
      jest.spyOn(jobs, "commit").mockImplementation(async (cells) => {
        commits++
        maps.markFor(1 << ABSENT, (commits % geometry.chunkCount) as ChunkNumber, 1, RANK_REAL)
        await commit(cells)
      })
      maps.markFor(1 << ABSENT, HOT, 1, RANK_REAL)
      expect(maps.isDurable(HOT, 1)).toBe(false)
      await member.saveMaps()
      expect([commits, maps.hasChanges]).toEqual([1, true])
      await member.saveMaps()
      expect(commits).toBe(2)
    }),
  )

  it(
    "M1: a page that is on its way to the store is not durable yet (I2)",
    story(async (place) => {
      const member = await created(place)
      const { maps } = member.volume!
      maps.markFor(1 << ABSENT, HOT, 1, RANK_REAL)
      const saving = member.saveMaps()
      await Promise.resolve()
      expect([maps.hasChanges, maps.isDurable(HOT, 1)]).toEqual([false, false])
      await saving
      expect(maps.isDurable(HOT, 1)).toBe(true)
    }),
  )
})

describe("a new store", () => {
  it(
    "G3: has an identity of its own and belongs to no pool yet",
    story(async (place) => {
      const member = await open(place)
      const identity = IDENTITY_CELL.decode((await member.store.readCell("identity", 0))!)
      expect(identity).toEqual(member.identity)
      expect([member.record, member.state.lifecycle]).toEqual([undefined, "open"])
    }),
  )
})
