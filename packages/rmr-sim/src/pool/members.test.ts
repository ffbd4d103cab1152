/** Members that come to a pool that is in use, and members that leave it for good (G2, G4, G5). */
import { memberId, STATUS_OK } from "@rmr/core"
import type { SimClient, SimNode, SimPool } from "./sim-pool.js"
import { openSoon, pattern, pause, tell, userOf } from "./story.js"

jest.setTimeout(60_000)

const SIZE = 2 * 1024 * 1024
const CHUNK = 64 * 1024

/** Until these nodes are normal, lack nothing, and hold the same bytes. */
async function expectWhole(sim: SimPool, client: SimClient, nodes: readonly SimNode[]) {
  const idsOf = (): number[] =>
    client.pool.record.members.flatMap((entry, slot) =>
      entry !== undefined && (client.pool.record.normal & (1 << slot)) !== 0
        ? [entry.memberId as number]
        : [],
    )
  const wanted = nodes.map((node) => node.memberId as number)
  const isWhole = (): boolean =>
    JSON.stringify(idsOf().sort()) === JSON.stringify(wanted) &&
    nodes.every(({ pool, dirtyChunks }) => pool !== undefined && dirtyChunks === 0)
  for (let nth = 0; nth < 300 && !isWhole(); nth++) await pause(sim, 100)
  expect(idsOf().sort()).toEqual(wanted)
  const contents = nodes.map(({ store }) => Buffer.from(store.peek(0, sim.sizeBytes)))
  for (const content of contents) expect(content.equals(contents[0]!)).toBe(true)
}

const knownOf = ({ memberId: id, address }: SimNode) => ({ memberId: id, address })

describe("a member that comes", () => {
  it("G2: fetches all there is while the pool is in use, and is one like the others", async () => {
    await tell(801, { sizeBytes: SIZE, nodes: 3, founders: 2 }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      const [first, second, third] = sim.nodes
      for (let at = 0; at < SIZE; at += CHUNK) {
        expect(await user.write(at, pattern(at / CHUNK, 8192))).toBe(STATUS_OK)
      }
      const writing = user.write(CHUNK, pattern(77, 4096))
      await client.pool.extend(knownOf(third!))
      expect(await writing).toBe(STATUS_OK)
      expect(await user.write(2 * CHUNK, pattern(78, 4096))).toBe(STATUS_OK)
      await expectWhole(sim, client, [first!, second!, third!])
      // The others can go: what it has is all.
      first!.kill()
      second!.kill()
      sim.killClient(client)
      await first!.start()
      await pause(sim, 4000)
      // Nobody has named the third one to this client but the first one's record.
      const words = "1 more of member 2 must be here"
      await expect(sim.open(true)).rejects.toThrow(words)
      await second!.start()
      const next = await openSoon(sim)
      expect(next.pool.record.members.map((entry) => entry?.memberId)).toEqual([1, 2, 3])
      expect(await userOf(next).read(CHUNK, 4096)).toEqual(pattern(77, 4096))
      await expectWhole(sim, next, [first!, second!, third!])
    })
  })

  it("G2: is named, and waits, where it goes away before it has anything", async () => {
    await tell(802, { sizeBytes: SIZE, nodes: 3, founders: 2 }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      expect(await user.write(0, pattern(1, 4096))).toBe(STATUS_OK)
      const third = sim.nodes[2]!
      await client.pool.extend(knownOf(third))
      third.cutPower()
      expect(await user.write(CHUNK, pattern(2, 4096))).toBe(STATUS_OK)
      sim.killClient(client)
      const next = await openSoon(sim)
      expect(next.pool.record.normal).toBe(0b011)
      expect(await userOf(next).write(0, pattern(3, 4096))).toBe(STATUS_OK)
      await third.start()
      await expectWhole(sim, next, sim.nodes)
    })
  })

  it("G2: is refused with a known id, and with a store that is not empty", async () => {
    await tell(803, { sizeBytes: SIZE, nodes: 3, founders: 2 }, async (sim) => {
      await sim.startAll()
      const { pool } = await sim.create()
      const again = pool.extend({ memberId: memberId(2), address: sim.nodes[2]!.address })
      await expect(again).rejects.toMatchObject({ code: "exists" })
      const own = pool.extend({ memberId: memberId(3), address: sim.nodes[1]!.address })
      await expect(own).rejects.toMatchObject({ code: "mismatch" })
      const nobody = pool.extend({ memberId: memberId(3), address: "sim:nowhere:1" })
      await expect(nobody).rejects.toMatchObject({ code: "unreachable" })
      expect(pool.record.members).toHaveLength(2)
    })
  })
})

