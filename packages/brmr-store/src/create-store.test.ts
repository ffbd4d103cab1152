/** Making, refusing, inspecting and erasing stores, and what is found where a store is damaged. */
import type { CellWrite, Env, Memory, Store } from "@rmr/core"
import { buddyMemory, STATUS_OK } from "@rmr/core"
import { type SimDisk, simDisk, type World } from "@rmr/testkit"
import { nodeWorld } from "@rmr/testkit/node"
import {
  createStore,
  eraseStore,
  inspectStore,
  type StoreShape,
  storeBytes,
} from "./create-store.js"
import { fileStore } from "./open-store.js"
import { SUPERBLOCK_BYTES } from "./superblock.js"

const SHAPE = { sizeBytes: 1024 * 1024, extentBytes: 65_536, hotExtentsMax: 16 }

/** Room for the map pages of a volume that may grow. */
const WIDE = { ...SHAPE, sizeBytesMax: 40 * 512 * 1024 * 1024 }

interface Place {
  readonly world: World
  readonly env: Env
  readonly memory: Memory
  readonly disk: SimDisk
}

function newPlace(sizeBytes = storeBytes(SHAPE)): Place {
  const world = nodeWorld({ seed: 5 })
  const memory = buddyMemory({ arenas: [4 * 1024 * 1024], leaseCountMax: 64 })
  const disk = simDisk(world, { name: "disk", sizeBytes, inFlightMax: 128 })
  return { world, env: world.env, memory, disk }
}

const create = (place: Place, isForced = false, shape: StoreShape = SHAPE): Promise<void> => {
  const { world, env, memory, disk } = place
  return world.settled(
    createStore({ env, memory, source: disk.source(), isForced, ...shape }),
    "create",
    1e9,
  )
}

/** Completions resolve what waits for them, by token. */
class Opened {
  store: Store | undefined
  private readonly waiting = new Map<number, (status: number) => void>()

  async open({ world, env, memory, disk }: Place): Promise<Store> {
    const events = {
      onCompletions: ({ words, count }: { words: Int32Array; count: number }) => {
        for (let row = 0; row < count; row++)
          this.waiting.get(words[row * 4]!)?.(words[row * 4 + 1]!)
      },
    }
    const source = fileStore({ source: disk.source() })
    this.store = await world.settled(source.open({ env, memory, events }), "open", 1e9)
    return this.store
  }

  ask(submit: (store: Store, token: number) => void): Promise<number> {
    const token = this.waiting.size + 1
    return new Promise((resolve) => {
      this.waiting.set(token, resolve)
      submit(this.store!, token)
    })
  }
}

