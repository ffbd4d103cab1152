/**
 * NBD clients that do what no client should, on the device of a pool. Each loses its connection, or
 * gets an error that it knows; a witness beside it reads and writes all the while, and afterwards
 * nothing of them is left: no connection, no open request.
 *
 * `RMR_LONG=1` adds those that are only given up after a minute.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  optionBytes,
  RawClient,
  requestBytes,
  u32,
} from "../../packages/brmr-client/test/raw-client.js"
import { expectSameStores, isLong, itWhere, MIB, seededBytes } from "./nbd-tools.js"
import { type PoolProcesses, startPool, until } from "./pool-processes.js"
import { Witness } from "./witness.js"

const SIZE_BYTES = 32 * MIB
const WITNESS_AT = 16 * MIB
const CONNECTIONS_MAX = 64
const OPT_LIST = 3
const OPT_GO = 7
const CMD_READ = 0
const CMD_WRITE = 1
const CMD_TRIM = 4
const CMD_UNKNOWN = 42
const EINVAL = 22
const ENOSPC = 28
const seed = Number(process.env["RMR_SEED"])

jest.setTimeout(240_000)

let folder: string
let pool: PoolProcesses
let witness: Witness

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "rmr-clients-"))
  pool = await startPool(folder, 3, SIZE_BYTES)
})

afterAll(async () => {
  await pool.stop()
  await expectSameStores(pool.stores)
  rmSync(folder, { recursive: true, force: true })
})

beforeEach(async () => {
  witness = await Witness.begin(pool.socket, WITNESS_AT)
})

afterEach(async () => {
  await witness.goOn()
  await witness.end()
  await until("nothing of them is left", pool.client, ({ client }) => {
    return client?.nbd.clientCount === 0 && client.nbd.openRequestCount === 0
  })
})

const place = (): { path: string } => ({ path: pool.socket })
const port = (): { host: string; port: number } => ({ host: "127.0.0.1", port: pool.tcpPort })

describe("an NBD client that", () => {
  it("floods options without an end is hung up on", async () => {
    const client = await RawClient.greeted(place())
    for (let nth = 0; nth < 1000 && !client.isEnded; nth++)
      client.write(optionBytes(OPT_LIST, NONE))
    await expectHungUp(client)
  })

  it("sends options of 4 GiB is hung up on before they are there", async () => {
    const client = await RawClient.greeted(port())
    client.write(optionBytes(OPT_GO, Buffer.alloc(300 * 1024), 0xffff_ffff))
    await expectHungUp(client)
  })

  it.each([
    ["flags of another protocol", Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n")],
    [
      "an option with a bad magic",
      Buffer.concat([u32(3), Buffer.from("IHAVEOPX"), u32(3), u32(0)]),
    ],
    [
      "an export name that is too long",
      Buffer.concat([u32(3), optionBytes(1, Buffer.alloc(20_000))]),
    ],
  ])("begins with %s is hung up on", async (_what, bytes) => {
    const client = await RawClient.connect(port())
    client.write(bytes)
    await expectHungUp(client)
  })

  it("sends a request with a bad magic is hung up on; what it wrote before stays", async () => {
    const client = await RawClient.serving(place(), "vault")
    const payload = seededBytes(7, 4096)
    expect((await client.ask({ kind: CMD_WRITE, offset: 0, payload })).errno).toBe(0)
    client.send({ kind: CMD_READ, offset: 0, bytes: 4096, magic: 0x25609514 })
    await expectHungUp(client)
    const other = await RawClient.serving(port(), "vault")
    const { data } = await other.ask({ kind: CMD_READ, offset: 0, bytes: 4096 })
    expect(data.equals(payload)).toBe(true)
    other.close()
  })

  it("asks for too much, or beyond the end, is told so and served on", async () => {
    const client = await RawClient.serving(place(), "vault")
    const far = 2 ** 52
    const asked: readonly [Parameters<RawClient["ask"]>[0], number][] = [
      [{ kind: CMD_READ, bytes: 33 * MIB }, EINVAL],
      [{ kind: CMD_READ, bytes: 0xffff_ffff }, EINVAL],
      [{ kind: CMD_READ, offset: far, bytes: 4096 }, EINVAL],
      [{ kind: CMD_WRITE, offset: far, payload: Buffer.alloc(4096) }, ENOSPC],
      [{ kind: CMD_TRIM, offset: SIZE_BYTES - 4096, bytes: 8192 }, EINVAL],
      [{ kind: CMD_UNKNOWN, bytes: 4096 }, EINVAL],
    ]
    for (const [request, errno] of asked) expect((await client.ask(request)).errno).toBe(errno)
    expect((await client.ask({ kind: CMD_READ, bytes: 4096 })).errno).toBe(0)
    client.close()
  })

  it("announces a write of 4 GiB is hung up on", async () => {
    const client = await RawClient.serving(port(), "vault")
    client.write(requestBytes({ kind: CMD_WRITE, bytes: 0xffff_ffff }), Buffer.alloc(MIB))
    await expectHungUp(client)
  })

  it("leaves in the middle of a write changes nothing", async () => {
    const reader = await RawClient.serving(place(), "vault")
    const before = await reader.ask({ kind: CMD_READ, offset: 8 * MIB, bytes: MIB })
    const client = await RawClient.serving(port(), "vault")
    client.write(requestBytes({ kind: CMD_WRITE, offset: 8 * MIB, bytes: MIB }))
    client.write(Buffer.alloc(MIB / 2, 1))
    client.socket.end()
    await expectHungUp(client)
    const after = await reader.ask({ kind: CMD_READ, offset: 8 * MIB, bytes: MIB })
    expect(after.data.equals(before.data)).toBe(true)
    reader.close()
  })

  it("half-closes behind its requests leaves nothing behind", async () => {
    const client = await RawClient.serving(place(), "vault")
    for (let nth = 0; nth < 64; nth++) {
      client.send({ kind: CMD_WRITE, offset: nth * 4096, payload: seededBytes(nth, 4096) })
    }
    client.socket.end()
    await expectHungUp(client)
  })

  it("takes no replies and goes away leaves nothing behind", async () => {
    const client = await RawClient.serving(port(), "vault")
    client.socket.pause()
    for (let nth = 0; nth < 128; nth++) client.send({ kind: CMD_READ, offset: 0, bytes: MIB })
    await witness.goOn()
    client.socket.destroy()
  })

  it(`sends whatever it likes loses its connection at most, RMR_SEED=${seed}`, async () => {
    for (let nth = 0; nth < 40; nth++) {
      const client = nth % 2 === 0 ? await RawClient.greeted(place()) : await serving()
      const bytes = seededBytes(seed + nth, 4096)
      // Half of them begin as they should.
      if (nth % 4 < 2) bytes.set(requestBytes({ kind: nth % 8, bytes: 512 * nth }))
      client.write(bytes)
      client.socket.end()
      await expectHungUp(client)
    }
  })

  it("says nothing at all is hung up on when its time is over", async () => {
    const client = await RawClient.connect(port())
    expect((await client.ended()).subarray(0, 8).toString()).toBe("NBDMAGIC")
    client.close()
  })

  it("comes in too great numbers finds no room, and there is room when they are gone", async () => {
    const clients: RawClient[] = []
    for (let nth = 0; nth < CONNECTIONS_MAX + 6; nth++)
      clients.push(await RawClient.connect(place()))
    // The witness has one of them.
    const isOut = (): number => clients.filter(({ isEnded }) => isEnded).length
    while (isOut() < 7) await witness.goOn()
    expect(isOut()).toBe(7)
    for (const client of clients) client.close()
    const { client } = await until("there is room", pool.client, ({ client: role }) => {
      return role?.nbd.clientCount === 1
    })
    expect(client?.nbd.clientCount).toBe(1)
    const next = await RawClient.serving(place(), "vault")
    expect((await next.ask({ kind: CMD_READ, bytes: 4096 })).errno).toBe(0)
    next.close()
  })

  const why = isLong() ? "" : "it takes two minutes; RMR_LONG=1 runs it"
  itWhere("stops in the middle of a write is hung up on after a while", why, async () => {
    const client = await RawClient.serving(port(), "vault")
    client.write(requestBytes({ kind: CMD_WRITE, bytes: MIB }), Buffer.alloc(MIB / 2))
    await expectHungUp(client)
  })

  itWhere("takes no replies is hung up on after a while", why, async () => {
    const client = await RawClient.serving(port(), "vault")
    client.socket.pause()
    for (let nth = 0; nth < 128; nth++) client.send({ kind: CMD_READ, offset: 0, bytes: MIB })
    await until("it was hung up on", pool.client, (s) => s.client?.nbd.clientCount === 1, 200_000)
    client.close()
  })
})

/** Fails where the server keeps it until the test is given up. */
async function expectHungUp(client: RawClient): Promise<void> {
  await client.ended()
  expect(client.isEnded).toBe(true)
  client.close()
}

const NONE = Buffer.alloc(0)

const serving = (): Promise<RawClient> => RawClient.serving(port(), "vault")
