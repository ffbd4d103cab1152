/**
 * Requests that are no whole blocks: what lies around them stays, whoever writes it meanwhile.
 */
import { type Lease, NO_LEASE, statusOf } from "@rmr/core"
import { seededRandom } from "@rmr/testkit/world"
import * as nbd from "../src/nbd/protocol.js"
import { type Harness, harness, MIB, pattern, turns } from "./nbd-harness.js"
import { RawClient } from "./raw-client.js"

let world: Harness
let client: RawClient

async function open(options: Parameters<typeof harness>[0] = {}): Promise<void> {
  world = await harness(options)
  client = await RawClient.serving(world.at, "disk")
}

afterEach(async () => {
  client.close()
  await world.close()
})

const write = (offset: number, bytes: number, flags = 0) => ({
  kind: nbd.CMD_WRITE,
  ...{ offset, flags, payload: pattern(bytes, offset) },
})

it.each([
  ["inside a block", 100, 200],
  ["across two", 4000, 200],
  ["from the start of one", 4096, 10],
  ["to the end of one", 4000, 96],
  ["longer than the memory that is kept for it", 4095, 300_002],
])("a write and its read %s", async (_, offset, bytes) => {
  await open()
  world.volumes.bytes.fill(0xee)
  const expected = Buffer.from(world.volumes.bytes)
  expected.set(pattern(bytes, offset), offset)
  expect(await client.ask(write(offset, bytes))).toMatchObject({ errno: 0 })
  expect(Buffer.compare(world.volumes.bytes, expected)).toBe(0)
  const { data } = await client.ask({ kind: nbd.CMD_READ, offset, bytes })
  expect(Buffer.compare(data, pattern(bytes, offset))).toBe(0)
})

it("zeroes keep what is around them, and whole blocks of them are not read or copied", async () => {
  await open()
  world.volumes.bytes.fill(0xee)
  const expected = Buffer.from(world.volumes.bytes).fill(0, 1000, MIB + 1000)
  world.volumes.trace = []
  await client.ask({ kind: nbd.CMD_WRITE_ZEROES, flags: nbd.FLAG_FUA, offset: 1000, bytes: MIB })
  expect(Buffer.compare(world.volumes.bytes, expected)).toBe(0)
  expect(world.volumes.trace).toEqual([
    ...["read 0 4096", "write+fua 0 4096", `unmap+fua 4096 ${MIB - 4096}`],
    ...[`read ${MIB} 4096`, `write+fua ${MIB} 4096`],
  ])
})

it("a trim is for the whole blocks inside it, and for none is done at once", async () => {
  await open()
  world.volumes.trace = []
  await client.ask({ kind: nbd.CMD_TRIM, offset: 1000, bytes: 10_000 })
  await client.ask({ kind: nbd.CMD_TRIM, offset: 1000, bytes: 5000 })
  expect(world.volumes.trace).toEqual(["unmap 4096 4096"])
})

it("a whole block that is written meanwhile waits, and others do not", async () => {
  await open()
  world.volumes.isHeld = true
  world.volumes.trace = []
  client.send({ ...write(100, 100), cookie: 1n })
  while (world.volumes.trace.length < 1) await turns(1)
  client.send({ ...write(0, 4096), cookie: 2n })
  client.send({ ...write(8192, 4096), cookie: 3n })
  client.send({ kind: nbd.CMD_WRITE_ZEROES, offset: 4000, bytes: 100, cookie: 4n })
  await turns()
  expect(world.volumes.trace).toEqual(["read 0 4096", "write 8192 4096"])
  world.volumes.go()
  for (let nth = 0; nth < 4; nth++) expect(await client.reply()).toMatchObject({ errno: 0 })
  const expected = pattern(4096, 0).fill(0, 4000)
  expect(Buffer.compare(world.volumes.bytes.subarray(0, 4096), expected)).toBe(0)
})

it("it waits for what is being written to its block", async () => {
  await open()
  world.volumes.isHeld = true
  world.volumes.trace = []
  client.send(write(0, 8192))
  client.send(write(100, 100))
  await turns(50)
  expect(world.volumes.trace).toEqual(["write 0 8192"])
  world.volumes.go()
  await client.reply()
  await client.reply()
  const expected = pattern(8192, 0)
  expected.set(pattern(100, 100), 100)
  expect(Buffer.compare(world.volumes.bytes.subarray(0, 8192), expected)).toBe(0)
})

