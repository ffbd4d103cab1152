/**
 * What is left on a simulated disk when its process, its cache or its machine is gone.
 *
 * Blocks hold one value each, so that a disk reads as a short text: "2213" is four blocks.
 */
import { BLOCK_FUA, RmrError } from "@rmr/core"
import { nodeWorld } from "../node/index.js"
import type { PowerFate } from "./disk-medium.js"
import type { DiskUser } from "./disk-user.js"
import { openDiskUser } from "./disk-user.js"
import type { Seed } from "./seeded-random.js"
import type { SimDisk, SimDiskOptions } from "./sim-disk.js"
import { simDisk } from "./sim-disk.js"
import type { World } from "./world.js"

const BLOCK = 4096
const BLOCKS = 16

interface Scene {
  readonly world: World
  readonly disk: SimDisk
  readonly user: DiskUser
}

async function begin(seed: Seed, options: Partial<SimDiskOptions> = {}): Promise<Scene> {
  const world = nodeWorld({ seed })
  const disk = simDisk(world, { name: "d", sizeBytes: BLOCKS * BLOCK, ...options })
  return { world, disk, user: await openOn(world, disk) }
}

function openOn(world: World, disk: SimDisk): Promise<DiskUser> {
  const host = world.host("h")
  const env = host.isAlive ? host.env : host.restart()
  return world.settled(openDiskUser(disk.source(host), env), "open disk")
}

function filled(blocks: number, value: number): Uint8Array {
  return new Uint8Array(blocks * BLOCK).fill(value)
}

/** The first byte of each block, which in these tests stands for all of it. */
function values(disk: SimDisk, blocks = 4): number[] {
  return Array.from({ length: blocks }, (_, at) => {
    const block = disk.peek(at * BLOCK, BLOCK)
    expect(new Set(block).size).toBe(1)
    return block[0]!
  })
}

/** Ones flushed, then twos over blocks 0 and 1 and threes over 2 and 3, not flushed. */
async function unflushed(seed: Seed): Promise<Scene> {
  const scene = await begin(seed)
  const { world, user } = scene
  await world.settled(user.write(0, filled(4, 1)), "first")
  await world.settled(user.flush(), "flush")
  await world.settled(user.write(0, filled(2, 2)), "second")
  await world.settled(user.write(2 * BLOCK, filled(2, 3)), "third")
  return scene
}

/** What many seeds leave behind under one fate, as a set. */
async function outcomes(fate: PowerFate, seeds: number): Promise<Set<string>> {
  const seen = new Set<string>()
  for (let seed = 0; seed < seeds; seed++) {
    const { disk } = await unflushed(seed)
    disk.powerCut(fate)
    seen.add(values(disk).join(""))
  }
  return seen
}

describe("a power cut", () => {
  it("can lose everything since the last flush, and nothing before it", async () => {
    expect(await outcomes("lost", 5)).toEqual(new Set(["1111"]))
  })

  it("can lose nothing at all", async () => {
    expect(await outcomes("kept", 5)).toEqual(new Set(["2233"]))
  })

  it("can tear one write between two blocks, with all after it gone", async () => {
    const torn = new Set(["1111", "2111", "1211", "2211", "2233", "2213", "2231"])
    expect(await outcomes("torn", 120)).toEqual(torn)
  })

  it("can keep a later write and lose an earlier one", async () => {
    expect(await outcomes("reordered", 60)).toEqual(new Set(["1111", "2211", "1133", "2233"]))
  })

  it("can leave each block with any version it had", async () => {
    const { disk, world, user } = await unflushed("versions")
    await world.settled(user.write(0, filled(1, 4)), "fourth")
    disk.powerCut("scrambled")
    expect([1, 2, 4]).toContain(values(disk)[0])
    expect((await outcomes("scrambled", 150)).size).toBe(16)
  })

  it("tears inside a block only where the medium breaks its promise", async () => {
    const scene = await begin("sectors", { sectorBytes: 512 })
    await scene.world.settled(scene.user.write(0, filled(1, 7)), "write")
    scene.disk.powerCut("torn")
    const sectors = Array.from({ length: 8 }, (_, at) => scene.disk.peek(at * 512, 512))
    expect(sectors.every((sector) => new Set(sector).size === 1)).toBe(true)
    expect(new Set(sectors.map((sector) => sector[0]))).toEqual(new Set([0, 7]))
  })

  it("takes no FUA write, though nobody flushed", async () => {
    const { disk, world, user } = await begin(3)
    await world.settled(user.write(0, filled(2, 5), BLOCK_FUA), "forced")
    await world.settled(user.write(2 * BLOCK, filled(1, 6)), "unforced")
    await world.settled(user.zero(0, BLOCK, BLOCK_FUA), "zero")
    disk.powerCut("lost")
    expect(values(disk)).toEqual([0, 5, 0, 0])
  })

  it("takes a write that completed while the flush was already on its way", async () => {
    const { disk, world, user } = await begin(4, {
      timing: { write: [1, 1], flush: [10, 10] },
    })
    await world.settled(user.write(0, filled(1, 1)), "before the flush")
    const flushed = user.flush()
    await world.settled(user.write(BLOCK, filled(1, 2)), "during the flush")
    await world.settled(flushed, "flush")
    disk.powerCut("lost")
    expect(values(disk)).toEqual([1, 0, 0, 0])
  })

  it("can keep, tear or lose a write that was still in flight", async () => {
    const seen = new Set<string>()
    for (let seed = 0; seed < 60; seed++) {
      const { disk, world, user } = await begin(seed, { timing: { write: [10, 10] } })
      void user.write(0, filled(2, 9))
      await world.runFor(5)
      disk.powerCut()
      seen.add(values(disk, 2).join(""))
    }
    expect(seen).toEqual(new Set(["00", "09", "90", "99"]))
  })

  it("changes the boot id and ends the process, which never learns of it", async () => {
    const { disk, world, user } = await begin(5)
    const source = disk.source()
    const before = await source.bootId()
    let hasEnded = false
    const end = (): void => {
      hasEnded = true
    }
    user.write(0, filled(1, 1)).then(end, end)
    disk.powerCut("kept")
    await world.settle()
    expect(hasEnded).toBe(false)
    expect(await source.bootId()).not.toBe(before)
    user.memory.arenas[0]!.bytes.fill(0) // nobody reads or writes it any more
    expect((await openOn(world, disk)).file.sizeBytes).toBe(BLOCKS * BLOCK)
  })

  it("leaves the same image for the same seed", async () => {
    const images = await Promise.all(
      [1, 2].map(async () => {
        const { disk } = await unflushed("same")
        return [disk.powerCut(), values(disk).join("")]
      }),
    )
    expect(images[0]).toEqual(images[1])
  })
})

