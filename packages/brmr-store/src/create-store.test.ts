/** Making, refusing and erasing stores. */
import type { Env, Memory, Store } from "@rmr/core"
import { buddyMemory } from "@rmr/core"
import { type SimDisk, simDisk, type World } from "@rmr/testkit"
import { nodeWorld } from "@rmr/testkit/node"
import { createStore, eraseStore } from "./create-store.js"
import { inspectStore } from "./inspect-store.js"
import { fileStore } from "./open-store.js"
import { type StoreShape, storeBytes, superblockFor } from "./store-shape.js"

const SHAPE = { sizeBytes: 1024 * 1024, extentBytes: 65_536, hotExtentsMax: 16 }

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

const open = ({ world, env, memory, disk }: Place): Promise<Store> => {
  const events = { onCompletions: () => undefined }
  const source = fileStore({ source: disk.source() })
  return world.settled(source.open({ env, memory, events }), "open", 1e9)
}

describe("createStore", () => {
  it("makes a store that says what it was made for, and leaves no lease behind", async () => {
    const place = newPlace()
    await create(place)
    const { world, env, memory, disk } = place
    const report = await world.settled(inspectStore({ env, memory, source: disk.source() }), "look")
    expect(report.superblock).toMatchObject({ ...SHAPE, isClean: true, pending: "none" })
    expect(report.problems).toEqual([])
    expect(memory.stats().leaseCount).toBe(0)
  })

  it("makes a store that refuses to grow beyond its maps, and changes nothing then", async () => {
    const place = newPlace()
    await create(place)
    const store = await open(place)
    const { sizeBytesMax } = superblockFor(SHAPE, "0".repeat(32))
    const growing = place.world.settled(store.grow(sizeBytesMax + 4096), "grow", 1e9)
    await expect(growing).rejects.toMatchObject({
      code: "no-space",
      detail: expect.stringContaining("make a larger one with --max-size"),
    })
    expect(store.sizeBytes).toBe(SHAPE.sizeBytes)
    await place.world.settled(store.close(), "close", 1e9)
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
    await expect(open({ ...place, memory: newPlace().memory })).rejects.toMatchObject({
      code: "not-found",
    })
  })

  it.each([
    ["a size of no whole blocks", { sizeBytes: 1000 }],
    ["extents that are no power of two", { ...SHAPE, extentBytes: 100_000 }],
    ["extents that are too small", { ...SHAPE, extentBytes: 4096 }],
    ["no hot extent", { ...SHAPE, hotExtentsMax: 0 }],
    ["more hot extents than there is room for", { ...SHAPE, hotExtentsSoft: 17 }],
  ])("refuses %s", async (_what, shape) => {
    await expect(create(newPlace(), false, shape)).rejects.toMatchObject({
      code: "invalid-argument",
    })
  })

  it("erases metadata, and leaves data alone", async () => {
    const place = newPlace()
    await create(place)
    const dataStart = storeBytes(SHAPE) - SHAPE.sizeBytes
    place.disk.poke(dataStart + 4096, new Uint8Array(4096).fill(9))
    const { world, env, memory, disk } = place
    await world.settled(eraseStore({ env, memory, source: disk.source() }), "erase")
    expect(disk.peek(0, dataStart).every((byte) => byte === 0)).toBe(true)
    expect(disk.peek(dataStart + 4096, 4096).every((byte) => byte === 9)).toBe(true)
  })

  it("an erased store is none", async () => {
    const place = newPlace()
    await create(place)
    const { world, env, memory, disk } = place
    await world.settled(eraseStore({ env, memory, source: disk.source() }), "erase")
    await expect(open(place)).rejects.toMatchObject({ code: "not-found" })
  })
})