describe("createStore", () => {
  it("makes a store that says what it was made for, and leaves no lease behind", async () => {
    const place = newPlace()
    await create(place)
    const { world, env, memory, disk } = place
    const block = await world.settled(inspectStore({ env, memory, source: disk.source() }), "look")
    expect(block).toMatchObject({ ...SHAPE, isClean: true, pending: "none" })
    expect(memory.stats().leaseCount).toBe(0)
  })

  it("refuses a place that holds something, and says what", async () => {
    const place = newPlace()
    const end = place.disk.sizeBytes
    const marks: readonly [string, number, number[]][] = [
      ["ext4", 1080, [0x53, 0xef]],
      ["XFS", 0, [0x58, 0x46, 0x53, 0x42]],
      ["partition table", 510, [0x55, 0xaa]],
      ["LVM", 512, [...Buffer.from("LABELONE")]],
      ["ZFS", 200 * 1024, [0x0c, 0xb1, 0xba, 0]],
      ["swap area", 16_374, [...Buffer.from("SWAPSPACE2")]],
      ["data of somebody else", 100_000, [1]],
      ["md RAID", end - 8192, [0xfc, 0x4e, 0x2b, 0xa9]],
      ["md RAID", Math.floor(end / 65_536) * 65_536 - 65_536, [0xfc, 0x4e, 0x2b, 0xa9]],
      ["DRBD", end - 4096 + 60, [0x83, 0x74, 0x02, 0x6d]],
      ["GPT", end - 512, [...Buffer.from("EFI PART")]],
    ]
    for (const [what, at, bytes] of marks) {
      place.disk.poke(at, Uint8Array.from(bytes))
      await expect(create(place)).rejects.toThrow(what)
      place.disk.poke(at, new Uint8Array(bytes.length))
    }
    await create(place)
    await expect(create(place)).rejects.toThrow("exists: disk holds a store of a pool")
    await create(place, true)
  })

  it("refuses a place that is too small, with both sizes", async () => {
    const place = newPlace(storeBytes(SHAPE) - 4096)
    await expect(create(place)).rejects.toMatchObject({ code: "too-small" })
  })

  it("zeroes a place that is forced, so that nothing of before is read", async () => {
    const place = newPlace()
    const dataStart = storeBytes(SHAPE) - SHAPE.sizeBytes
    place.disk.poke(dataStart + 8192, new Uint8Array(4096).fill(9))
    await create(place, true)
    expect(place.disk.peek(dataStart + 8192, 4096).every((byte) => byte === 0)).toBe(true)
  })

  it("leaves no store where it was interrupted", async () => {
    const place = newPlace()
    const { world, env, memory, disk } = place
    const making = createStore({ env, memory, source: disk.source(), ...SHAPE })
    making.catch(() => undefined)
    await world.run({ stepsMax: 3 })
    disk.powerCut()
    await expect(new Opened().open({ ...place, memory: newPlace().memory })).rejects.toMatchObject({
      code: "not-found",
    })
  })

  it("an erased store is none", async () => {
    const place = newPlace()
    await create(place)
    const { world, env, memory, disk } = place
    await world.settled(eraseStore({ env, memory, source: disk.source() }), "erase")
    await expect(new Opened().open(place)).rejects.toMatchObject({ code: "not-found" })
  })
})

describe("a store that is damaged", () => {
  it("S19: loses nothing with one bad superblock, and is refused with two", async () => {
    const place = newPlace()
    await create(place)
    for (const copy of [0, 1]) {
      const at = copy * SUPERBLOCK_BYTES + 40
      place.disk.poke(at, Uint8Array.of(place.disk.peek(at, 1)[0]! ^ 1))
      if (copy === 1) break
      const opened = new Opened()
      const store = await opened.open(place)
      expect(store.restart).toBe("none")
      await place.world.settled(store.close(), "close")
      // An update has written both copies anew.
      place.disk.poke(at, Uint8Array.of(place.disk.peek(at, 1)[0]! ^ 1))
    }
    await expect(new Opened().open(place)).rejects.toMatchObject({ code: "corrupt" })
    const { world, env, memory, disk } = place
    await world.settled(eraseStore({ env, memory, source: disk.source() }), "erase")
    await expect(new Opened().open(place)).rejects.toMatchObject({ code: "not-found" })
  })

  it("S19: a log that lost a frame in its middle is refused, not read up to there", async () => {
    const place = newPlace()
    await create(place)
    const opened = new Opened()
    const store = await opened.open(place)
    for (const version of [1, 2, 3]) {
      const cells = [{ kind: "state", index: 0, bytes: Uint8Array.of(version) } as const]
      const status = opened.ask((one, token) => one.commit(token, cells))
      expect(await place.world.settled(status, "commit")).toBe(STATUS_OK)
    }
    await place.world.settled(store.close(), "close")
    const log = 2 * SUPERBLOCK_BYTES
    place.disk.poke(log + 2 * 4096 + 4, Uint8Array.of(0))
    await expect(new Opened().open(place)).rejects.toMatchObject({ code: "corrupt" })
  })
})

