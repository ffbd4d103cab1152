/**
 * Every command of transmission, as the specification describes it, and every refusal.
 */
import { statusOf } from "@rmr/core"
import * as nbd from "../src/nbd/protocol.js"
import { type Harness, type HarnessOptions, harness, MIB, pattern } from "./nbd-harness.js"
import { RawClient } from "./raw-client.js"

let world: Harness
let client: RawClient

async function open(options: HarnessOptions = {}, isStructured = true): Promise<void> {
  world = await harness(options)
  client = await RawClient.serving(world.at, "disk", isStructured, isStructured ? CONTEXTS : [])
}

const CONTEXTS = ["base:allocation", "rmr:dirty"]
const EVERYTHING = { offset: 0, bytes: 8 * MIB }

afterEach(async () => {
  client.close()
  await world.close()
})

describe.each([
  ["a socket file", false],
  ["TCP", true],
])("over %s", (_, isTcp) => {
  it.each([4096, 65_536, 3 * MIB])("what %d bytes were written is read", async (bytes) => {
    await open({ isTcp })
    const payload = pattern(bytes)
    const cookie = 0xfedc_ba98_7654_3210n
    const written = await client.ask({ kind: nbd.CMD_WRITE, offset: MIB, payload, cookie })
    expect(written).toMatchObject({ errno: 0, cookie })
    expect(Buffer.compare(world.volumes.bytes.subarray(MIB, MIB + bytes), payload)).toBe(0)
    const { data, errno } = await client.ask({ kind: nbd.CMD_READ, offset: MIB, bytes })
    expect(errno).toBe(0)
    expect(Buffer.compare(data, payload)).toBe(0)
  })
})

it("a request of 32 MiB goes both ways, in operations as long as the volume takes", async () => {
  await open({ volume: { sizeBytes: 64 * MIB }, arenaBytes: 128 * MIB })
  const payload = pattern(32 * MIB)
  world.volumes.trace = []
  await client.ask({ kind: nbd.CMD_WRITE, offset: 4096, payload })
  expect(world.volumes.trace).toHaveLength(32)
  const { data } = await client.ask({ kind: nbd.CMD_READ, offset: 4096, bytes: 32 * MIB })
  expect(Buffer.compare(data, payload)).toBe(0)
})

it("without structured replies a read is answered simply", async () => {
  await open({}, false)
  const payload = pattern(8192)
  await client.ask({ kind: nbd.CMD_WRITE, payload })
  const { data } = await client.ask({ kind: nbd.CMD_READ, bytes: 8192 })
  expect(Buffer.compare(data, payload)).toBe(0)
  const beyond = { kind: nbd.CMD_READ, offset: 8 * MIB, bytes: 4096 }
  expect(await client.ask(beyond)).toMatchObject({ errno: nbd.EINVAL })
  const chunked = { kind: nbd.CMD_READ, bytes: 4096, flags: nbd.FLAG_DF }
  expect(await client.ask(chunked)).toMatchObject({ errno: nbd.EINVAL })
})

it("FUA reaches the volume, with writes and with zeroes", async () => {
  await open()
  world.volumes.trace = []
  await client.ask({ kind: nbd.CMD_WRITE, flags: nbd.FLAG_FUA, payload: pattern(4096) })
  await client.ask({ kind: nbd.CMD_WRITE_ZEROES, flags: nbd.FLAG_FUA, bytes: 4096 })
  const noHole = nbd.FLAG_FUA | nbd.FLAG_NO_HOLE
  await client.ask({ kind: nbd.CMD_WRITE_ZEROES, flags: noHole, bytes: 4096 })
  await client.ask({ kind: nbd.CMD_TRIM, flags: nbd.FLAG_FUA, offset: 4096, bytes: 4096 })
  const expected = ["write+fua 0 4096", "unmap+fua 0 4096", "zero+fua 0 4096"]
  expect(world.volumes.trace).toEqual([...expected, "unmap+fua 4096 4096"])
})