describe("a member that moves", () => {
  it("G2: is found at its new address, by the client and by the members that copy", async () => {
    await tell(805, { sizeBytes: SIZE, nodes: 3, minNormal: 1 }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      const [first, second, third] = sim.nodes
      expect(await user.write(0, pattern(1, 8192))).toBe(STATUS_OK)
      await second!.stop()
      second!.address = "sim:node-2:7"
      expect(await user.write(CHUNK, pattern(2, 8192))).toBe(STATUS_OK)
      await second!.start()
      await pause(sim, 3000)
      expect(client.pool.record.normal).toBe(0b101)
      await client.pool.move(knownOf(second!))
      expect(client.pool.record.members[1]?.address).toBe("sim:node-2:7")
      await expectWhole(sim, client, sim.nodes)
      // Whoever copies from it asks it there, too.
      first!.kill()
      third!.kill()
      expect(await user.write(2 * CHUNK, pattern(3, 8192))).toBe(STATUS_OK)
      await third!.start()
      await first!.start()
      await expectWhole(sim, client, sim.nodes)
      expect(await user.read(2 * CHUNK, 8192)).toEqual(pattern(3, 8192))
    })
  })

  it("G2: stays where it is while it is in use, or another store answers there", async () => {
    await tell(806, { sizeBytes: SIZE, nodes: 3, founders: 2 }, async (sim) => {
      await sim.startAll()
      const { pool } = await sim.create()
      const [first, second, third] = sim.nodes
      const elsewhere = { memberId: second!.memberId, address: "sim:node-2:7" }
      const words = /in use at sim:node-2:1; "rmr pool disable vault 2" first/
      await expect(pool.move(elsewhere)).rejects.toMatchObject({ code: "busy", message: words })
      await pool.maintain(second!.memberId, true)
      await expect(pool.move(elsewhere)).rejects.toMatchObject({ code: "unreachable" })
      const taken = pool.move({ memberId: second!.memberId, address: first!.address })
      await expect(taken).rejects.toMatchObject({ code: "exists" })
      const other = pool.move({ memberId: second!.memberId, address: third!.address })
      await expect(other).rejects.toMatchObject({ code: "mismatch" })
      const nobody = pool.move({ memberId: memberId(9), address: "sim:node-2:7" })
      await expect(nobody).rejects.toMatchObject({ code: "not-found" })
      expect(pool.record.members[1]?.address).toBe("sim:node-2:1")
    })
  })
})

describe("a member that is deleted", () => {
  it("G4: leaves with one view, and never starts a pool again", async () => {
    await tell(811, { sizeBytes: SIZE, nodes: 3 }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      const [first, second, third] = sim.nodes
      expect(await user.write(0, pattern(1, 8192))).toBe(STATUS_OK)
      const writing = user.write(CHUNK, pattern(2, 4096))
      await client.pool.delete(third!.memberId)
      expect(await writing).toBe(STATUS_OK)
      expect(client.pool.record.members.map((entry) => entry?.memberId)).toEqual([1, 2])
      expect(await user.write(0, pattern(3, 4096))).toBe(STATUS_OK)
      await expectWhole(sim, client, [first!, second!])
      sim.killClient(client)
      first!.kill()
      second!.kill()
      await pause(sim, 4000)
      // It knows the view that it was in last, and that two others were in it.
      await expect(sim.open(true)).rejects.toMatchObject({ code: "no-leg" })
      await first!.start()
      await second!.start()
      const next = await openSoon(sim)
      expect(next.pool.record.members.map((entry) => entry?.memberId)).toEqual([1, 2])
      expect(await userOf(next).read(0, 4096)).toEqual(pattern(3, 4096))
    })
  })

  it("G4: may be away, and its place goes to another one, whose marks are its own", async () => {
    await tell(812, { sizeBytes: SIZE, nodes: 4, founders: 3 }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      const [first, second, third, fourth] = sim.nodes
      third!.kill()
      expect(await user.write(0, pattern(1, 8192))).toBe(STATUS_OK)
      expect(client.pool.record.normal).toBe(0b011)
      await client.pool.delete(third!.memberId)
      await client.pool.extend(knownOf(fourth!))
      expect(client.pool.record.members.map((entry) => entry?.memberId)).toEqual([1, 2, 4])
      await expectWhole(sim, client, [first!, second!, fourth!])
      // Whoever was deleted stays out, whatever it remembers.
      await third!.start()
      await pause(sim, 3000)
      expect(await user.write(CHUNK, pattern(2, 4096))).toBe(STATUS_OK)
      await expectWhole(sim, client, [first!, second!, fourth!])
    })
  })

  it("G4: is kept while too few would be left", async () => {
    await tell(813, { sizeBytes: SIZE, nodes: 3, minNormal: 2 }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      sim.nodes[2]!.kill()
      expect(await user.write(0, pattern(1, 4096))).toBe(STATUS_OK)
      const last = client.pool.delete(sim.nodes[1]!.memberId)
      await expect(last).rejects.toMatchObject({ code: "no-leg" })
      expect(client.pool.record.members).toHaveLength(3)
      // IO stood still for the question, and goes on.
      expect(await user.write(CHUNK, pattern(2, 4096))).toBe(STATUS_OK)
      await sim.nodes[2]!.start()
      await expectWhole(sim, client, sim.nodes)
    })
  })

  it("G4: RT-26: is kept while a chunk is clean at it alone", async () => {
    await tell(814, { sizeBytes: SIZE, nodes: 2, minNormal: 1 }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      const [first, second] = sim.nodes
      first!.kill()
      expect(await user.write(0, pattern(1, CHUNK))).toBe(STATUS_OK)
      expect(await user.write(5 * CHUNK, pattern(2, CHUNK))).toBe(STATUS_OK)
      await first!.start()
      // An admin has stopped its copies: it is back, and still lacks what it has missed.
      first!.pool?.setSync(false)
      while (client.pool.record.normal !== 0b11) await pause(sim, 100)
      const refused = client.pool.delete(second!.memberId)
      await expect(refused).rejects.toMatchObject({ code: "no-clean-copy", message: /2 chunks/ })
      expect(client.pool.record.normal).toBe(0b11)
      first!.pool?.setSync(true)
      await expectWhole(sim, client, [first!, second!])
      await client.pool.delete(second!.memberId)
      expect(await user.read(5 * CHUNK, 4096)).toEqual(pattern(2, CHUNK).slice(0, 4096))
      await expectWhole(sim, client, [first!])
    })
  })

  it("G4: keeps what only it has while it is away, until its loss is accepted", async () => {
    await tell(815, { sizeBytes: SIZE, nodes: 2, minNormal: 1 }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      const [first, second] = sim.nodes
      expect(await user.write(0, pattern(1, CHUNK))).toBe(STATUS_OK)
      second!.kill()
      expect(await user.write(CHUNK, pattern(2, 4096))).toBe(STATUS_OK)
      first!.store.failReads(0, 4096)
      await user.read(0, 4096)
      const refused = client.pool.delete(second!.memberId)
      await expect(refused).rejects.toMatchObject({ code: "no-clean-copy", message: /1 chunks/ })
      await client.pool.delete(second!.memberId, true)
      expect(client.pool.record.members.map((entry) => entry?.memberId)).toEqual([1])
      // With nobody left to wait for, the chunk is lost and everything else goes on (RT-62).
      expect(await user.flush()).toBe(STATUS_OK)
      expect(await user.write(0, pattern(4, CHUNK))).toBe(STATUS_OK)
      expect(await user.read(0, 4096)).toEqual(pattern(4, CHUNK).slice(0, 4096))
    })
  })
})