describe("a killed process", () => {
  it("loses nothing that completed, as the kernel's cache is still there", async () => {
    const { disk, world } = await unflushed(6)
    const before = await disk.source().bootId()
    world.host("h").kill()
    expect(disk.isOpen).toBe(false)
    expect(values(disk)).toEqual([2, 2, 3, 3])
    expect(await disk.source().bootId()).toBe(before)
  })

  it("leaves writes that the next process's flush makes durable", async () => {
    const { disk, world } = await unflushed(7)
    world.host("h").kill()
    const next = await openOn(world, disk)
    await world.settled(next.flush(), "flush")
    disk.powerCut("lost")
    expect(values(disk)).toEqual([2, 2, 3, 3])
  })

  it("leaves writes to the next process's flush of whose completion it never learned", async () => {
    const { disk, world, user } = await begin(15)
    void user.write(0, filled(1, 1))
    await world.run({ stepsMax: 1 }) // the end of the turn, in which it leaves
    world.host("h").pause()
    await world.settle()
    world.host("h").kill()
    const next = await openOn(world, disk)
    await world.settled(next.flush(), "flush")
    disk.powerCut("lost")
    expect(values(disk)[0]).toBe(1)
  })

  it("is not called any more, not even with nothing", async () => {
    const { disk, world, user } = await begin(16, { timing: { write: [1, 1] } })
    void user.write(0, filled(1, 1))
    await world.run({ until: () => disk.peek(0, 1)[0] === 1 }) // done, but not yet delivered
    disk.kill()
    await world.settle()
    expect(user.batches).toEqual([])
  })

  it("may have carried out a write in flight in full, in part or not at all", async () => {
    const seen = new Set<string>()
    for (let seed = 0; seed < 60; seed++) {
      const { disk, world, user } = await begin(seed, { timing: { write: [10, 10] } })
      void user.write(0, filled(2, 9))
      await world.runFor(5)
      disk.kill()
      seen.add(values(disk, 2).join(""))
    }
    expect(seen).toEqual(new Set(["00", "90", "99"]))
  })

  it("gives up its lock, and its zombie code opens nothing more", async () => {
    const { disk, world } = await begin(8)
    const host = world.host("h")
    const zombieEnv = host.env
    host.kill()
    let hasOpened = false
    void openDiskUser(disk.source(host), zombieEnv).then(() => {
      hasOpened = true
    })
    await world.settle()
    expect([hasOpened, disk.isOpen]).toEqual([false, false])
    await openOn(world, disk)
    expect(disk.isOpen).toBe(true)
  })
})