it("flush, cache and the end: what is open is answered before the connection closes", async () => {
  await open()
  world.volumes.trace = []
  expect(await client.ask({ kind: nbd.CMD_FLUSH })).toMatchObject({ errno: 0 })
  expect(await client.ask({ kind: nbd.CMD_CACHE, bytes: 4096 })).toMatchObject({ errno: 0 })
  expect(world.volumes.trace).toEqual(["flush 0 4096"])
  world.volumes.isHeld = true
  client.send({ kind: nbd.CMD_READ, bytes: 4096, cookie: 7n })
  client.send({ kind: nbd.CMD_DISC })
  client.send({ kind: nbd.CMD_READ, bytes: 4096, cookie: 8n })
  while (world.volumes.trace.length < 2) await new Promise((resolve) => setImmediate(resolve))
  world.volumes.go()
  expect(await client.reply(4096)).toMatchObject({ errno: 0, cookie: 7n })
  expect(await client.ended()).toHaveLength(0)
})

it("zeroes and trims may be longer than any payload, and are cut into operations", async () => {
  await open({ volume: { sizeBytes: 40 * MIB, ioBytesMax: 64 * 1024 }, operationsMax: 3 })
  world.volumes.bytes.fill(1)
  const all = { offset: 0, bytes: 40 * MIB }
  expect(await client.ask({ kind: nbd.CMD_WRITE_ZEROES, ...all })).toMatchObject({ errno: 0 })
  expect(world.volumes.bytes.every((byte) => byte === 0)).toBe(true)
  expect(await client.ask({ kind: nbd.CMD_TRIM, ...all })).toMatchObject({ errno: 0 })
})

it("BLOCK_STATUS: everything is data, and what some member lacks is dirty", async () => {
  await open()
  world.volumes.dirty = [
    [MIB, 2 * MIB],
    [4 * MIB, 5 * MIB],
  ]
  const whole = await client.ask({ kind: nbd.CMD_BLOCK_STATUS, ...EVERYTHING })
  expect(whole.extents.get(1)).toEqual([[8 * MIB, 0]])
  const ranges = [MIB, MIB, 2 * MIB, MIB, 3 * MIB].map((bytes, nth) => [bytes, nth % 2])
  expect(whole.extents.get(2)).toEqual(ranges)
  const one = { kind: nbd.CMD_BLOCK_STATUS, flags: nbd.FLAG_REQ_ONE, offset: MIB, bytes: 4 * MIB }
  expect((await client.ask(one)).extents.get(2)).toEqual([[MIB, 1]])
})

it("BLOCK_STATUS of one context has one chunk, and of none is refused", async () => {
  await open()
  const single = await RawClient.serving(world.at, "disk", true, ["base:allocation"])
  const answer = await single.ask({ kind: nbd.CMD_BLOCK_STATUS, bytes: 4096 })
  expect([...answer.extents.keys()]).toEqual([1])
  const none = await RawClient.serving(world.at, "disk", true)
  const refused = await none.ask({ kind: nbd.CMD_BLOCK_STATUS, bytes: 4096 })
  expect(refused.errno).toBe(nbd.EINVAL)
  single.close()
  none.close()
})

it("many requests at once are answered once each, also where they wait their turn", async () => {
  await open({ operationsMax: 2 })
  const count = 100
  const cookies = new Set<bigint>()
  for (let nth = 0; nth < count; nth++) {
    const isRead = nth % 2 === 0
    const cookie = BigInt(nth)
    const kind = isRead ? nbd.CMD_READ : nbd.CMD_WRITE
    if (isRead) client.send({ kind, offset: 4096 * nth, bytes: 4096, cookie })
    else client.send({ kind, offset: 4096 * nth, payload: pattern(4096), cookie })
  }
  for (let nth = 0; nth < count; nth++) {
    const { cookie, errno } = await client.reply()
    expect(errno).toBe(0)
    cookies.add(cookie)
  }
  expect(cookies.size).toBe(count)
})

