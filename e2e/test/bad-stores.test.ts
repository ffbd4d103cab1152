/**
 * Stores that cannot be had or do not hold what they should: the daemon says why and what helps,
 * and nothing of what is there is lost. A disk that fills up costs its member, and not the client.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freePorts } from "../../bench/device/target.js"
import { whyNoMount, withMemoryDisk } from "./mounts.js"
import { expectSameStores, itWhere, MIB, missing, nbdsh, seededFile, tool } from "./nbd-tools.js"
import { RmrDaemon, startPool, until } from "./pool-processes.js"
import { endOf, refusalOf, storage } from "./refusals.js"
import { rmr } from "./rmr-program.js"

const SIZE = "size = 16777216\n"
const SIZE_BYTES = 48 * MIB

jest.setTimeout(120_000)

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rmr-stores-"))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** What a daemon with this store says. */
async function refusal(store: string, size = SIZE): Promise<{ code: number; words: string }> {
  return refusalOf(folder, "daemon", storage(store, "tcp://127.0.0.1:0", size))
}

async function made(name: string): Promise<string> {
  const path = join(folder, name)
  const result = await rmr("store", "create", path, "--size", "16 MiB")
  expect(result.code).toBe(0)
  return path
}

describe("a store that", () => {
  it("is not there, and no size is said: 1, and how to make it", async () => {
    const { code, words } = await refusal(join(folder, "missing"), "")
    expect(words).toMatch(
      /^rmr: not-found: .*missing does not exist; make it with "rmr store create"/,
    )
    expect(code).toBe(1)
  })

  it("is a folder: 2, for every verb", async () => {
    const place = join(folder, "place")
    mkdirSync(place)
    const verbs = [
      ["create", place, "--size", "16 MiB"],
      ["inspect", place],
      ["delete", place, "--yes"],
    ]
    const ends = [await refusal(place)]
    for (const verb of verbs) ends.push(await endOf("store", ...verb))
    for (const { code, words } of ends) {
      expect(words).toMatch(/^rmr: invalid-argument: .*place is a (directory|folder); name a file/)
      expect(code).toBe(2)
    }
    expect(readdirSync(place)).toEqual([])
  })

  it("is in a folder that is not there: 1, and which", async () => {
    const { code, words } = await refusal(join(folder, "no", "store"))
    expect(words).toMatch(/^rmr: not-found: .*no does not exist; make that folder first/)
    expect(code).toBe(1)
  })

  it("is somebody's file: 1, and it stays as it is", async () => {
    const path = seededFile(folder, "foreign", MIB)
    const before = readFileSync(path)
    const served = await refusal(path)
    expect(served.words).toContain("holds no store; create one there")
    const verbs = [
      ["create", path, "--size", "64 KiB"],
      ["delete", path, "--yes"],
    ]
    for (const verb of verbs) expect((await endOf("store", ...verb)).code).toBe(1)
    expect([served.code, readFileSync(path).equals(before)]).toEqual([1, true])
  })

  it("is shorter than it should be: 1, and how much it needs", async () => {
    const path = await made("cut")
    truncateSync(path, statSync(path).size - MIB)
    const { code, words } = await refusal(path)
    expect(words).toMatch(/^rmr: too-small: .*cut has \d+ bytes, its store needs \d+/)
    expect(code).toBe(1)
  })

  it("is damaged: 1, and it stays as it is", async () => {
    const path = await made("damaged")
    const bytes = readFileSync(path)
    bytes.fill(0xa5, 8, 70_000)
    writeFileSync(path, bytes)
    const { code, words } = await refusal(path)
    expect(words).toMatch(/^rmr: (corrupt|not-found): /)
    expect([code, readFileSync(path).equals(bytes)]).toEqual([1, true])
    const { code: seen, stdout } = await rmr("store", "inspect", path)
    expect(stdout).toContain("both copies of the superblock are damaged")
    expect([seen, readFileSync(path).equals(bytes)]).toEqual([1, true])
  })

  it("is damaged in one copy: it says which one is good, and is served", async () => {
    const path = await made("scratched")
    const bytes = readFileSync(path)
    bytes.fill(0xa5, 8, 4096)
    writeFileSync(path, bytes)
    const { code, stdout } = await rmr("store", "inspect", path)
    expect(stdout).toMatch(/at 0: damaged\n {2}at 65536: good, format 2/)
    expect([code, stdout.includes("the superblock at 0 is damaged")]).toEqual([1, true])
    const daemon = new RmrDaemon(folder, "healed", storage(path))
    daemon.start()
    try {
      await until("it serves", daemon, (status) => status.storage?.pools.length === 1)
    } finally {
      await daemon.stop()
    }
    const after = await rmr("store", "inspect", path)
    expect(after.stdout).toMatch(/member 1 of pool \S+ \(0+\), store [0-9a-f]{32}/)
    expect([after.code, after.stdout.includes("nothing is wrong")]).toEqual([0, true])
  })

  it("another daemon has: 4, for every verb, and that one goes on", async () => {
    const path = await made("held")
    const daemon = new RmrDaemon(folder, "first", storage(path))
    daemon.start()
    try {
      await until("it serves", daemon, (status) => status.storage?.pools.length === 1)
      const verbs = [
        ["inspect", path],
        ["delete", path, "--yes"],
      ]
      const ends = [await refusal(path)]
      for (const verb of verbs) ends.push(await endOf("store", ...verb))
      ends.push(await endOf("store", "create", path, "--size", "16 MiB", "--force"))
      for (const { code, words } of ends) {
        expect(words).toMatch(/^rmr: busy: .*held is open in another program/)
        expect(code).toBe(4)
      }
      expect((await daemon.status()).storage?.pools[0]?.failure).toBe(null)
    } finally {
      await daemon.stop()
    }
  })

  it("is too small for the pool that is to live there: the client says so, and waits", async () => {
    const [port = 0] = await freePorts(1)
    const address = `tcp://127.0.0.1:${port}`
    const node = new RmrDaemon(folder, "node", storage(join(folder, "small"), address, SIZE))
    const members = `members = ["1@${address}"]\ncreate = ${SIZE_BYTES}\n`
    const user = new RmrDaemon(
      folder,
      "user",
      `[client]\n[[client.pool]]\nname = "vault"\n${members}`,
    )
    for (const daemon of [node, user]) daemon.start()
    try {
      const said = await until("it says so", user, ({ client }) => {
        const why = client?.pools[0]?.why
        return why != null && !why.startsWith("unreachable")
      })
      expect(said.client?.pools[0]).toMatchObject({ state: "waiting", device: null })
      expect(said.client?.pools[0]?.why).toMatch(/^too-small: /)
    } finally {
      await user.stop()
      await node.stop()
    }
  })

  it("is said to be of another member: 1, and nothing changes", async () => {
    const pool = await startPool(folder, 2, SIZE_BYTES)
    await pool.stop()
    const [first = ""] = pool.stores
    const text = storage(first).replace("member = 1", "member = 2")
    const { code, words } = await refusalOf(folder, "other", text)
    expect(words).toMatch(/^rmr: mismatch: .*member 1.*/)
    expect(code).toBe(1)
    const deeper = storage(first).replace("member = 1", "member = 1\nqueue_depth = 7")
    const refused = await refusalOf(folder, "deeper", deeper)
    expect(refused.words).toMatch(/^rmr: mismatch: .*queue depth of \d+, .* says 7: configure \d+/)
    expect(refused.code).toBe(1)
    await expectSameStores(pool.stores)
  })
})

