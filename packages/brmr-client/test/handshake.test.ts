/**
 * The handshake: every option, what is wrong with it, and what ends the connection.
 */
import { RmrError } from "@rmr/core"
import * as nbd from "../src/nbd/protocol.js"
import { type Harness, harness, MIB } from "./nbd-harness.js"
import { contextQuery, infoQuery, optionBytes, RawClient, u32 } from "./raw-client.js"

let world: Harness
let client: RawClient

beforeEach(async () => {
  world = await harness()
})

afterEach(async () => {
  client.close()
  await world.close()
})

const FLAGS =
  nbd.HAS_FLAGS |
  nbd.SEND_FLUSH |
  nbd.SEND_FUA |
  nbd.SEND_TRIM |
  nbd.SEND_WRITE_ZEROES |
  nbd.SEND_DF |
  nbd.CAN_MULTI_CONN |
  nbd.SEND_CACHE |
  nbd.SEND_FAST_ZERO

it("greets as a server of the fixed newstyle that needs no zeroes", async () => {
  client = await RawClient.connect(world.at)
  const greeting = await client.read(18)
  expect(greeting.subarray(0, 16).toString()).toBe("NBDMAGICIHAVEOPT")
  expect(greeting.readUInt16BE(16)).toBe(3)
})

it.each([
  ["with zeroes for a client that wants them", nbd.FIXED_NEWSTYLE, 134],
  ["without for one that does not", nbd.FIXED_NEWSTYLE | nbd.NO_ZEROES, 10],
  ["to a client of the old newstyle", 0, 134],
])("EXPORT_NAME begins transmission %s", async (_, flags, bytes) => {
  client = await RawClient.greeted(world.at, flags)
  client.write(optionBytes(nbd.OPT_EXPORT_NAME, Buffer.from("disk")))
  const answer = await client.read(bytes)
  expect(Number(answer.readBigUInt64BE(0))).toBe(8 * MIB)
  expect(answer.readUInt16BE(8)).toBe(FLAGS)
  expect(await client.ask({ kind: nbd.CMD_FLUSH })).toMatchObject({ errno: 0 })
})

it.each([
  ["an export that does not exist", optionBytes(nbd.OPT_EXPORT_NAME, Buffer.from("none"))],
  ["a name that is no text", optionBytes(nbd.OPT_EXPORT_NAME, Buffer.from([0xff]))],
  ["a name of 20,000 bytes", optionBytes(nbd.OPT_EXPORT_NAME, Buffer.alloc(20_000, 97))],
  ["bytes that are no option", Buffer.alloc(16, 0x41)],
  [
    "an option of 4 GiB",
    Buffer.concat([optionBytes(99, Buffer.alloc(0), 2 ** 32 - 1), Buffer.alloc(300_000)]),
  ],
  ["129 options", Buffer.concat(new Array(129).fill(optionBytes(99, Buffer.alloc(0))))],
])("%s: the connection is ended, and another one is served", async (_, bytes) => {
  client = await RawClient.greeted(world.at)
  client.write(bytes)
  await client.ended()
  const other = await RawClient.serving(world.at, "disk")
  expect(await other.ask({ kind: nbd.CMD_READ, bytes: 4096 })).toMatchObject({ errno: 0 })
  other.close()
})

it.each([
  ["that no server has offered", 4, Buffer.alloc(0)],
  [
    "without the fixed newstyle, and haggles all the same",
    0,
    optionBytes(nbd.OPT_LIST, Buffer.alloc(0)),
  ],
])("a client with flags %s is sent away", async (_, flags, bytes) => {
  client = await RawClient.greeted(world.at, flags)
  client.write(bytes)
  expect(await client.ended()).toHaveLength(0)
})

it("LIST names every export with its description", async () => {
  world.server.addExport("second ü", world.volumes)
  client = await RawClient.greeted(world.at)
  const replies = await client.option(nbd.OPT_LIST)
  expect(replies.map(({ type }) => type)).toEqual([nbd.REP_SERVER, nbd.REP_SERVER, nbd.REP_ACK])
  expect(replies[0]?.data).toEqual(Buffer.concat([u32(4), Buffer.from("diska disk")]))
  expect(replies[1]?.data).toEqual(Buffer.concat([u32(9), Buffer.from("second ü")]))
})

it("who asks for long listings faster than it reads loses the connection", async () => {
  const description = "long ".repeat(800)
  for (let nth = 0; nth < 60; nth++) {
    world.server.addExport(`more ${nth}`, world.volumes, { description })
  }
  client = await RawClient.greeted(world.at)
  const one = await client.option(nbd.OPT_LIST)
  expect(one).toHaveLength(62)
  client.write(Buffer.concat(new Array(100).fill(optionBytes(nbd.OPT_LIST, Buffer.alloc(0)))))
  await client.ended()
})

it("INFO tells what is asked, and GO serves; the default export is told by its name", async () => {
  client = await RawClient.greeted(world.at)
  const replies = await client.option(nbd.OPT_INFO, infoQuery("", [1, 2, 3, 77]))
  const infos = replies.filter(({ type }) => type === nbd.REP_INFO).map(({ data }) => data)
  expect(infos.map((data) => data.readUInt16BE(0))).toEqual([0, 1, 2, 3])
  expect(infos[0]?.readUInt16BE(10)).toBe(FLAGS)
  expect(infos[1]?.subarray(2).toString()).toBe("disk")
  expect(infos[2]?.subarray(2).toString()).toBe("a disk")
  expect([2, 6, 10].map((at) => infos[3]?.readUInt32BE(at))).toEqual([4096, 131_072, 32 * MIB])
  await client.option(nbd.OPT_GO, infoQuery("disk"))
  expect(await client.ask({ kind: nbd.CMD_FLUSH })).toMatchObject({ errno: 0 })
})

