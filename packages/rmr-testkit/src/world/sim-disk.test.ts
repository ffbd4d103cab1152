import type { BlockBatch } from "@rmr/core"
import { BLOCK_FUA, BLOCK_STATUS, BLOCK_UNMAP, leaseBytes, RmrError, statusOf } from "@rmr/core"
import { nodeWorld } from "../node/index.js"
import { SCRIBBLE_BYTE } from "./disk-operation.js"
import type { DiskUser } from "./disk-user.js"
import { openDiskUser } from "./disk-user.js"
import type { Seed } from "./seeded-random.js"
import type { SimDisk, SimDiskOptions } from "./sim-disk.js"
import { simDisk } from "./sim-disk.js"
import type { World } from "./world.js"

const BLOCK = 4096
const BLOCKS = 64

interface Scene {
  readonly world: World
  readonly disk: SimDisk
  readonly user: DiskUser
}

async function begin(seed: Seed, options: Partial<SimDiskOptions> = {}): Promise<Scene> {
  const world = nodeWorld({ seed })
  const disk = simDisk(world, { name: "d", sizeBytes: BLOCKS * BLOCK, ...options })
  const host = world.host("h")
  const user = await world.settled(openDiskUser(disk.source(host), host.env), "open disk")
  return { world, disk, user }
}

function filled(blocks: number, value: number): Uint8Array {
  return new Uint8Array(blocks * BLOCK).fill(value)
}

/** The code that the operation fails with, or "done". */
async function result(world: World, operation: Promise<unknown>): Promise<string> {
  try {
    await world.settled(operation, "operation")
    return "done"
  } catch (thrown) {
    return thrown instanceof RmrError ? thrown.code : String(thrown)
  }
}

