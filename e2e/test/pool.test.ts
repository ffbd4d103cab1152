/**
 * A replicated device as its users have it: daemons as processes, real NBD clients, and a storage
 * node that is killed while they work. After each run the stores of all members that took part are
 * compared byte for byte.
 *
 * `RMR_LONG=1` makes a load of seconds one of a minute.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  expectSameStores,
  fio,
  isLong,
  itWhere,
  MIB,
  missing,
  seededFile,
  tool,
  withVictim,
} from "./nbd-tools.js"
import { type PoolProcesses, startPool } from "./pool-processes.js"

const SIZE_BYTES = 48 * MIB
/** Of the load that is one load from its first second to its last. */
const LOAD_SECONDS = isLong() ? 60 : 5

jest.setTimeout(240_000)

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rmr-e2e-"))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Runs with a pool of three, and compares the stores whose paths come back. */
async function withPool(run: (pool: PoolProcesses) => Promise<readonly string[]>): Promise<void> {
  const pool = await startPool(folder, 3, SIZE_BYTES)
  let stores: readonly string[]
  try {
    stores = await run(pool)
  } finally {
    await pool.stop()
  }
  await expectSameStores(stores)
}

function isSame(one: string, other: string): boolean {
  return readFileSync(one).equals(readFileSync(other))
}

/** One pass over all of it: of mixed loads fio can check only what its last pass wrote. */
const MIXED = ["--rw=randrw", "--bsrange=4k-128k", "--iodepth=32", `--size=${SIZE_BYTES}`]
const CHECKED = ["--verify=crc32c", "--verify_fatal=1"]
/** Over and over, without a pause for checking. */
const TIMED = ["--time_based", `--runtime=${LOAD_SECONDS}`]

describe("a replicated device", () => {
  itWhere("P1: nbdcopy there and back over four connections", missing("nbdcopy"), async () => {
    await withPool(async (pool) => {
      const source = seededFile(folder, "source.img", SIZE_BYTES)
      const back = join(folder, "back.img")
      await tool(folder, "nbdcopy", "--connections=4", source, pool.uri)
      await tool(folder, "nbdcopy", "--connections=4", pool.tcpUri, back)
      expect(isSame(source, back)).toBe(true)
      return pool.stores
    })
  })

  itWhere("P1: fio finds every block that it wrote at random", missing("fio"), async () => {
    await withPool(async (pool) => {
      const said = await fio(folder, pool.uri, ...MIXED, ...CHECKED)
      expect(said).toContain("err= 0")
      return pool.stores
    })
  })

  itWhere("P3: is there again after everything was stopped", missing("qemu-io"), async () => {
    const first = await startPool(folder, 3, SIZE_BYTES)
    await tool(folder, "qemu-io", "-f", "raw", "-c", "write -P 7 1M 64k", "-c", "flush", first.uri)
    await first.stop()
    const second = await startPool(folder, 3, SIZE_BYTES)
    try {
      const said = await tool(folder, "qemu-io", "-f", "raw", "-c", "read -P 7 1M 64k", second.uri)
      expect(said).toContain("read 65536/65536")
    } finally {
      await second.stop()
    }
  })
})

describe("P2: a storage node that is killed costs its client nothing:", () => {
  itWhere("nbdcopy", missing("nbdcopy"), async () => {
    await withPool(async (pool) => {
      const sources = [1, 2].map((seed) => seededFile(folder, `${seed}.img`, SIZE_BYTES, seed))
      const stores = await withVictim(pool, 1, async (nth) => {
        const back = join(folder, "back.img")
        await tool(folder, "nbdcopy", "--connections=4", sources[nth % 2]!, pool.uri)
        await tool(folder, "nbdcopy", "--connections=4", pool.uri, back)
        expect(isSame(sources[nth % 2]!, back)).toBe(true)
      })
      return stores
    })
  })

  itWhere("qemu-img convert", missing("qemu-img"), async () => {
    await withPool(async (pool) => {
      const sources = [1, 2].map((seed) => seededFile(folder, `${seed}.img`, SIZE_BYTES, seed))
      return withVictim(pool, 2, async (nth) => {
        const raw = ["-f", "raw", "-O", "raw", sources[nth % 2]!, pool.uri]
        await tool(folder, "qemu-img", "convert", "-n", ...raw)
        const both = ["-f", "raw", "-F", "raw", sources[nth % 2]!, pool.uri]
        expect(await tool(folder, "qemu-img", "compare", ...both)).toContain("identical")
      })
    })
  })

  itWhere("fio", missing("fio"), async () => {
    await withPool(async (pool) =>
      withVictim(pool, 0, async () => {
        const said = await fio(folder, pool.uri, ...MIXED, ...CHECKED)
        expect(said).toContain("err= 0")
      }),
    )
  })

  itWhere(`one load of fio for ${LOAD_SECONDS} s, and its checks`, missing("fio"), async () => {
    await withPool(async (pool) =>
      withVictim(pool, 1, async (nth) => {
        const said = await fio(folder, pool.uri, ...MIXED, ...(nth === 0 ? TIMED : CHECKED))
        expect(said).toContain("err= 0")
      }),
    )
  })
})