it("an option that is wrong is answered, and the next is heard", async () => {
  client = await RawClient.greeted(world.at)
  const last = async (option: number, data: Uint8Array = Buffer.alloc(0)): Promise<unknown> =>
    (await client.option(option, data)).at(-1)?.type
  const junk = Buffer.from("junk")
  expect(await last(99, junk)).toBe(nbd.REP_ERR_UNSUP)
  expect(await last(nbd.OPT_STARTTLS)).toBe(nbd.REP_ERR_UNSUP)
  expect(await last(nbd.OPT_STARTTLS, junk)).toBe(nbd.REP_ERR_INVALID)
  expect(await last(nbd.OPT_LIST, junk)).toBe(nbd.REP_ERR_INVALID)
  expect(await last(nbd.OPT_STRUCTURED_REPLY, junk)).toBe(nbd.REP_ERR_INVALID)
  expect(await last(nbd.OPT_SET_META_CONTEXT, contextQuery("disk", []))).toBe(nbd.REP_ERR_INVALID)
  expect(await last(nbd.OPT_GO, junk)).toBe(nbd.REP_ERR_INVALID)
  expect(await last(nbd.OPT_GO, Buffer.concat([infoQuery("disk"), junk]))).toBe(nbd.REP_ERR_INVALID)
  expect(await last(nbd.OPT_GO, infoQuery("a\0b"))).toBe(nbd.REP_ERR_INVALID)
  expect(await last(nbd.OPT_GO, infoQuery("none"))).toBe(nbd.REP_ERR_UNKNOWN)
  expect(await last(nbd.OPT_INFO, Buffer.alloc(20_000))).toBe(nbd.REP_ERR_TOO_BIG)
  expect(await last(nbd.OPT_STRUCTURED_REPLY)).toBe(nbd.REP_ACK)
  expect(await last(nbd.OPT_LIST_META_CONTEXT, contextQuery("none", []))).toBe(nbd.REP_ERR_UNKNOWN)
  expect(await last(nbd.OPT_GO, infoQuery("disk"))).toBe(nbd.REP_ACK)
  expect(await client.ask({ kind: nbd.CMD_FLUSH })).toMatchObject({ errno: 0 })
})

it("contexts are listed by namespace, and set by name alone", async () => {
  client = await RawClient.greeted(world.at)
  await client.option(nbd.OPT_STRUCTURED_REPLY)
  const names = async (option: number, queries: readonly string[]): Promise<string[]> => {
    const replies = await client.option(option, contextQuery("disk", queries))
    return replies.slice(0, -1).map(({ data }) => `${data.readUInt32BE(0)} ${data.subarray(4)}`)
  }
  const both = ["0 base:allocation", "0 rmr:dirty"]
  expect(await names(nbd.OPT_LIST_META_CONTEXT, [])).toEqual(both)
  expect(await names(nbd.OPT_LIST_META_CONTEXT, ["rmr:"])).toEqual(["0 rmr:dirty"])
  expect(await names(nbd.OPT_LIST_META_CONTEXT, ["x:y"])).toEqual([])
  expect(await names(nbd.OPT_SET_META_CONTEXT, ["rmr:", "rmr:dirty"])).toEqual(["2 rmr:dirty"])
  // Each setting takes the place of the one before.
  expect(await names(nbd.OPT_SET_META_CONTEXT, [])).toEqual([])
})

it("contexts that were set for another export do not count", async () => {
  world.server.addExport("other", world.volumes)
  client = await RawClient.greeted(world.at)
  await client.option(nbd.OPT_STRUCTURED_REPLY)
  await client.option(nbd.OPT_SET_META_CONTEXT, contextQuery("other", ["rmr:dirty"]))
  await client.option(nbd.OPT_GO, infoQuery("disk"))
  const answer = await client.ask({ kind: nbd.CMD_BLOCK_STATUS, bytes: 4096 })
  expect(answer.errno).toBe(nbd.EINVAL)
})

it("ABORT is acknowledged before the connection closes", async () => {
  client = await RawClient.greeted(world.at)
  expect((await client.option(nbd.OPT_ABORT))[0]?.type).toBe(nbd.REP_ACK)
  expect(await client.ended()).toHaveLength(0)
})

it("the handshake and the first requests may come in one piece, or byte by byte", async () => {
  for (const isWhole of [true, false]) {
    client = await RawClient.connect(world.at)
    const go = optionBytes(nbd.OPT_GO, infoQuery("disk"))
    const request = Buffer.alloc(28)
    request.writeUInt32BE(nbd.REQUEST_MAGIC)
    request.writeUInt16BE(nbd.CMD_FLUSH, 6)
    request.writeUInt32BE(9, 12)
    const all = Buffer.concat([u32(3), go, request, request])
    if (isWhole) client.write(all)
    else for (const byte of all) client.write(Uint8Array.of(byte))
    await client.read(18)
    await client.optionReplies(nbd.OPT_GO)
    expect(await client.reply()).toMatchObject({ errno: 0, cookie: 9n })
    expect(await client.reply()).toMatchObject({ errno: 0, cookie: 9n })
    client.close()
  }
})

it("an export that no client could be told of is refused when it is added", () => {
  client = { close: () => undefined } as RawClient
  const add = (name: string, description = ""): unknown => {
    try {
      return world.server.addExport(name, world.volumes, { description })
    } catch (thrown) {
      return RmrError.from(thrown).code
    }
  }
  expect(add("")).toBe("invalid-argument")
  expect(add("a".repeat(4097))).toBe("invalid-argument")
  expect(add("a", "\0")).toBe("invalid-argument")
  expect(add("disk")).toBe("exists")
})
