/**
 * What an admin does to a pool that is in use: maps, unmaps, and gives it from one client to
 * another and back. Who has lost it writes nothing any more, and who has it finds everything.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { LinkRegistry, openPool } from "@rmr/client"
import { buddyMemory, encodeDeviceRequest, memberId } from "@rmr/core"
import { realEnv } from "@rmr/io"
import { tcp } from "@rmr/transport-tcp"
import { freePorts } from "../../bench/device/target.js"
import { expectSameStores, itWhere, MIB, missing, nbdsh } from "./nbd-tools.js"
import { type PoolProcesses, RmrDaemon, startPool, until, untilMapped } from "./pool-processes.js"
import { endOf, storage } from "./refusals.js"
import { rmr } from "./rmr-program.js"

const SIZE_BYTES = 32 * MIB

jest.setTimeout(120_000)

let folder: string
let pool: PoolProcesses

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "rmr-admin-"))
  pool = await startPool(folder, 3, SIZE_BYTES)
})

afterAll(async () => {
  await pool.stop()
  await expectSameStores(pool.stores)
  rmSync(folder, { recursive: true, force: true })
})

const at = (daemon: RmrDaemon): [string, string] => ["--socket", daemon.control]

describe("an admin", () => {
  it("is refused what makes no sense, with a reason; the device stays", async () => {
    const [node = pool.client] = pool.storage
    const asked: readonly [readonly string[], RegExp][] = [
      [["device", "map", "vault", ...at(pool.client)], /^rmr: exists: vault is mapped already/],
      [["device", "map", "other", ...at(pool.client)], /^rmr: not-found: no pool other .*: vault/],
      [["device", "unmap", "other", ...at(pool.client)], /^rmr: not-found: no pool other/],
      [["pool", "takeover", "vault", ...at(pool.client)], /^rmr: exists: .*open here already/],
      [["map", "summary", "vault", ...at(pool.client)], /^rmr: unsupported: client is no storage/],
      [
        ["device", "map", "vault", ...at(node)],
        /^rmr: unsupported: storage-1 is no compute client/,
      ],
      [["map", "summary", "other", ...at(node)], /^rmr: not-found: no pool other is served here/],
    ]
    for (const [words, reason] of asked) {
      const end = await endOf(...words)
      expect(end.words).toMatch(reason)
      expect(end.code).toBe(1)
    }
    await untilMapped(pool.client)
  })

  itWhere(
    "unmaps a device and maps it again, and it holds what it held",
    missing("nbdsh"),
    async () => {
      await nbdsh(folder, pool.uri, 'h.pwrite(b"u" * 4096, 0)')
      expect((await rmr("device", "unmap", "vault", ...at(pool.client))).code).toBe(0)
      await expect(nbdsh(folder, pool.uri, "pass")).rejects.toThrow(/export/)
      const { client } = await pool.client.status()
      expect(client?.pools[0]?.device).toBe(null)
      const map = ["device", "map", "vault", ...at(pool.client), "--size"]
      const other = await endOf(...map, "31 MiB")
      expect(other).toEqual({
        code: 1,
        words: "rmr: mismatch: the pool has 33554432 bytes, not the 32505856 that were asked for",
      })
      expect((await endOf(...map, "big")).code).toBe(2)
      expect((await pool.client.status()).client?.pools[0]?.state).toBe("unmapped")
      expect((await rmr(...map, "32 MiB")).code).toBe(0)
      await nbdsh(folder, pool.uri, 'assert h.pread(4096, 0) == b"u" * 4096')
      expect((await pool.client.status()).client?.pools[0]?.state).toBe("open")
    },
  )
})

describe("a device that cannot be unmapped now", () => {
  let one: PoolProcesses
  let place: string

  beforeAll(async () => {
    place = mkdtempSync(join(tmpdir(), "rmr-admin-"))
    one = await startPool(place, 1, SIZE_BYTES)
  })

  afterAll(async () => {
    await one.stop()
    rmSync(place, { recursive: true, force: true })
  })

  itWhere("stays mapped and exported, and can be unmapped later", missing("nbdsh"), async () => {
    const [node = one.client] = one.storage
    await nbdsh(place, one.uri, 'h.pwrite(b"k" * 4096, 0)\nh.flush()')
    process.kill(node.pid, "SIGSTOP")
    const refused = await endOf("device", "unmap", "vault", ...at(one.client))
    expect(refused.words).toMatch(/^rmr: no-leg: no leg of vault answers unmap: /)
    expect(refused.code).toBe(1)
    const { client } = await one.client.status()
    expect(client?.pools[0]).toMatchObject({ state: "open", device: { name: "vault" } })
    await nbdsh(place, one.uri, `assert size == ${SIZE_BYTES}`)

    process.kill(node.pid, "SIGCONT")
    await nbdsh(place, one.uri, 'assert h.pread(4096, 0) == b"k" * 4096')
    expect((await rmr("device", "unmap", "vault", ...at(one.client))).code).toBe(0)
    expect((await rmr("device", "map", "vault", ...at(one.client))).code).toBe(0)
    await nbdsh(place, one.uri, 'assert h.pread(4096, 0) == b"k" * 4096')
  })
})

describe("a pool that is not open", () => {
  it("goes on waiting where it cannot be unmapped, and is mapped when it can", async () => {
    const [port = 0] = await freePorts(1)
    const address = `tcp://127.0.0.1:${port}`
    const place = mkdtempSync(join(folder, "late-"))
    const size = `${SIZE_BYTES}\n`
    const node = new RmrDaemon(place, "node", storage(join(place, "s"), address, `size = ${size}`))
    const text = `[client]\nnbd = ["unix:${join(place, "nbd")}"]\n[[client.pool]]\nname = "vault"\n`
    const members = `members = ["1@${address}"]\ncreate = ${size}`
    const user = new RmrDaemon(place, "user", text + members)
    user.start()
    try {
      const waits = await until("it waits", user, ({ client }) => client?.pools[0]?.why != null)
      expect(waits.client?.pools[0]?.state).toBe("waiting")
      const refused = await endOf("device", "unmap", "vault", ...at(user))
      expect(refused.words).toMatch(/^rmr: unreachable: tcp:.*ECONNREFUSED/)
      expect((await user.status()).client?.pools[0]?.state).toBe("waiting")
      node.start()
      await untilMapped(user)
    } finally {
      await user.stop()
      await node.stop()
    }
  })

  it("is mapped and unmapped on every member, also where only some have it mapped", async () => {
    const unmap = ["device", "unmap", "vault", ...at(pool.client)]
    expect((await rmr(...unmap)).code).toBe(0)
    await mapOnMember(2)
    expect((await rmr("device", "map", "vault", ...at(pool.client))).code).toBe(0)
    await untilMapped(pool.client)
    expect((await rmr(...unmap)).code).toBe(0)
    await mapOnMember(1)
    expect((await rmr(...unmap)).code).toBe(0)
    const { client } = await pool.client.status()
    expect(client?.pools[0]).toMatchObject({ state: "unmapped", why: null, device: null })
    expect((await rmr("device", "map", "vault", ...at(pool.client))).code).toBe(0)
    await untilMapped(pool.client)
  })

  /** As of a client that ended when it had told one member only. */
  async function mapOnMember(id: number): Promise<void> {
    const env = realEnv()
    const memory = buddyMemory({ arenas: [4 * MIB], leaseCountMax: 64 })
    const transport = tcp()
    const registry = new LinkRegistry({
      env,
      memory,
      transport,
      hostName: "test",
      software: "test",
    })
    const members = pool.ports.map((port, nth) => ({
      memberId: memberId(nth + 1),
      address: `tcp://127.0.0.1:${port}`,
    }))
    const opened = await openPool({ registry, poolName: "vault", members })
    const leg = opened.legs.find((one) => one?.memberId === id)
    const data = encodeDeviceRequest("map", SIZE_BYTES)
    const reply = await leg?.ask("user", opened.record.mapVersion, { data }, undefined, 3000)
    expect(reply?.result.userStatus).toBe(0)
    await opened.close()
    await registry.close()
  }
})

