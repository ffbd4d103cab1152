/**
 * Members that an administrator adds to a pool that is in use, and takes out of it for good: the
 * new one has everything in the end, and the deleted one is missed by nobody.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expectSameStores, itWhere, MIB, missing, nbdsh } from "./nbd-tools.js"
import { type PoolProcesses, startPool, until } from "./pool-processes.js"
import { endOf } from "./refusals.js"

const SIZE_BYTES = 32 * MIB

jest.setTimeout(120_000)

let folder: string
let pool: PoolProcesses

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "rmr-members-"))
  pool = await startPool(folder, 3, SIZE_BYTES, { founders: 2 })
})

afterEach(async () => {
  for (const daemon of [pool.client, ...pool.storage]) await daemon.kill()
  rmSync(folder, { recursive: true, force: true })
})

const addressOf = (nth: number): string => `tcp://127.0.0.1:${pool.ports[nth]}`

const admin = (...words: string[]): Promise<unknown> =>
  endOf("pool", ...words, "--socket", pool.client.control)

describe("the members of a pool that is in use", () => {
  itWhere("G2, G4: come and go, and what is written stays", missing("nbdsh"), async () => {
    await nbdsh(folder, pool.uri, 'h.pwrite(b"a" * 65536, 0)\nh.flush()')
    expect(await admin("extend", "vault", "3", addressOf(2))).toMatchObject({ code: 0 })
    await nbdsh(folder, pool.uri, 'h.pwrite(b"b" * 65536, 1048576)\nh.flush()')
    await until("the new member has everything", pool.storage[2]!, ({ storage }) => {
      const [shown] = storage?.pools ?? []
      return shown?.state === "normal" && shown.dirtyChunks === 0
    })
    expect(await admin("extend", "vault", "3", addressOf(2))).toMatchObject({
      code: 1,
      words: expect.stringContaining("has a member 3 already"),
    })
    expect(await admin("move", "vault", "3", "tcp://127.0.0.1:9")).toMatchObject({
      code: 4,
      words: expect.stringContaining('"rmr pool disable vault 3" first'),
    })
    expect(await admin("require", "vault", "3")).toMatchObject({ code: 0 })
    expect(await admin("delete", "vault", "1")).toMatchObject({
      code: 1,
      words: expect.stringContaining("2 normal members are left, and the pool needs 3"),
    })
    expect(await admin("require", "vault", "4")).toMatchObject({
      code: 2,
      words: expect.stringContaining("can require 1 to 3 members"),
    })
    expect(await admin("require", "vault", "2")).toMatchObject({ code: 0 })
    expect(await admin("delete", "vault", "1")).toMatchObject({ code: 0 })
    await nbdsh(folder, pool.uri, 'h.pwrite(b"c" * 65536, 2097152)\nh.flush()')
    const { client } = await pool.client.status()
    expect(client?.pools[0]?.legs.map(({ member }) => member)).toEqual([2, 3])
    const { storage } = await pool.storage[0]!.status()
    expect(storage?.pools[0]?.deletedIn).toMatch(/^\d+\.\d+$/)
    const words = 'assert h.pread(65536, 0) == b"a" * 65536'
    await nbdsh(folder, pool.uri, `${words}\nassert h.pread(65536, 2097152) == b"c" * 65536`)
    await pool.stop()
    await expectSameStores(pool.stores.slice(1))
  })
})