describe("an error of the volume", () => {
  it.each([
    ["media-error", nbd.EIO, 4096 + 512],
    ["lost", nbd.EIO, undefined],
    ["no-leg", nbd.EIO, undefined],
    ["no-space", nbd.ENOSPC, undefined],
    ["unsupported", nbd.ENOTSUP, undefined],
    ["fenced", nbd.EPERM, undefined],
    ["closed", nbd.ESHUTDOWN, undefined],
    ["out-of-memory", nbd.ENOMEM, undefined],
  ] as const)("%s is errno %d, and only a known place is told", async (code, errno, badAt) => {
    await open()
    world.volumes.failWith = () => statusOf(code)
    const read = await client.ask({ kind: nbd.CMD_READ, offset: 4096, bytes: 4096 })
    expect(read).toMatchObject({ errno, badAt })
    const write = await client.ask({ kind: nbd.CMD_WRITE, payload: pattern(4096) })
    expect(write).toMatchObject({ errno })
  })

  it("in the middle of a long request is the error of all of it, and ends it there", async () => {
    await open({ volume: { ioBytesMax: 65_536 }, operationsMax: 2 })
    world.volumes.trace = []
    world.volumes.failWith = (_, offset) => (offset === 131_072 ? statusOf("io-error") : 0)
    const { errno } = await client.ask({ kind: nbd.CMD_WRITE_ZEROES, ...EVERYTHING })
    expect(errno).toBe(nbd.EIO)
    expect(world.volumes.trace.length).toBeLessThan(10)
    expect(await client.ask({ kind: nbd.CMD_READ, bytes: 4096 })).toMatchObject({ errno: 0 })
  })
})

describe("a request is refused, and the next is served:", () => {
  const page = { bytes: 4096 }
  const write = { kind: nbd.CMD_WRITE, payload: pattern(4096) }
  it.each([
    ["an unknown command", { kind: 77, ...page }, nbd.EINVAL],
    ["an unknown flag", { kind: nbd.CMD_READ, ...page, flags: 128 }, nbd.EINVAL],
    ["a flag of another command", { ...write, flags: nbd.FLAG_NO_HOLE }, nbd.EINVAL],
    ["a read of nothing", { kind: nbd.CMD_READ, bytes: 0 }, nbd.EINVAL],
    ["a write of nothing", { kind: nbd.CMD_WRITE, bytes: 0 }, nbd.EINVAL],
    [
      "a read across the end",
      { kind: nbd.CMD_READ, offset: 8 * MIB - 4096, bytes: 8192 },
      nbd.EINVAL,
    ],
    ["a read from 2^63", { kind: nbd.CMD_READ, offset: 2 ** 63, ...page }, nbd.EINVAL],
    ["a write across the end", { ...write, offset: 8 * MIB }, nbd.ENOSPC],
    [
      "zeroes across the end",
      { kind: nbd.CMD_WRITE_ZEROES, offset: 4096, bytes: 8 * MIB },
      nbd.ENOSPC,
    ],
    ["a trim across the end", { kind: nbd.CMD_TRIM, offset: 4096, bytes: 8 * MIB }, nbd.EINVAL],
    ["a read of more than 32 MiB", { kind: nbd.CMD_READ, bytes: 33 * MIB }, nbd.EINVAL],
    [
      "fast zeroes that leave no hole",
      { kind: nbd.CMD_WRITE_ZEROES, ...page, flags: 18 },
      nbd.ENOTSUP,
    ],
  ])("%s", async (_, request, errno) => {
    await open({ volume: { sizeBytes: 8 * MIB } })
    const before = Buffer.from(world.volumes.bytes)
    expect(await client.ask({ ...request, cookie: 5n })).toMatchObject({ errno, cookie: 5n })
    expect(Buffer.compare(world.volumes.bytes, before)).toBe(0)
    expect(await client.ask({ kind: nbd.CMD_READ, bytes: 4096 })).toMatchObject({ errno: 0 })
    expect(world.server.stats().errorCount).toBe(1)
  })

  it.each([
    ["a write", write],
    ["zeroes", { kind: nbd.CMD_WRITE_ZEROES, ...page }],
    ["a trim", { kind: nbd.CMD_TRIM, ...page }],
  ])("%s to what is read only", async (_, request) => {
    await open({ isReadOnly: true })
    expect(await client.ask(request)).toMatchObject({ errno: nbd.EPERM })
    expect(await client.ask({ kind: nbd.CMD_FLUSH })).toMatchObject({ errno: 0 })
  })

  it("a trim and fast zeroes where space cannot be given back", async () => {
    await open({ volume: { canUnmap: false } })
    expect(await client.ask({ kind: nbd.CMD_TRIM, ...page })).toMatchObject({ errno: nbd.EINVAL })
    const fast = { kind: nbd.CMD_WRITE_ZEROES, ...page, flags: nbd.FLAG_FAST_ZERO }
    expect(await client.ask(fast)).toMatchObject({ errno: nbd.ENOTSUP })
    world.volumes.trace = []
    await client.ask({ kind: nbd.CMD_WRITE_ZEROES, ...page })
    expect(world.volumes.trace).toEqual(["zero 0 4096"])
  })
})
