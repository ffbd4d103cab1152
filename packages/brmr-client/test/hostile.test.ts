/**
 * What a client does wrong ends its own connection, holds no memory, and disturbs nobody.
 */
import { RmrError } from "@rmr/core"
import * as nbd from "../src/nbd/protocol.js"
import { type Harness, type HarnessOptions, harness, MIB, pattern, turns } from "./nbd-harness.js"
import { optionBytes, RawClient, requestBytes } from "./raw-client.js"

let world: Harness
let client: RawClient
let bystander: RawClient

async function open(options: HarnessOptions = {}): Promise<void> {
  world = await harness(options)
  client = await RawClient.serving(world.at, "disk")
  bystander = await RawClient.serving(world.at, "disk")
}

const LONG = { description: "long ".repeat(800) }

afterEach(async () => {
  await serves(bystander)
  client.close()
  bystander.close()
  await world.close()
})

async function serves(whom: RawClient): Promise<void> {
  const answer = await whom.ask({ kind: nbd.CMD_READ, offset: 4096, bytes: 4096 })
  expect(answer.errno).toBe(0)
}

it.each([
  ["a request that is none", requestBytes({ kind: nbd.CMD_READ, magic: 0x1234_5678 })],
  ["a write of more than 32 MiB", requestBytes({ kind: nbd.CMD_WRITE, bytes: 32 * MIB + 4096 })],
  ["the bytes of a handshake", Buffer.from("IHAVEOPT".repeat(4))],
])("%s ends the connection", async (_, bytes) => {
  await open()
  client.write(bytes)
  expect(await client.ended()).toHaveLength(0)
})

it("a half close inside a payload ends the connection and frees the payload", async () => {
  await open()
  client.write(requestBytes({ kind: nbd.CMD_WRITE, bytes: MIB }), Buffer.alloc(100_000))
  client.socket.end()
  await client.ended()
  await serves(bystander)
  expect(world.memory.stats().leaseCount).toBe(1)
})

it("a client that vanishes is not waited for, and what it wrote is carried through", async () => {
  await open()
  world.volumes.isHeld = true
  world.volumes.trace = []
  client.send({ kind: nbd.CMD_WRITE, payload: pattern(8192), offset: 8192 })
  client.send({ kind: nbd.CMD_READ, bytes: 4096 })
  while (world.volumes.trace.length < 2) await turns(1)
  client.close()
  await turns()
  expect(world.server.stats()).toMatchObject({ connectionCount: 1, openRequestCount: 2 })
  world.volumes.go()
  await turns()
  expect(world.server.stats().openRequestCount).toBe(0)
  expect(Buffer.compare(world.volumes.bytes.subarray(8192, 16_384), pattern(8192))).toBe(0)
})

it("who does not come to the point, or stops in the middle, loses the connection", async () => {
  await open({ server: { handshakeMs: 500, stallMs: 30 } })
  const silent = await RawClient.connect(world.at)
  await silent.ended()
  client.write(requestBytes({ kind: nbd.CMD_WRITE, bytes: MIB }), Buffer.alloc(100_000))
  await client.ended()
})

it("who takes its leave and does not take the answer is not waited for", async () => {
  await open({ server: { handshakeMs: 500 } })
  const leaving = await RawClient.greeted(world.at)
  leaving.socket.pause()
  const long = optionBytes(nbd.OPT_LIST_META_CONTEXT, Buffer.alloc(0))
  const list = optionBytes(nbd.OPT_LIST, Buffer.alloc(0))
  for (let nth = 0; nth < 100; nth++) world.server.addExport(`more ${nth}`, world.volumes, LONG)
  leaving.write(long, ...new Array(2).fill(list), optionBytes(nbd.OPT_ABORT, Buffer.alloc(0)))
  while (world.server.stats().acceptedCount < 3) await turns(1)
  while (world.server.stats().connectionCount > 2) await turns(5)
  leaving.close()
})