describe("a failed flush", () => {
  it.each([
    ["closed", (scene: Scene) => scene.world.settled(scene.user.file.close(), "close")],
    ["killed", async (scene: Scene) => scene.disk.kill()],
  ])("is not made good by a later one: once %s, what it covered may be gone", async (_, end) => {
    const seen = new Set<string>()
    for (let seed = 0; seed < 20; seed++) {
      const scene = await begin(seed)
      const { disk, world, user } = scene
      await world.settled(user.write(0, filled(1, 1)), "write")
      disk.addRule({ on: ["flush"], fails: "io-error", times: 1 })
      await expect(world.settled(user.flush(), "flush")).rejects.toThrow("io-error")
      await world.settled(user.flush(), "second flush, which succeeds")
      expect(values(disk)[0]).toBe(1)
      await end(scene)
      seen.add(values(disk)[0] === 1 ? "kept" : "gone")
    }
    expect(seen).toEqual(new Set(["kept", "gone"]))
  })

  it("does not touch what is written again afterwards", async () => {
    const { disk, world, user } = await begin(9)
    await world.settled(user.write(0, filled(1, 1)), "write")
    disk.addRule({ on: ["flush"], fails: "io-error", times: 1 })
    await expect(world.settled(user.flush(), "flush")).rejects.toThrow(RmrError)
    await world.settled(user.write(0, filled(1, 2)), "write again")
    await world.settled(user.flush(), "second flush")
    disk.powerCut("lost")
    expect(values(disk)[0]).toBe(2)
  })
})

describe("crash points", () => {
  it("enumerate every image that a cut could leave, each once", async () => {
    const { disk } = await unflushed(10)
    const point = disk.crashPoint()
    expect(point.imageCount).toBe(16)
    expect(point.isExhaustive(16)).toBe(true)
    const world = nodeWorld({ seed: 0 })
    const seen = new Set<string>()
    for (const { content, choice } of point.images(16)) {
      const options = { name: choice, sizeBytes: BLOCKS * BLOCK, content }
      seen.add(values(simDisk(world, options)).join(""))
    }
    expect(seen.size).toBe(16)
    expect(seen.has("1213")).toBe(true)
  })

  it("begin with the telling images when there are too many for all", async () => {
    const { disk, world, user } = await unflushed(11)
    await world.settled(user.write(4 * BLOCK, filled(8, 4)), "fourth")
    const point = disk.crashPoint()
    expect([point.imageCount, point.isExhaustive(20)]).toEqual([4096, false])
    const choices = [...point.images(20)].map(({ choice }) => choice.replaceAll(/\d+:/g, ""))
    expect(choices.length).toBe(20)
    expect(choices.slice(0, 4)).toEqual([
      "0 0 0 0 0 0 0 0 0 0 0 0", // all lost
      "1 1 1 1 1 1 1 1 1 1 1 1", // all kept
      "1 1 0 0 0 0 0 0 0 0 0 0", // the first write only
      "1 1 1 1 0 0 0 0 0 0 0 0", // the first two
    ])
  })

  it("count equal versions once, so that writing the same again makes no new image", async () => {
    const { disk, world, user } = await begin(12)
    for (let round = 0; round < 3; round++) {
      await world.settled(user.write(0, filled(1, 5)), "same write")
    }
    await world.settled(user.write(BLOCK, filled(1, 0)), "zeroes over nothing")
    expect(disk.crashPoint().imageCount).toBe(2)
  })

  it("are recorded at every change, also between the two steps of a FUA write", async () => {
    const { disk, world, user } = await begin(13, { splitProbability: 0 })
    const recorder = disk.recordCrashPoints()
    await world.settled(user.write(0, filled(1, 1)), "write")
    await world.settled(user.write(BLOCK, filled(1, 2), BLOCK_FUA), "forced")
    await world.settled(user.flush(), "flush")
    recorder.stop()
    await world.settled(user.write(0, filled(1, 3)), "not recorded")
    const seen = recorder.points.map(({ after, imageCount }) => [after, imageCount])
    expect(seen).toEqual([
      ["start", 1],
      ["write 0+4096", 2],
      ["write 4096+4096", 4],
      ["forced unit access", 2],
      ["flush", 1],
    ])
  })

  it("stay what they were while the disk goes on", async () => {
    const { disk, world, user } = await begin(14)
    await world.settled(user.write(0, filled(1, 1)), "write")
    const point = disk.crashPoint()
    await world.settled(user.write(0, filled(1, 2)), "another write")
    await world.settled(user.flush(), "flush")
    const images = [...point.images(9)].map(({ content }) => {
      const copy = simDisk(world, { name: `copy`, sizeBytes: BLOCK, content })
      return values(copy, 1)[0]
    })
    expect(images).toEqual([0, 1])
  })

  it("say how large the disk was, and are recorded when it grows", async () => {
    const { disk, world, user } = await begin(17, { sizeBytesMax: 2 * BLOCKS * BLOCK })
    const recorder = disk.recordCrashPoints()
    await world.settled(user.file.grow(2 * BLOCKS * BLOCK), "grow")
    recorder.stop()
    const seen = recorder.points.map(({ after, sizeBytes }) => [after, sizeBytes])
    expect(seen).toEqual([
      ["start", BLOCKS * BLOCK],
      [`grow to ${2 * BLOCKS * BLOCK}`, 2 * BLOCKS * BLOCK],
    ])
  })
})
