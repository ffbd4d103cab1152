/**
 * What storage nodes and clients have resident: idle with a volume of 1 TiB, and under a load that
 * goes on. They are measured as built, since a program that is run from sources carries a compiler.
 *
 * `RMR_LONG=1` makes the load ten minutes long, and then memory must not have grown. The short one
 * only prints what it saw: what a process warms up in its first seconds is no growth.
 */
import { mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fio, isLong, itWhere, MIB, missing, nbdsh } from "./nbd-tools.js"
import { type PoolProcesses, startPool } from "./pool-processes.js"
import { MemoryWatch, mib, residentOf } from "./process-memory.js"
import { isBuilt } from "./rmr-program.js"

const GIB = 1024 * MIB
const LOAD_SECONDS = isLong() ? 600 : 8
const LOOK_MS = isLong() ? 1000 : 100
/** Of the first third's median, and beside it: a collector keeps what it has for a while. */
const GROWTH_MAX = 0.1
const GROWTH_BYTES_MAX = 8 * MIB
/** Promised are 90 MB for a storage node, and 110 MB for a client beside its arenas. */
const STORAGE_BYTES_MAX = 90e6
const CLIENT_BYTES_MAX = 110e6

jest.setTimeout((LOAD_SECONDS + 120) * 1000)

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rmr-memory-"))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

const why = isBuilt() ? "" : 'the packages are not built; "pnpm build" builds them'

function pidsOf(pool: PoolProcesses): Map<string, number> {
  const storage = pool.storage.map(({ pid }, nth) => [`storage node ${nth + 1}`, pid] as const)
  return new Map([...storage, ["client", pool.client.pid]])
}

describe("resident memory", () => {
  itWhere("of idle nodes and a client with 1 TiB mapped", why || missing("nbdsh"), async () => {
    const pool = await startPool(folder, 3, 1024 * GIB)
    try {
      // Both ends of the volume are used, and the stores stay sparse.
      await nbdsh(
        folder,
        pool.uri,
        `
h.pwrite(b"m" * (1 << 20), 0)
h.pwrite(b"n" * (1 << 20), size - (1 << 20), nbd.CMD_FLAG_FUA)
assert size == 1 << 40 and h.pread(4096, size - 4096) == b"n" * 4096
`,
      )
      for (const [name, pid] of pidsOf(pool)) {
        const { bytes, ownBytes } = residentOf(pid)
        process.stdout.write(`memory: 1 TiB, idle ${name}: ${mib(bytes)}, own ${mib(ownBytes)}\n`)
        expect(bytes).toBeLessThan(name === "client" ? CLIENT_BYTES_MAX : STORAGE_BYTES_MAX)
      }
      for (const path of pool.stores) expect(statSync(path).blocks * 512).toBeLessThan(GIB)
    } finally {
      await pool.stop()
    }
  })

  const title = `of all processes over ${LOAD_SECONDS} s of load`
  itWhere(`${title}${isLong() ? " does not grow" : ""}`, why || missing("fio"), async () => {
    const pool = await startPool(folder, 3, 256 * MIB)
    const watch = new MemoryWatch(pidsOf(pool), LOOK_MS)
    try {
      const load = ["--rw=randrw", "--bsrange=4k-256k", "--iodepth=32", "--size=256m"]
      const time = ["--time_based", `--runtime=${LOAD_SECONDS}`, "--norandommap=1"]
      await fio(folder, pool.uri, ...load, ...time)
    } finally {
      const thirds = watch.end()
      await pool.stop()
      for (const [name, { firstBytes, lastBytes }] of thirds) {
        const words = `first third ${mib(firstBytes)}, last third ${mib(lastBytes)}`
        process.stdout.write(`memory: ${LOAD_SECONDS} s of load, ${name}: ${words}\n`)
        expect(lastBytes).toBeGreaterThan(0)
        if (!isLong()) continue
        expect(lastBytes).toBeLessThan(firstBytes * (1 + GROWTH_MAX) + GROWTH_BYTES_MAX)
      }
    }
  })
})