describe("a block file of a simulated disk", () => {
  it("reads what was written, and zero where nothing was", async () => {
    const { world, user } = await begin(1)
    await world.settled(user.write(3 * BLOCK, filled(2, 7)), "write")
    const read = await world.settled(user.read(2 * BLOCK, 4 * BLOCK), "read")
    expect([0, 1, 2, 3].map((at) => read[at * BLOCK])).toEqual([0, 7, 7, 0])
  })

  it("costs nothing for 64 TiB, and a block at its end costs a page", async () => {
    const sizeBytes = 64 * 2 ** 40
    const { world, disk, user } = await begin(2, { sizeBytes })
    expect([user.file.sizeBytes, disk.allocatedBytes]).toEqual([sizeBytes, 0])
    await world.settled(user.write(sizeBytes - BLOCK, filled(1, 7)), "write")
    expect(disk.allocatedBytes).toBe(BLOCK)
    expect(disk.peek(sizeBytes - 1, 1)[0]).toBe(7)
  })

  it("completes operations that are in flight together in any order, in few batches", async () => {
    const { world, user } = await begin(3)
    const order: number[] = []
    const all = Array.from({ length: 32 }, async (_, at) => {
      await user.write(at * BLOCK, filled(1, at))
      order.push(at)
    })
    await world.settled(Promise.all(all), "writes")
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 32 }, (_, at) => at))
    expect(order).not.toEqual([...order].sort((a, b) => a - b))
    const { user: even, world: evenWorld } = await begin(3, { timing: { write: [1, 1] } })
    const same = Array.from({ length: 32 }, (_, at) => even.write(at * BLOCK, filled(1, at)))
    await evenWorld.settled(Promise.all(same), "writes")
    expect(even.batches).toEqual([32])
  })

  it("carries long operations out in two steps: a read may see half of a write", async () => {
    let halfCount = 0
    for (let seed = 0; seed < 40; seed++) {
      const { world, user } = await begin(seed)
      const writing = user.write(0, filled(8, 1))
      const read = await world.settled(user.read(0, 8 * BLOCK), "read")
      await world.settled(writing, "write")
      const seen = new Set(Array.from({ length: 8 }, (_, at) => read[at * BLOCK]))
      if (seen.size === 2) halfCount++
    }
    expect(halfCount).toBeGreaterThan(0)
  })

  it("refuses bad ranges with a status and changes nothing", async () => {
    const { world, disk, user } = await begin(4, { ioBytesMax: 4 * BLOCK })
    const end = BLOCKS * BLOCK
    expect(await result(world, user.write(512, filled(1, 1)))).toBe("invalid-range")
    expect(await result(world, user.write(0, new Uint8Array(512)))).toBe("invalid-range")
    expect(await result(world, user.write(end - BLOCK, filled(2, 1)))).toBe("invalid-range")
    expect(await result(world, user.read(0, 5 * BLOCK))).toBe("invalid-range")
    expect(await result(world, user.zero(end, BLOCK))).toBe("invalid-range")
    expect(disk.allocatedBytes).toBe(0)
    expect(await result(world, user.write(end - BLOCK, filled(1, 1)))).toBe("done")
  })

  it("refuses what only a mistake can ask by assertion", async () => {
    const { user } = await begin(5, { inFlightMax: 2 })
    const { file, memory } = user
    const lease = memory.lease(BLOCK)
    expect(() => file.read(1, 0, lease, 512, BLOCK)).toThrow("aligned")
    expect(() => file.read(1, 0, lease, BLOCK, BLOCK)).toThrow("inside its lease")
    expect(() => file.write(1, 0, lease, 0, BLOCK, BLOCK_UNMAP)).toThrow("no flags")
    expect(() => file.zero(1, 0, BLOCK, 4)).toThrow("no flags")
    void user.flush()
    void user.flush()
    expect(() => file.flush(9)).toThrow("no more than inFlightMax")
  })

  it("refuses FUA with a status where the medium has none", async () => {
    const { world, user } = await begin(6, { supports: { forcedUnitAccess: false } })
    expect(user.file.supports.forcedUnitAccess).toBe(false)
    expect(await result(world, user.write(0, filled(1, 1), BLOCK_FUA))).toBe("unsupported")
    expect(await result(world, user.write(0, filled(1, 1)))).toBe("done")
  })

  it("gives space back only by unmap, and zeroes either way", async () => {
    const { world, disk, user } = await begin(7)
    await world.settled(user.write(0, filled(4, 1)), "write")
    await world.settled(user.zero(0, 2 * BLOCK), "zero")
    expect(disk.allocatedBytes).toBe(4 * BLOCK)
    await world.settled(user.zero(2 * BLOCK, 2 * BLOCK, BLOCK_UNMAP), "unmap")
    expect(disk.allocatedBytes).toBe(2 * BLOCK)
    expect(new Set(disk.peek(0, 4 * BLOCK))).toEqual(new Set([0]))
  })

  it("keeps a second opener out, who disturbs nothing", async () => {
    const { world, disk, user } = await begin(8)
    const second = openDiskUser(disk.source(), world.env)
    expect(await result(world, second)).toBe("busy")
    expect(await result(world, user.write(0, filled(1, 1)))).toBe("done")
  })

  it("closes after what is in flight, refuses what comes later, and unlocks", async () => {
    const { world, disk, user } = await begin(9)
    const write = user.write(0, filled(4, 1))
    const closing = user.file.close()
    const late = user.read(0, BLOCK)
    expect(user.file.close()).toBe(closing)
    expect(await result(world, late)).toBe("closed")
    await world.settled(Promise.all([write, closing]), "write and close")
    expect([disk.isOpen, disk.peek(0, 1)[0]]).toEqual([false, 1])
    expect(user.memory.stats().leaseCount).toBe(0)
    expect(world.pendingCount).toBe(0)
    expect(await result(world, user.flush())).toBe("closed")
  })

  it("holds the lease of a write till its completion, though the caller let go of it", async () => {
    const { world, user } = await begin(10)
    const write = user.write(0, filled(1, 1))
    expect(user.memory.stats().leaseCount).toBe(1)
    await world.settled(write, "write")
    expect(user.memory.stats().leaseCount).toBe(0)
  })

  it("completes nothing while its process is stopped, and then all at once", async () => {
    const { world, disk, user } = await begin(11)
    const host = world.host("h")
    const writes = Promise.all([user.write(0, filled(1, 1)), user.write(BLOCK, filled(1, 2))])
    await world.run({ stepsMax: 1 }) // the end of the turn, in which they leave
    host.pause()
    await world.runFor(60_000)
    expect(user.batches).toEqual([])
    host.resume()
    await world.settled(writes, "writes")
    expect(disk.peek(BLOCK, 1)[0]).toBe(2)
  })

  it("grows durably as a file, to what holds rubbish, and not beyond its bound", async () => {
    const options = { sizeBytes: 4 * BLOCK, sizeBytesMax: 16 * BLOCK }
    const { world, disk, user } = await begin(12, options)
    expect(await result(world, user.file.grow(8 * BLOCK))).toBe("done")
    expect([user.file.sizeBytes, disk.sizeBytes]).toEqual([8 * BLOCK, 8 * BLOCK])
    expect(disk.peek(4 * BLOCK, 1)[0]).not.toBe(0)
    expect(await result(world, user.file.grow(17 * BLOCK))).toBe("no-space")
    disk.powerCut("lost")
    expect(disk.sizeBytes).toBe(8 * BLOCK)
  })

  it("takes up what an admin has added to a device", async () => {
    const { world, disk, user } = await begin(13)
    expect(await result(world, user.file.grow((BLOCKS + 8) * BLOCK))).toBe("no-space")
    disk.resize((BLOCKS + 8) * BLOCK)
    expect(user.file.sizeBytes).toBe(BLOCKS * BLOCK)
    expect(await result(world, user.file.grow((BLOCKS + 8) * BLOCK))).toBe("done")
    expect(user.file.sizeBytes).toBe((BLOCKS + 8) * BLOCK)
  })
})

