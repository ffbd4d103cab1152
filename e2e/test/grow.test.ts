/**
 * A volume that grows while it is in use, as an administrator sees it: what is connected goes on,
 * who connects then sees the new size, and a member that was away learns of it when it returns.
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
  folder = mkdtempSync(join(tmpdir(), "rmr-grow-"))
  const room = { storagePool: 'max_size = "512 MiB"\n', clientPool: "io_deadline_ms = 1000\n" }
  pool = await startPool(folder, 3, SIZE_BYTES, room)
})

afterEach(async () => {
  for (const daemon of [pool.client, ...pool.storage]) await daemon.kill()
  rmSync(folder, { recursive: true, force: true })
})

async function legIs(nth: number, state: string): Promise<void> {
  await until(`the leg to member ${nth + 1} is ${state}`, pool.client, ({ client }) => {
    return client?.pools[0]?.legs[nth]?.state === state
  })
}

const grow = (size: string): Promise<unknown> =>
  endOf("pool", "grow", "vault", "--size", size, "--socket", pool.client.control)

describe("a volume that grows", () => {
  itWhere(
    "G1, G2: has its new end at once, on a member that was away too",
    missing("nbdsh"),
    async () => {
      await nbdsh(folder, pool.uri, 'h.pwrite(b"a" * 65536, 0)\nh.flush()')
      const away = pool.storage[1]!
      await away.kill()
      await legIs(1, "failed")
      // What is written puts it out of the view.
      await nbdsh(folder, pool.uri, 'h.pwrite(b"c" * 65536, 65536)\nh.flush()')
      expect(await grow("512m")).toMatchObject({ code: 0 })
      const last = 512 * MIB - 65536
      await nbdsh(
        folder,
        pool.uri,
        `assert h.get_size() == ${512 * MIB}\nh.pwrite(b"b" * 65536, ${last})\nh.flush()`,
      )
      away.start()
      await legIs(1, "normal")
      await until("it fetched what it lacks", away, ({ storage }) => {
        const [shown] = storage?.pools ?? []
        return shown?.dirtyChunks === 0 && shown.sizeBytes === 512 * MIB
      })
      const words = `assert h.pread(65536, 0) == b"a" * 65536`
      await nbdsh(folder, pool.uri, `${words}\nassert h.pread(65536, ${last}) == b"b" * 65536`)
      await pool.stop()
      await expectSameStores(pool.stores)
    },
  )

  it("G1: is refused what its stores have no room for, and less than it has", async () => {
    expect(await grow("1g")).toMatchObject({
      code: 1,
      words: expect.stringMatching(/no-space: member 1: .* make a larger one with --max-size$/),
    })
    expect(await grow("16m")).toMatchObject({
      code: 2,
      words: expect.stringContaining("it never shrinks"),
    })
    expect(await grow("33000001")).toMatchObject({
      code: 2,
      words: expect.stringContaining("a multiple of 4096 bytes"),
    })
    const { client } = await pool.client.status()
    expect(client?.pools[0]?.sizeBytes).toBe(SIZE_BYTES)
  })
})