it("an error of the read or the write is told, and the lock goes with it", async () => {
  await open()
  for (const failing of ["read", "write"]) {
    world.volumes.failWith = (kind) => (kind === failing ? statusOf("io-error") : 0)
    expect(await client.ask(write(100, 100))).toMatchObject({ errno: nbd.EIO })
  }
  world.volumes.failWith = undefined
  expect(await client.ask(write(0, 4096))).toMatchObject({ errno: 0 })
})

it("the place of a bad block is told inside what was asked for", async () => {
  await open()
  world.volumes.failWith = () => statusOf("media-error")
  const { badAt } = await client.ask({ kind: nbd.CMD_READ, offset: 1000, bytes: 100 })
  expect(badAt).toBe(1000)
})

it("an export that closes refuses what has not begun", async () => {
  await open({ server: { drainMs: 10 } })
  world.volumes.isHeld = true
  world.volumes.trace = []
  for (const offset of [100, 200, 5000]) client.send(write(offset, 50))
  client.send(write(0, 4096))
  while (world.volumes.trace.length < 1) await turns(1)
  const removed = world.server.removeExport("disk")
  await client.ended()
  world.volumes.go()
  await removed
  expect(world.volumes.trace).toEqual(["read 0 4096"])
  expect(world.server.stats().openRequestCount).toBe(0)
})

const seed = Number(process.env["RMR_SEED"])
const STRIPE_BYTES = 1500

it.each([512, 4096])(
  `neighbours in a block of %d never undo each other, RMR_SEED=${seed}`,
  async (blockBytes) => {
    const sizeBytes = 256 * 1024
    await open({ volume: { ioBytesMax: 8192, sizeBytes, blockBytes }, operationsMax: 4 })
    const other = await RawClient.serving(world.at, "disk")
    const random = seededRandom(seed)
    const model = Buffer.alloc(sizeBytes)
    // Stripes belong to one and the other by turns; blocks belong to nobody.
    for (let round = 0; round < 40; round++) {
      const sent: RawClient[] = []
      for (const [nth, one] of [client, other].entries()) {
        const stripes = new Set(Array.from({ length: 8 }, () => 2 * random.below(80) + nth))
        for (const stripe of stripes) {
          const from = random.below(STRIPE_BYTES)
          const payload = pattern(random.between(1, STRIPE_BYTES - from), random.below(256))
          const offset = stripe * STRIPE_BYTES + from
          one.send({ kind: nbd.CMD_WRITE, offset, payload })
          model.set(payload, offset)
          sent.push(one)
        }
      }
      for (const one of sent) expect((await one.reply()).errno).toBe(0)
    }
    expect(Buffer.compare(world.volumes.bytes, model)).toBe(0)
    other.close()
  },
)

it("W8: exports share what is kept to spare, and all go on while memory is full", async () => {
  await open()
  const { memory, server, volumes } = world
  const { leasedBytes } = memory.stats()
  const names = Array.from({ length: 20 }, (_, nth) => `disk ${nth}`)
  for (const name of names) server.addExport(name, volumes)
  expect(memory.stats().leasedBytes).toBe(leasedBytes)
  const clients = await Promise.all(
    names.slice(0, 3).map((name) => RawClient.serving(world.at, name)),
  )
  const others: Lease[] = []
  for (let lease = memory.lease(1); lease !== NO_LEASE; lease = memory.lease(1)) others.push(lease)
  volumes.bytes.fill(0xee)
  volumes.isHeld = true
  volumes.trace = []
  for (const [nth, each] of clients.entries()) {
    each.send({ kind: nbd.CMD_WRITE_ZEROES, offset: nth * 8192 + 100, bytes: 200 })
  }
  while (volumes.trace.length < 1) await turns(1)
  await turns()
  expect(volumes.trace).toHaveLength(1)
  volumes.go()
  for (const [nth, each] of clients.entries()) {
    expect(await each.reply()).toMatchObject({ errno: 0 })
    const block = Buffer.alloc(4096, 0xee).fill(0, 100, 300)
    const at = nth * 8192
    expect(Buffer.compare(volumes.bytes.subarray(at, at + 4096), block)).toBe(0)
    each.close()
  }
  for (const lease of others) memory.release(lease)
})