describe("a store on a disk that", () => {
  const why = whyNoMount()

  itWhere("may only be read: 1, and it says so", why, async () => {
    const place = join(folder, "disk")
    await withMemoryDisk(folder, place, "64m", async (disk) => {
      expect((await endOf("store", "create", join(place, "a"), "--size", "16 MiB")).code).toBe(0)
      await disk.makeReadOnly()
      for (const name of ["a", "b"]) {
        const { code, words } = await refusal(join(place, name))
        expect(words).toMatch(/^rmr: io-error: .* is on a file system that is mounted read-only/)
        expect(code).toBe(1)
      }
    })
  })

  itWhere("is full: 1, nothing is left behind, and with room it is made", why, async () => {
    const place = join(folder, "disk")
    await withMemoryDisk(folder, place, "64k", async (disk) => {
      seededFile(place, "filler", 60 * 1024)
      for (const end of [
        await refusal(join(place, "store")),
        await endOf("store", "create", join(place, "store"), "--size", "16 MiB"),
      ]) {
        expect(end.words).toMatch(/^rmr: no-space: /)
        expect(end.code).toBe(1)
        expect(existsSync(join(place, "store"))).toBe(false)
      }
      await disk.grow("64m")
      const again = await endOf("store", "create", join(place, "store"), "--size", "16 MiB")
      expect(again.code).toBe(0)
    })
  })

  const both = why || missing("nbdcopy", "nbdsh")
  itWhere("fills up costs its member, which says so, and not the client", both, async () => {
    const place = join(folder, "disk")
    await withMemoryDisk(folder, place, "24m", async () => {
      const storeOf = (id: number): string => join(id === 2 ? place : folder, `${id}.store`)
      const pool = await startPool(folder, 3, SIZE_BYTES, { storeOf })
      try {
        const source = seededFile(folder, "source.img", SIZE_BYTES)
        const back = join(folder, "back.img")
        await tool(folder, "nbdcopy", "--connections=4", source, pool.uri)
        await tool(folder, "nbdcopy", "--connections=4", pool.uri, back)
        expect(readFileSync(back).equals(readFileSync(source))).toBe(true)
        const said = await until("the member says why", pool.storage[1]!, ({ storage: role }) => {
          return role?.pools[0]?.failure != null
        })
        expect(said.storage?.pools[0]?.failure).toMatch(/no-space/)
        const { client } = await pool.client.status()
        expect(client?.pools[0]?.legs.map(({ state }) => state === "normal")).toEqual([
          true,
          false,
          true,
        ])
        const ending = pool.storage[1]!.stop()
        await expect(ending).rejects.toThrow(/ended with 1:[\s\S]*not closed cleanly/)
      } finally {
        await pool.stop()
      }
      await expectSameStores([pool.stores[0]!, pool.stores[2]!])
    })
  })

  itWhere(
    "fills up under all members: an error in time, and why; nothing is lost",
    both,
    async () => {
      const place = join(folder, "disk")
      await withMemoryDisk(folder, place, "60m", async (disk) => {
        const storeOf = (id: number): string => join(place, `${id}.store`)
        const options = { storeOf, clientPool: "no_leg_ms = 1500\n" }
        const pool = await startPool(folder, 2, SIZE_BYTES, options)
        try {
          await nbdsh(folder, pool.uri, FILL)
          const said = await until("the client says why", pool.client, ({ client }) => {
            return client?.pools[0]?.why != null
          })
          expect(said.client?.pools[0]?.why).toMatch(/no-leg: .*member \d refuses: .*no-space: /)
        } finally {
          for (const daemon of pool.storage) await daemon.kill()
          await pool.client.stop()
        }
        await disk.grow("200m")
        const again = await startPool(folder, 2, SIZE_BYTES, { storeOf })
        try {
          await nbdsh(folder, again.uri, 'assert h.pread(4096, 0) == b"k" * 4096, "it is lost"')
        } finally {
          await again.stop()
        }
      })
    },
  )
})

const FILL = `
h.pwrite(b"k" * 4096, 0, nbd.CMD_FLAG_FUA)
refused = []
for nth in range(1, 48):
    try:
        h.pwrite(bytes([nth]) * (1 << 20), nth << 20)
    except nbd.Error as e:
        refused.append(e.errno)
        break
assert refused in (["ENOSPC"], ["EIO"]), refused
`