describe("a member in maintenance", () => {
  it("G4: stays out until it is let back, whoever opens the pool meanwhile", async () => {
    await tell(821, { sizeBytes: SIZE, nodes: 3 }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const third = sim.nodes[2]!
      expect(await userOf(client).write(0, pattern(1, 8192))).toBe(STATUS_OK)
      await client.pool.maintain(third.memberId, true)
      expect(client.pool.record.normal).toBe(0b011)
      third.kill()
      expect(await userOf(client).write(0, pattern(2, 4096))).toBe(STATUS_OK)
      await third.start()
      sim.killClient(client)
      const next = await openSoon(sim)
      await pause(sim, 10_000)
      expect(next.pool.record.normal).toBe(0b011)
      const words = expect.stringContaining('in maintenance; "rmr pool enable vault 3"')
      expect(next.pool.returning).toEqual([{ memberId: 3, phase: "held back", detail: words }])
      expect(await userOf(next).write(CHUNK, pattern(3, 4096))).toBe(STATUS_OK)
      await next.pool.maintain(third.memberId, false)
      await expectWhole(sim, next, sim.nodes)
    })
  })

  it("G4: is not begun while a chunk is clean at it alone, or too few would be left", async () => {
    await tell(822, { sizeBytes: SIZE, nodes: 2, minNormal: 1 }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      const [first, second] = sim.nodes
      first!.kill()
      expect(await user.write(0, pattern(1, CHUNK))).toBe(STATUS_OK)
      const last = client.pool.maintain(second!.memberId, true)
      await expect(last).rejects.toMatchObject({ code: "no-leg" })
      await first!.start()
      first!.pool?.setSync(false)
      while (client.pool.record.normal !== 0b11) await pause(sim, 100)
      const alone = client.pool.maintain(second!.memberId, true)
      await expect(alone).rejects.toMatchObject({ code: "no-clean-copy", message: /1 chunks/ })
      first!.pool?.setSync(true)
      await expectWhole(sim, client, [first!, second!])
      await client.pool.maintain(second!.memberId, true)
      expect(client.pool.record.normal).toBe(0b01)
      expect(await user.read(0, 4096)).toEqual(pattern(1, CHUNK).slice(0, 4096))
    })
  })
})