it("who asks and never reads loses the connection, and its replies their memory", async () => {
  await open({ server: { stallMs: 30 }, volume: { sizeBytes: 40 * MIB } })
  client.socket.pause()
  for (let nth = 0; nth < 16; nth++) client.send({ kind: nbd.CMD_READ, bytes: 4 * MIB })
  while (world.server.stats().connectionCount > 1) await turns(5)
  await turns()
  expect(world.memory.stats().leaseCount).toBe(1)
})

it("a flood of requests is read only as far as they may be open", async () => {
  await open({ server: { requestsMax: 8 } })
  world.volumes.isHeld = true
  for (let nth = 0; nth < 1000; nth++) {
    client.send({ kind: nbd.CMD_READ, offset: 4096, bytes: 4096, cookie: BigInt(nth) })
  }
  await turns(200)
  expect(world.server.stats().openRequestCount).toBe(8)
  world.volumes.go()
  for (let nth = 0; nth < 1000; nth++) {
    expect(await client.reply()).toMatchObject({ errno: 0, cookie: BigInt(nth) })
  }
})

it("with little memory everything waits its turn, and all of it is served", async () => {
  await open({ arenaBytes: MIB })
  const { requestCount } = world.server.stats()
  for (let nth = 0; nth < 40; nth++) {
    client.send({ kind: nbd.CMD_WRITE, offset: nth * 65_536, payload: pattern(65_536, nth) })
    bystander.send({ kind: nbd.CMD_READ, bytes: 512 * 1024 })
  }
  for (let nth = 0; nth < 40; nth++) {
    expect((await client.reply()).errno).toBe(0)
    expect((await bystander.reply()).data.length).toBe(512 * 1024)
  }
  expect(world.server.stats().requestCount - requestCount).toBe(80)
})

it("who waits for memory that others keep is refused in the end", async () => {
  await open({ arenaBytes: MIB, server: { stallMs: 30 } })
  const others = world.memory.lease(512 * 1024)
  client.send({ kind: nbd.CMD_READ, bytes: 512 * 1024 })
  expect(await client.reply()).toMatchObject({ errno: nbd.ENOMEM })
  world.memory.release(others)
})

it("who waits for memory and vanishes, waits no longer", async () => {
  await open({ arenaBytes: MIB })
  const others = world.memory.lease(512 * 1024)
  client.send({ kind: nbd.CMD_READ, bytes: 512 * 1024 })
  await turns(50)
  client.close()
  while (world.server.stats().connectionCount > 1) await turns(1)
  expect(world.server.stats().openRequestCount).toBe(0)
  world.memory.release(others)
})

it("more connections than there may be are turned away, until one leaves", async () => {
  await open({ server: { connectionsMax: 2 } })
  await expect(RawClient.serving(world.at, "disk")).rejects.toThrow("ended")
  client.send({ kind: nbd.CMD_DISC })
  await client.ended()
  while (world.server.stats().connectionCount > 1) await turns(1)
  client = await RawClient.serving(world.at, "disk")
  await serves(client)
  expect(world.server.stats().refusedCount).toBe(1)
})

it("open requests of a client that vanished take the place of another client", async () => {
  await open({ server: { connectionsMax: 3, requestsMax: 8 } })
  world.volumes.isHeld = true
  const join = (): Promise<RawClient> => RawClient.serving(world.at, "disk")
  // One less than there may be: who has as many is not read from, and its end is seen later.
  for (let nth = 0; nth < 7; nth++) client.send({ kind: nbd.CMD_READ, bytes: 4096 })
  while (world.server.stats().openRequestCount < 7) await turns(1)
  // Those that are there have their places, whatever is under way.
  const third = await join()
  client.close()
  while (world.server.stats().connectionCount > 2) await turns(1)
  await expect(join()).rejects.toThrow("ended")
  world.volumes.go()
  while (world.server.stats().openRequestCount > 0) await turns(1)
  client = await join()
  third.close()
})

