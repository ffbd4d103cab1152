/**
 * Bytes that rot in a real store: `rmr store scrub` says which while no daemon has the store, and a
 * scrub of one that is served has them fetched from a peer.
 */
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { DaemonStatus, ScrubShown } from "../../packages/rmr-cli/src/control/status.js"
import { expectSameStores, itWhere, MIB, missing, nbdsh } from "./nbd-tools.js"
import { type PoolProcesses, type RmrDaemon, startPool, until } from "./pool-processes.js"
import { endOf } from "./refusals.js"
import { rmr } from "./rmr-program.js"

const SIZE_BYTES = 32 * MIB
/** Behind what the first write makes hot, so that its sums are at their places. */
const ROT_AT = 8 * MIB + 4096 + 5

jest.setTimeout(120_000)

let folder: string
let pool: PoolProcesses

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "rmr-scrub-"))
  pool = await startPool(folder, 2, SIZE_BYTES, { storagePool: "data_sums = true\n" })
})

afterAll(async () => {
  await pool.stop()
  rmSync(folder, { recursive: true, force: true })
})

const at = (daemon: RmrDaemon): [string, string] => ["--socket", daemon.control]

async function dataStartOf(store: string): Promise<number> {
  const { code, stdout } = await rmr("store", "inspect", store, "--json")
  expect(code).toBe(0)
  return JSON.parse(stdout).superblock.dataStart as number
}

/** Another bit at this place of the volume. */
function rot(store: string, dataStart: number, offset: number): void {
  const fd = openSync(store, "r+")
  const byte = new Uint8Array(1)
  readSync(fd, byte, 0, 1, dataStart + offset)
  writeSync(fd, Uint8Array.of(byte[0]! ^ 4), 0, 1, dataStart + offset)
  closeSync(fd)
}

function scrubOf({ storage }: DaemonStatus): ScrubShown | null | undefined {
  return storage?.pools[0]?.scrub
}

describe("a store that keeps checksums of its data", () => {
  itWhere(
    "is read through, and what has rotted is told and repaired",
    missing("nbdsh"),
    async () => {
      const [node = pool.client] = pool.storage
      const [store = ""] = pool.stores
      await nbdsh(folder, pool.uri, 'h.pwrite(b"s" * 16777216, 0)\nh.flush()')

      await pool.client.stop()
      await node.stop()
      const dataStart = await dataStartOf(store)
      const sound = await rmr("store", "scrub", store)
      expect([sound.code, sound.stdout]).toEqual([0, expect.stringMatching(/nothing is damaged/)])
      rot(store, dataStart, ROT_AT)
      const damaged = await rmr("store", "scrub", store, "--rate", "64 MiB", "--json")
      expect(damaged.code).toBe(1)
      expect(JSON.parse(damaged.stdout)).toMatchObject({
        checkedBytes: 16 * MIB,
        unknownBytes: 16 * MIB,
        damagedBytes: 4096,
        damaged: [{ offset: 8 * MIB + 4096, bytes: 4096 }],
      })

      node.start()
      pool.client.start()
      await until(
        "member 1 is normal",
        node,
        ({ storage }) => storage?.pools[0]?.state === "normal",
      )
      expect((await rmr("scrub", "start", "vault", ...at(node), "--rate", "64 MiB")).code).toBe(0)
      const done = await until("the scrub is done", node, (one) => scrubOf(one)?.state === "done")
      expect(scrubOf(done)).toMatchObject({ damagedBytes: 4096, error: null })
      await until("it is repaired", node, ({ storage }) => storage?.pools[0]?.dirtyChunks === 0)
      const status = await rmr("status", ...at(node))
      expect(status.stdout).toMatch(/scrub done, 32 MiB of 32 MiB/)
      expect(status.stdout).toMatch(/4096 bytes at 8392704/)
      await nbdsh(folder, pool.uri, 'assert h.pread(8192, 8388608) == b"s" * 8192')
    },
  )

  itWhere("is scrubbed by nobody who stops it", missing("nbdsh"), async () => {
    const [node = pool.client] = pool.storage
    expect((await rmr("scrub", "start", "vault", ...at(node), "--rate", "4 KiB")).code).toBe(0)
    const again = await endOf("scrub", "start", "vault", ...at(node))
    expect(again.words).toMatch(/^rmr: busy: the store of vault is being scrubbed already/)
    const stopped = await rmr("scrub", "stop", "vault", ...at(node), "--json")
    expect(stopped.code).toBe(0)
    expect(JSON.parse(stopped.stdout)).toMatchObject({ state: "stopped", damagedBytes: 0 })
    expect((await rmr("scrub", "start", "vault", ...at(node), "--rate", "4 KiB")).code).toBe(0)
    // A daemon that ends waits for no scrub.
    await pool.client.stop()
    for (const daemon of pool.storage) await daemon.stop()
    await expectSameStores(pool.stores)
  })
})