describe("a store that was open when its log was damaged", () => {
  const cell = (version: number, bytes = 1) =>
    ({ kind: "pool-metadata", index: 0, bytes: new Uint8Array(bytes).fill(version) }) as const
  const pages = (count: number, version: number): CellWrite[] =>
    Array.from({ length: count }, (_, nth) => {
      return { kind: "map-page", index: nth, bytes: Uint8Array.of(version) }
    })
  const log = 2 * SUPERBLOCK_BYTES

  /** Commits these, one after another, and dies. The first frame of the log is of its creation. */
  async function killedAfter(commits: readonly (readonly CellWrite[])[]): Promise<Place> {
    const place = newPlace(storeBytes(WIDE))
    await create(place, false, WIDE)
    const opened = new Opened()
    await opened.open(place)
    for (const cells of commits) {
      const status = opened.ask((one, token) => one.commit(token, cells))
      expect(await place.world.settled(status, "commit")).toBe(STATUS_OK)
    }
    place.disk.powerCut("lost")
    return place
  }

  it("S19: takes no bad spot before a frame with a long head for the end", async () => {
    const place = await killedAfter([[cell(1)], pages(300, 2)])
    // In the body of the first commit: it was told, so its cell is damaged, and not absent.
    place.disk.poke(log + 4096 + 32 + 24, Uint8Array.of(9))
    const store = await new Opened().open(place)
    const reading = place.world.settled(store.readCell("pool-metadata", 0), "cell")
    await expect(reading).rejects.toMatchObject({ code: "corrupt" })
    expect(store.cellIndexes("map-page")).toHaveLength(300)
    await place.world.settled(store.close(), "close")
  })

  it("S19: is refused where the head of a long frame is gone before others", async () => {
    const place = await killedAfter([[cell(1, 256 * 1024), ...pages(8, 1)], [cell(2)]])
    place.disk.poke(log + 4096, new Uint8Array(64))
    await expect(new Opened().open(place)).rejects.toMatchObject({ code: "corrupt" })
  })

  it("S9: forgets a last frame that is not whole, and nothing before it", async () => {
    const place = await killedAfter([[cell(1)], [cell(2)]])
    place.disk.poke(log + 2 * 4096 + 32 + 24, Uint8Array.of(9))
    const opened = new Opened()
    const store = await opened.open(place)
    const found = await place.world.settled(store.readCell("pool-metadata", 0), "cell")
    expect(found).toEqual(Uint8Array.of(1))
    await place.world.settled(store.close(), "close")
  })
})

describe("a log that is full", () => {
  it("S9: is begun anew in the other area, with everything that is alive", async () => {
    const place = newPlace()
    await create(place)
    const opened = new Opened()
    let store = await opened.open(place)
    const bytes = new Uint8Array(200 * 1024).fill(7)
    for (let nth = 0; nth < 120; nth++) {
      bytes[0] = nth
      const cells = [
        { kind: "pool-metadata", index: 0, bytes } as const,
        { kind: "map", index: nth % 8, bytes: Uint8Array.of(nth) } as const,
      ]
      const status = opened.ask((one, token) => one.commit(token, cells))
      expect(await place.world.settled(status, "commit")).toBe(STATUS_OK)
    }
    await place.world.settled(store.close(), "close")
    store = await new Opened().open(place)
    const { world, env, disk } = place
    const found = await world.settled(store.readCell("pool-metadata", 0), "cell")
    expect([found?.length, found?.[0]]).toEqual([bytes.length, 119])
    const reading = store.cellIndexes("map").map((index) => store.readCell("map", index))
    const maps = await world.settled(Promise.all(reading), "cells")
    expect(maps.map((map) => map?.[0])).toEqual([112, 113, 114, 115, 116, 117, 118, 119])
    await world.settled(store.close(), "close")
    const look = { env, memory: place.memory, source: disk.source() }
    const block = await world.settled(inspectStore(look), "look")
    expect(block.generation).toBeGreaterThan(1)
  })
})
