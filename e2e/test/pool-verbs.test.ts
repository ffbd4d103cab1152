/**
 * Verbs that show a pool, and verbs for one store of it, on a pool that is in use: what they say is
 * true, and nothing of what they do reaches the device.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { LastIoEntry } from "@rmr/core"
import { expectSameStores, itWhere, MIB, missing, nbdsh } from "./nbd-tools.js"
import { type PoolProcesses, type RmrDaemon, startPool, until } from "./pool-processes.js"
import { endOf } from "./refusals.js"
import { rmr } from "./rmr-program.js"

interface MapShown {
  readonly member: number
  readonly next: number | null
  readonly ranges: readonly { readonly first: number; readonly rank: string }[]
}

const SIZE_BYTES = 32 * MIB

jest.setTimeout(120_000)

let folder: string
let pool: PoolProcesses

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "rmr-verbs-"))
  pool = await startPool(folder, 3, SIZE_BYTES)
})

afterAll(async () => {
  await pool.stop()
  await expectSameStores(pool.stores.slice(0, 2))
  rmSync(folder, { recursive: true, force: true })
})

async function said(daemon: RmrDaemon, ...words: string[]): Promise<string> {
  const { code, output } = await rmr(...words, "--socket", daemon.control)
  expect({ words, code, output }).toEqual({ words, code: 0, output })
  return output
}

async function answered<T>(daemon: RmrDaemon, ...words: string[]): Promise<T> {
  return JSON.parse(await said(daemon, ...words, "--json")) as T
}

interface Stats {
  readonly storage: readonly { readonly member: number; readonly counts: Counts }[]
  readonly client: readonly { readonly name: string; readonly counts: Counts }[]
}

type Counts = Readonly<Record<string, number>>

describe("an admin", () => {
  itWhere("sees what was read and written", missing("nbdsh"), async () => {
    const before = await answered<Stats>(pool.client, "stats")
    await nbdsh(folder, pool.uri, 'h.pwrite(b"a" * 65536, 0)\nh.pread(4096, 0)\nh.flush()')
    const after = await answered<Stats>(pool.client, "stats")
    const grown = (name: string): number =>
      (after.client[0]?.counts[name] ?? 0) - (before.client[0]?.counts[name] ?? 0)
    expect(grown("writtenBytes")).toBe(65536)
    expect(grown("reads")).toBeGreaterThanOrEqual(1)
    expect(after.client[0]?.counts["failures"]).toBe(0)
    for (const node of pool.storage) {
      const { storage } = await answered<Stats>(node, "stats")
      expect(storage[0]?.counts["writtenBytes"]).toBeGreaterThanOrEqual(65536)
    }
    expect(await said(pool.client, "stats")).toMatch(/^pool vault\n {2}reads: \d/)
  })

  it("sees the record of a pool, and what each member lacks", async () => {
    for (const daemon of [pool.client, ...pool.storage]) {
      const shown = await said(daemon, "pool", "show", "vault")
      expect(shown).toMatch(/^pool vault, [0-9a-f]{32}\n/)
      expect(shown).toContain("volume of 32 MiB")
      expect(shown.match(/member \d: normal, store [0-9a-f]{32}/g)).toHaveLength(3)
    }
    const checks = await said(pool.client, "map", "check", "vault")
    expect(checks.trim().split("\n")).toEqual([
      "member 1: normal, clean",
      "member 2: normal, clean",
      "member 3: normal, clean",
    ])
    const end = await endOf("pool", "show", "other", "--socket", pool.client.control)
    expect(end).toMatchObject({ code: 1, words: expect.stringMatching(/^rmr: not-found: /) })
  })

  itWhere("Q9: ends a session, and no IO with it", missing("nbdsh"), async () => {
    const control = ["--socket", pool.client.control]
    const writing = nbdsh(
      folder,
      pool.uri,
      'for nth in range(400):\n  h.pwrite(bytes([nth % 256]) * 4096, nth * 4096)\nprint("done")',
    )
    for (const member of ["1", "2", "3"])
      await said(pool.client, "leg", "reconnect", "vault", member)
    expect(await writing).toContain("done")
    await until("all legs are normal", pool.client, ({ client }) => {
      const legs = client?.pools[0]?.legs ?? []
      return legs.length === 3 && legs.every(({ state }) => state === "normal")
    })
    const asked: readonly [string, number, RegExp][] = [
      ["9", 1, /^rmr: not-found: pool vault has no member 9/],
      ["x", 2, /^rmr: invalid-argument: member is a number of 1 or more/],
      ["0", 2, /^rmr: invalid-argument: member is a number of 1 or more/],
    ]
    for (const [member, code, reason] of asked) {
      const end = await endOf("leg", "reconnect", "vault", member, ...control)
      expect(end.words).toMatch(reason)
      expect(end.code).toBe(code)
    }
  })

  it("stops and starts copies, on a storage node only", async () => {
    const [node = pool.client] = pool.storage
    const shown = async (): Promise<unknown> =>
      (await node.status()).storage?.pools[0]?.isSyncStopped
    const words = "    copies are stopped; `sync start` goes on with what is dirty\n"
    expect(await shown()).toBe(false)
    expect(await said(node, "sync", "stop", "vault")).toContain("only what requests wait for")
    expect([await shown(), await said(node, "status")]).toEqual([
      true,
      expect.stringContaining(words.trimEnd()),
    ])
    expect(await said(node, "sync", "start", "vault")).toContain("copies what is dirty")
    expect([await shown(), await said(node, "status")]).toEqual([
      false,
      expect.not.stringContaining("copies are stopped"),
    ])
    const end = await endOf("sync", "stop", "vault", "--socket", pool.client.control)
    expect(end.words).toMatch(/^rmr: unsupported: client is no storage node/)
  })

  itWhere(
    "takes a store out of a node and puts it back, while the device is in use",
    missing("nbdsh"),
    async () => {
      const node = pool.storage[2]!
      const control = ["--socket", node.control]
      expect(await said(node, "store", "remove", "vault")).toContain("is closed")
      expect((await node.status()).storage?.pools).toEqual([])
      const again = await endOf("store", "remove", "vault", ...control)
      expect(again.words).toMatch(/^rmr: not-found: no pool vault is served here/)
      await nbdsh(folder, pool.uri, 'h.pwrite(b"w" * 4096, 0)\nh.flush()')
      expect(await said(pool.client, "pool", "show", "vault")).toContain("member 3: absent")

      expect(await said(node, "store", "add", "vault")).toContain("is served")
      expect((await node.status()).storage?.pools).toHaveLength(1)
      const twice = await endOf("store", "add", "vault", ...control)
      expect(twice.words).toMatch(/^rmr: exists: the store of vault is served already/)
      const other = await endOf("store", "add", "other", ...control)
      expect(other.words).toMatch(/^rmr: not-found: no pool other in the configuration.*vault/)
      await until("member 3 is back", pool.client, ({ client }) => {
        return client?.pools[0]?.legs[2]?.state === "normal"
      })
      await nbdsh(folder, pool.uri, 'assert h.pread(4096, 0) == b"w" * 4096')
    },
  )
})

describe("a storage node", () => {
  itWhere(
    "shows what an absent member lacks, and what was written last",
    missing("nbdsh"),
    async () => {
      const [node = pool.client, , away = pool.client] = pool.storage
      await said(away, "store", "remove", "vault")
      // Member 3 cannot do this, and leaves the view before it is answered.
      const writes = 'for chunk in [0, 5]:\n  h.pwrite(b"x" * 4096, chunk * 131072)\n'
      await nbdsh(folder, pool.uri, writes)
      const lines = (await said(node, "map", "show", "vault")).trim().split("\n")
      // It knows of itself, and of those that are absent.
      expect(lines[0]).toBe("member 1: clean")
      expect(lines[1]).toMatch(/^member 3: \d+ of 256 chunks dirty, absent since view \d+\.\d+$/)
      expect(lines).toContain("  5 real")
      const parts = await answered<MapShown[]>(node, "map", "show", "vault", "--ranges", "1")
      expect(parts[1]).toMatchObject({ member: 3, next: 5, ranges: [{ first: 0, rank: "real" }] })
      const rest = await said(node, "map", "show", "vault", "--from", "6")
      expect(rest.trim().split("\n")).toHaveLength(2)

      const last = await answered<LastIoEntry[]>(node, "pool", "last-io", "vault")
      expect(last).toContainEqual(
        expect.objectContaining({ operation: "write", offset: 5 * 131_072, length: 4096 }),
      )
      expect(await said(node, "pool", "last-io", "vault")).toContain("4096 bytes at 655360")
      const end = await endOf("map", "show", "vault", "--from", "x", "--socket", node.control)
      expect(end).toMatchObject({
        code: 2,
        words: expect.stringContaining("--from x: it is a whole"),
      })
      const other = await endOf("map", "show", "vault", "--socket", pool.client.control)
      expect(other.words).toMatch(/^rmr: unsupported: client is no storage node/)
    },
  )
})

describe("a program", () => {
  it("makes, looks at and deletes a store, and is told so in JSON", async () => {
    const path = join(folder, "spare")
    const told = async (...words: string[]): Promise<unknown> => {
      const { code, stdout } = await rmr("store", ...words, "--json")
      return { code, ...(JSON.parse(stdout) as object) }
    }
    const sizes = { sizeBytes: MIB, chunkSizeBytes: 131_072 }
    expect(await told("create", path, "--size", "1 MiB")).toEqual({
      code: 0,
      store: path,
      ...sizes,
    })
    expect(await told("inspect", path)).toMatchObject({
      code: 0,
      superblock: { isClean: true, sizeBytes: MIB },
      superblocks: [
        { at: 0, state: "good" },
        { at: 65_536, state: "good" },
      ],
      problems: [],
    })
    expect(await told("delete", path, "--yes")).toEqual({ code: 0, store: path })
    expect(await told("inspect", path)).toEqual({
      code: 1,
      error: { code: "not-found", detail: expect.stringContaining("holds no store") },
    })
  })
})
