/**
 * Memory that is full while a storage node dies: of the client, and of the nodes that go on. The
 * writes that fill it wait for the view to change, and the change must not wait for them.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expectSameStores, fio, itWhere, MIB, missing, withVictim } from "./nbd-tools.js"
import { startPool } from "./pool-processes.js"

const SIZE_BYTES = 64 * MIB

jest.setTimeout(240_000)

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rmr-full-"))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Whose memory is small, how, and a load that has more in flight than it takes. */
const places = [
  ["the client's", { client: `memory = "4 MiB"` }, ["--bs=64k", "--iodepth=128"]],
  ["the storage nodes'", { storage: `memory = "32 MiB"` }, ["--bs=1m", "--iodepth=64"]],
] as const

describe("W8: a storage node that is killed while memory is full", () => {
  for (const [whose, options, size] of places) {
    itWhere(`${whose}: no error, every byte verifies`, missing("fio"), async () => {
      const pool = await startPool(folder, 3, SIZE_BYTES, options)
      let stores: readonly string[] = []
      try {
        const load = ["--rw=randwrite", ...size, `--size=${SIZE_BYTES}`]
        stores = await withVictim(pool, 2, async () => {
          const said = await fio(folder, pool.uri, ...load, "--verify=crc32c", "--verify_fatal=1")
          expect(said).toContain("err= 0")
        })
        const { client } = await pool.client.status()
        expect(client?.nbd.errorCount).toBe(0)
      } finally {
        await pool.stop()
      }
      await expectSameStores(stores)
    })
  }
})