describe("a pool that is taken over", () => {
  const members = (): string =>
    pool.ports.map((port, nth) => `"${nth + 1}@tcp://127.0.0.1:${port}"`).join(", ")

  /** Its socket and its export have names that mean something in a URI. */
  async function withSecondClient(run: (second: RmrDaemon) => Promise<void>) {
    const socket = join(folder, "a second #1?.sock")
    const nbd = `nbd = ["unix:${socket}", "127.0.0.1:0"]`
    const text = `[client]\n${nbd}\n[[client.pool]]\nname = "vault"\n`
    const second = new RmrDaemon(
      folder,
      "second",
      `${text}export = "my #1/50% disk?"\nmembers = [${members()}]\n`,
    )
    second.start()
    try {
      await until("it waits", second, ({ client }) => client?.pools[0]?.why != null)
      await run(second)
    } finally {
      await second.stop()
    }
  }

  itWhere("P5: is written by one client, there and back again", missing("nbdsh"), async () => {
    await nbdsh(folder, pool.uri, 'h.pwrite(b"1" * 4096, 0)')
    await withSecondClient(async (second) => {
      expect((await rmr("pool", "takeover", "vault", ...at(second))).code).toBe(0)
      const [uri = "", tcpUri = ""] = (await second.status()).client?.nbd.uris ?? []
      await nbdsh(folder, tcpUri, 'assert h.pread(4096, 0) == b"1" * 4096')
      await nbdsh(folder, uri, 'assert h.pread(4096, 0) == b"1" * 4096\nh.pwrite(b"2" * 4096, 0)')
      await expect(nbdsh(folder, pool.uri, 'h.pwrite(b"x" * 4096, 0)')).rejects.toThrow()
      const fenced = await until("the first says so", pool.client, ({ client }) => {
        return client?.pools[0]?.state === "fenced"
      })
      expect(fenced.client?.pools[0]?.why).toContain("another client has taken pool vault over")

      const back = await rmr("pool", "takeover", "vault", ...at(pool.client))
      expect([back.code, back.output.trim()]).toEqual([0, "pool vault is open here now"])
      const script = 'assert h.pread(4096, 0) == b"2" * 4096\nh.pwrite(b"3" * 4096, 0)'
      await nbdsh(folder, pool.uri, script)
      await expect(nbdsh(folder, uri, 'h.pwrite(b"y" * 4096, 0)')).rejects.toThrow()
    })
    await nbdsh(folder, pool.uri, 'assert h.pread(4096, 0) == b"3" * 4096')
  })
})