describe("an export that goes", () => {
  it("answers what is open, and then ends its connections and no others", async () => {
    world = await harness()
    world.server.addExport("other", world.volumes)
    client = await RawClient.serving(world.at, "disk")
    bystander = await RawClient.serving(world.at, "other")
    world.volumes.isHeld = true
    world.volumes.trace = []
    client.send({ kind: nbd.CMD_WRITE, payload: pattern(4096), cookie: 1n })
    while (world.volumes.trace.length < 1) await turns(1)
    const removed = world.server.removeExport("disk")
    await expect(RawClient.serving(world.at, "disk")).rejects.toThrow(`${nbd.REP_ERR_SHUTDOWN}`)
    world.volumes.go()
    expect(await client.reply()).toMatchObject({ errno: 0, cookie: 1n })
    await client.ended()
    await removed
    await expect(RawClient.serving(world.at, "disk")).rejects.toThrow(`${nbd.REP_ERR_UNKNOWN}`)
    const again = await world.server.removeExport("disk").catch(RmrError.from)
    expect(again).toMatchObject({ code: "not-found" })
  })

  it("does not wait for a client that takes no replies", async () => {
    await open({ server: { drainMs: 20 }, volume: { sizeBytes: 64 * MIB } })
    client.socket.pause()
    for (let nth = 0; nth < 20; nth++) client.send({ kind: nbd.CMD_READ, bytes: 4 * MIB })
    await turns(50)
    world.server.addExport("other", world.volumes)
    await world.server.removeExport("disk")
    bystander = await RawClient.serving(world.at, "other")
  })

  it("P6: is not waited for where its volume never answers", async () => {
    await open({ server: { drainMs: 20 } })
    world.volumes.isHeld = true
    client.send({ kind: nbd.CMD_WRITE, payload: pattern(4096), cookie: 1n })
    client.send({ kind: nbd.CMD_FLUSH, cookie: 2n })
    while (world.server.stats().openRequestCount < 2) await turns(1)
    await world.server.close()
    await client.ended()
    expect(world.server.stats().openRequestCount).toBe(0)
    expect(world.memory.stats().leaseCount).toBe(0)
    world = await harness()
    bystander = await RawClient.serving(world.at, "disk")
  })

  it("is waited for by a server that closes meanwhile", async () => {
    await open()
    world.volumes.isHeld = true
    client.send({ kind: nbd.CMD_WRITE, payload: pattern(4096), cookie: 1n })
    while (world.server.stats().openRequestCount < 1) await turns(1)
    const removed = world.server.removeExport("disk")
    const closed = world.server.close()
    await turns()
    world.volumes.go()
    expect(await client.reply()).toMatchObject({ errno: 0, cookie: 1n })
    await closed
    expect(world.memory.stats().leaseCount).toBe(0)
    await removed
    world = await harness()
    bystander = await RawClient.serving(world.at, "disk")
  })

  it("G1: that grows has its new end for who comes then, and for nobody else", async () => {
    await open()
    world.volumes.resize(16 * MIB)
    bystander = await RawClient.serving(world.at, "disk")
    const end = { kind: nbd.CMD_READ, offset: 16 * MIB - 4096, bytes: 4096 }
    expect(await bystander.ask(end)).toMatchObject({ errno: 0 })
    expect(await client.ask(end)).toMatchObject({ errno: nbd.EINVAL })
    expect(await client.ask({ ...end, offset: 0 })).toMatchObject({ errno: 0 })
  })

  it("comes again with another size, for clients that come again", async () => {
    await open()
    world.volumes.resize(16 * MIB)
    await world.server.reopenExport("disk")
    await client.ended()
    bystander = await RawClient.serving(world.at, "disk")
    const end = { kind: nbd.CMD_READ, offset: 16 * MIB - 4096, bytes: 4096 }
    expect(await bystander.ask(end)).toMatchObject({ errno: 0 })
  })
})