describe("faults of a simulated disk", () => {
  it("fail an operation and leave the file open", async () => {
    const { world, disk, user } = await begin(20)
    disk.setFaults({ readError: 1, writeError: 1, flushError: 1 })
    for (const operation of [user.read(0, BLOCK), user.write(0, filled(1, 1)), user.flush()]) {
      expect(await result(world, operation)).toBe("io-error")
    }
    disk.setFaults({})
    expect(await result(world, user.write(0, filled(1, 1)))).toBe("done")
    const { readError, writeError, flushError } = disk.struckCounts
    expect([readError, writeError, flushError]).toEqual([1, 1, 1])
  })

  it("leave a failed write done in full, in part or not at all", async () => {
    const seen = new Set<string>()
    for (let seed = 0; seed < 40; seed++) {
      const { world, disk, user } = await begin(seed)
      disk.setFaults({ writeError: 1 })
      await result(world, user.write(0, filled(2, 1)))
      seen.add(`${disk.peek(0, 1)[0]}${disk.peek(BLOCK, 1)[0]}`)
    }
    expect(seen).toEqual(new Set(["00", "10", "11"]))
  })

  it("leave rubbish in the memory of a failed read, and only there", async () => {
    const { world, disk, user } = await begin(21)
    await world.settled(user.file.close(), "close")
    const { memory } = user
    const lease = memory.lease(3 * BLOCK)
    const bytes = leaseBytes(memory, lease, 0, 3 * BLOCK).fill(1)
    let status = -1
    const onCompletions = ({ words }: BlockBatch): void => {
      status = words[BLOCK_STATUS]!
    }
    const opening = disk.source().open({ env: world.env, memory, events: { onCompletions } })
    const file = await world.settled(opening, "open")
    disk.damage(0, BLOCK)
    file.read(1, 0, lease, BLOCK, BLOCK)
    await world.runUntil(() => status >= 0, "completion")
    expect(status).toBe(statusOf("media-error"))
    expect([0, 1, 2].map((at) => bytes[at * BLOCK])).toEqual([1, SCRIBBLE_BYTE, 1])
  })

  it("strike a place by rule, as often as the rule says", async () => {
    const { world, disk, user } = await begin(22)
    const takeBack = disk.addRule({ offset: 8 * BLOCK, length: BLOCK, fails: "io-error" })
    disk.addRule({ on: ["write"], fails: "no-space", times: 1 })
    expect(await result(world, user.write(0, filled(1, 1)))).toBe("no-space")
    expect(await result(world, user.write(0, filled(1, 1)))).toBe("done")
    expect(await result(world, user.read(7 * BLOCK, 2 * BLOCK))).toBe("io-error")
    expect(await result(world, user.read(7 * BLOCK, BLOCK))).toBe("done")
    takeBack()
    expect(await result(world, user.read(8 * BLOCK, BLOCK))).toBe("done")
  })

  it("strike by rule the nth operation of its kind, and say which that was", async () => {
    const { world, disk, user } = await begin(24)
    disk.addRule({ on: ["write"], passes: 2, fails: "io-error", times: 1 })
    await world.settled(user.flush(), "a flush, which does not count")
    const ends: string[] = []
    for (let nth = 0; nth < 4; nth++) {
      ends.push(await result(world, user.write(nth * BLOCK, filled(1, 1))))
    }
    expect(ends).toEqual(["done", "done", "io-error", "done"])
    expect(disk.struckByRules).toEqual([`write ${2 * BLOCK}+${BLOCK}`])
  })

  it("a bad sector costs its range until it is written again", async () => {
    const { world, disk, user } = await begin(23)
    disk.damage(3 * BLOCK, 2 * BLOCK)
    expect(await result(world, user.read(BLOCK, 8 * BLOCK))).toBe("media-error")
    expect(user.lastBad).toEqual({ at: 2 * BLOCK, bytes: 2 * BLOCK })
    await world.settled(user.write(3 * BLOCK, filled(1, 1)), "write")
    expect(await result(world, user.read(3 * BLOCK, BLOCK))).toBe("done")
    expect(await result(world, user.read(4 * BLOCK, BLOCK))).toBe("media-error")
    await world.settled(user.zero(4 * BLOCK, BLOCK), "zero")
    expect(await result(world, user.read(BLOCK, 8 * BLOCK))).toBe("done")
  })

  it("a dead sector is not healed by a write, which is done up to there", async () => {
    const { world, disk, user } = await begin(24)
    disk.damage(BLOCK, BLOCK, "both")
    expect(await result(world, user.write(0, filled(3, 1)))).toBe("media-error")
    expect(user.lastBad).toEqual({ at: BLOCK, bytes: BLOCK })
    expect([0, 1, 2].map((at) => disk.peek(at * BLOCK, 1)[0])).toEqual([1, 0, 0])
    expect(await result(world, user.read(BLOCK, BLOCK))).toBe("media-error")
    disk.damage(5 * BLOCK, BLOCK, "writes")
    expect(await result(world, user.read(5 * BLOCK, BLOCK))).toBe("done")
    expect(await result(world, user.zero(5 * BLOCK, BLOCK))).toBe("media-error")
  })

  it("a sector that dies under a write in flight stays dead", async () => {
    const { world, disk, user } = await begin(37, { timing: { write: [1, 1] } })
    const write = user.write(0, filled(1, 1))
    await world.runFor(0.5)
    disk.damage(0, BLOCK, "both")
    await world.settled(write, "write")
    expect(await result(world, user.read(0, BLOCK))).toBe("media-error")
  })

  it("a grown bad sector is found by the read that grew it", async () => {
    const { world, disk, user } = await begin(25, { faults: { badSector: 1 } })
    expect(await result(world, user.read(0, 4 * BLOCK))).toBe("media-error")
    expect(user.lastBad.bytes).toBe(BLOCK)
    disk.setFaults({})
    expect(await result(world, user.read(0, 4 * BLOCK))).toBe("media-error")
  })

  it("bit rot changes one bit, for good, and every read succeeds", async () => {
    const { world, disk, user } = await begin(26)
    await world.settled(user.write(0, filled(4, 0)), "write")
    disk.setFaults({ bitRot: 1 })
    const rotten = await world.settled(user.read(0, 4 * BLOCK), "read")
    disk.setFaults({})
    const changed = [...rotten].filter((byte) => byte !== 0)
    expect(changed.length).toBe(1)
    expect(Math.log2(changed[0]!) % 1).toBe(0)
    expect(await world.settled(user.read(0, 4 * BLOCK), "second read")).toEqual(rotten)
    await world.settled(user.flush(), "flush")
    disk.powerCut("lost")
    expect(disk.peek(0, 4 * BLOCK)).toEqual(rotten)
  })

  it("a misdirected write succeeds, at a wrong place and not at the right one", async () => {
    const { world, disk, user } = await begin(27)
    disk.setFaults({ misdirectedWrite: 1 })
    expect(await result(world, user.write(8 * BLOCK, filled(1, 9)))).toBe("done")
    const places = Array.from({ length: BLOCKS }, (_, at) => disk.peek(at * BLOCK, 1)[0])
    expect(places.filter((value) => value === 9).length).toBe(1)
    expect(places[8]).toBe(0)
    for (let seed = 0; seed < 10; seed++) {
      const two = await begin(seed, { sizeBytes: 2 * BLOCK, faults: { misdirectedWrite: 1 } })
      await two.world.settled(two.user.write(0, filled(1, 9)), "write")
      expect([two.disk.peek(0, 1)[0], two.disk.peek(BLOCK, 1)[0]]).toEqual([0, 9])
    }
  })

  it("a misdirected read succeeds with the bytes of another place", async () => {
    const { world, disk, user } = await begin(28)
    for (let at = 0; at < BLOCKS; at++) disk.poke(at * BLOCK, filled(1, at + 1))
    disk.setFaults({ misdirectedRead: 1 })
    const read = await world.settled(user.read(8 * BLOCK, BLOCK), "read")
    expect(read[0]).not.toBe(9)
    expect(new Set(read).size).toBe(1)
  })

  it("a lost write succeeds and changes nothing", async () => {
    const { world, disk, user } = await begin(29, { faults: { lostWrite: 1 } })
    expect(await result(world, user.write(0, filled(1, 9), BLOCK_FUA))).toBe("done")
    expect([disk.peek(0, 1)[0], disk.struckCounts.lostWrite]).toEqual([0, 1])
  })

  it("a stale read shows what was durable, and the next one shows the truth", async () => {
    const { world, disk, user } = await begin(30)
    await world.settled(user.write(0, filled(2, 1)), "write")
    await world.settled(user.flush(), "flush")
    await world.settled(user.write(BLOCK, filled(1, 2)), "write again")
    disk.setFaults({ staleRead: 1 })
    const stale = await world.settled(user.read(0, 2 * BLOCK), "stale read")
    expect([stale[0], stale[BLOCK]]).toEqual([1, 1])
    disk.setFaults({})
    expect((await world.settled(user.read(BLOCK, BLOCK), "read"))[0]).toBe(2)
  })

  it("a slow operation takes its time, and does not slow the others", async () => {
    const { world, disk, user } = await begin(31, { timing: { slow: [5000, 5000] } })
    disk.setFaults({ slow: 1 })
    const slow = user.read(0, BLOCK)
    await world.runFor(1)
    disk.setFaults({})
    await world.settled(user.read(0, BLOCK), "quick read")
    expect(world.nowMs).toBeLessThan(10)
    await world.settled(slow, "slow read")
    expect(world.nowMs).toBeGreaterThan(5000)
  })

  it("a stuck disk ends nothing until it is released, not even what had begun", async () => {
    const { world, disk, user } = await begin(32, { timing: { read: [1, 1] } })
    let endedCount = 0
    const count = (): void => {
      endedCount++
    }
    const begun = user.read(0, BLOCK).then(count)
    await world.runFor(0.5)
    disk.stick()
    const later = user.write(0, filled(1, 1)).then(count)
    await world.runFor(3_600_000)
    expect([endedCount, disk.peek(0, 1)[0]]).toEqual([0, 0])
    disk.release()
    await world.settled(Promise.all([begun, later]), "both")
    expect(endedCount).toBe(2)
  })

  it("one stuck operation hangs alone until the release", async () => {
    const { world, disk, user } = await begin(33, { faults: { stuck: 1 } })
    const stuck = user.flush()
    await world.runFor(100)
    disk.setFaults({})
    await world.settled(user.flush(), "another flush")
    disk.release()
    await world.settled(stuck, "stuck flush")
  })

  it("a full medium takes known places, and new ones again after unmap", async () => {
    const { world, user } = await begin(34, { spaceBytesMax: 4 * BLOCK })
    expect(await result(world, user.write(0, filled(4, 1)))).toBe("done")
    expect(await result(world, user.write(8 * BLOCK, filled(1, 1)))).toBe("no-space")
    expect(await result(world, user.write(0, filled(4, 2)))).toBe("done")
    await world.settled(user.zero(0, BLOCK, BLOCK_UNMAP), "unmap")
    expect(await result(world, user.write(8 * BLOCK, filled(1, 1)))).toBe("done")
  })

  it("a disk that became shorter fails beyond its end, and opens with its new size", async () => {
    const { world, disk, user } = await begin(35)
    await world.settled(user.write(40 * BLOCK, filled(1, 1)), "write")
    disk.resize(32 * BLOCK)
    expect(await result(world, user.read(40 * BLOCK, BLOCK))).toBe("io-error")
    expect(await result(world, user.read(0, BLOCK))).toBe("done")
    await world.settled(user.file.close(), "close")
    const again = await world.settled(openDiskUser(disk.source(), world.env), "open")
    expect(again.file.sizeBytes).toBe(32 * BLOCK)
    disk.resize(64 * BLOCK)
    expect(disk.peek(40 * BLOCK, 1)[0]).toBe(0)
  })

  it("switched on or off, one kind leaves the chances of the others where they were", async () => {
    const struck = async (lostWrite: number): Promise<string> => {
      const { world, disk, user } = await begin(36, { faults: { readError: 0.5, lostWrite } })
      const results: string[] = []
      for (let round = 0; round < 20; round++) {
        await world.settled(user.write(0, filled(1, 1)), "write")
        results.push(await result(world, user.read(0, BLOCK)))
      }
      expect(disk.struckCounts.lostWrite > 0).toBe(lostWrite > 0)
      return results.join(" ")
    }
    expect(await struck(0.5)).toBe(await struck(0))
  })
})
