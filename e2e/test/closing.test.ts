/**
 * Daemons that are told to end while something hangs: they do, say what they gave up, and nothing
 * of what was acknowledged is lost by it (P6, R3, R4).
 */
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { whyNoFuse } from "./file-system.js"
import { itWhere, MIB, nbdsh } from "./nbd-tools.js"
import { type PoolProcesses, startPool, until, untilTakenOver } from "./pool-processes.js"
import { rmr } from "./rmr-program.js"

const SIZE_BYTES = 16 * MIB
const READY_MS_MAX = 20_000
const SOON = "close_ms = 300\n"
const NEVER = "close_ms = 3600000\n"

jest.setTimeout(120_000)

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rmr-closing-"))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

const write = (text: string): string => `h.pwrite(b"${text}" * 4096, 0)`
const readIs = (text: string): string => `assert h.pread(4096, 0) == b"${text}" * 4096`

/** All members stand still, and one write waits for them. */
async function withStuckWrite(
  client: string,
  run: (pool: PoolProcesses) => Promise<void>,
): Promise<void> {
  const pool = await startPool(folder, 2, SIZE_BYTES, { client })
  try {
    await nbdsh(folder, pool.uri, `${write("a")}\nh.flush()`)
    for (const storage of pool.storage) storage.freeze()
    const stuck = nbdsh(folder, pool.uri, write("b")).then(
      () => "written",
      () => "failed",
    )
    await until("a write waits", pool.client, (said) => said.client?.nbd.openRequestCount === 1)
    await run(pool)
    expect(await stuck).toBe("failed")
    for (const storage of pool.storage) storage.thaw()
    pool.client.start()
    await untilTakenOver(pool.client)
    // Nobody was told that the second one is there; it may be.
    const either = `assert h.pread(4096, 0) in (b"a" * 4096, b"b" * 4096)`
    await nbdsh(folder, pool.uri, `${either}\n${write("c")}\n${readIs("c")}`)
  } finally {
    for (const storage of pool.storage) if (storage.isRunning) storage.thaw()
    await pool.stop()
  }
}

describe("a client that is told to end while no member answers", () => {
  it("P6: gives up what waits, says how much, and ends with 1", async () => {
    await withStuckWrite(SOON, async ({ client }) => {
      expect(await client.endBy("SIGTERM")).toBe(1)
      expect(client.lastWords).toMatch(/"pool.io-given-up".*"operations":1\b/)
      expect(client.lastWords).toContain("rmr: deadline: 1 requests were not over after 300 ms")
    })
  })

  it("P6: ends at once when it is told again", async () => {
    await withStuckWrite(NEVER, async ({ client }) => {
      await client.tellToEnd('"daemon.ending"')
      expect(await client.endBy("SIGTERM")).toBe("SIGTERM")
    })
  })
})

/** A disk that can stand still: its file is there as long as the process is. */
class Disk {
  readonly file: string
  private readonly child: ChildProcess

  constructor(place: string) {
    mkdirSync(place)
    this.file = join(place, "disk")
    const server = ["[", "nbdkit", "memory", "64M", "]"]
    this.child = spawn("nbdfuse", [this.file, ...server], { stdio: "ignore" })
  }

  async ready(): Promise<void> {
    const limit = performance.now() + READY_MS_MAX
    while (!existsSync(this.file)) {
      if (performance.now() > limit) throw new Error("nbdfuse shows no file")
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  freeze(): void {
    this.child.kill("SIGSTOP")
  }

  thaw(): void {
    this.child.kill("SIGCONT")
  }

  async end(): Promise<void> {
    const gone = new Promise((resolve) => this.child.once("exit", resolve))
    this.thaw()
    this.child.kill("SIGTERM")
    await gone
  }
}

describe("a node that is told to end while its disk hangs", () => {
  itWhere("R3: says so and dies, and returns as after a crash", whyNoFuse(), async () => {
    const disk = new Disk(join(folder, "fuse"))
    try {
      await disk.ready()
      expect(await rmr("store", "create", disk.file, "--size", "16 MiB")).toMatchObject({ code: 0 })
      const storeOf = (id: number): string => (id === 1 ? disk.file : join(folder, `${id}.store`))
      const options = { storage: SOON, clientPool: "io_deadline_ms = 300\n", storeOf }
      const pool = await startPool(folder, 2, SIZE_BYTES, options)
      const [node] = pool.storage
      try {
        await nbdsh(folder, pool.uri, write("a"))
        disk.freeze()
        await nbdsh(folder, pool.uri, `${write("b")}\nh.flush()`)
        await node?.tellToEnd("rmr: deadline: the store of pool vault was not closed")
        // It has killed itself; the kernel keeps what is left of it until its disk answers.
        disk.thaw()
        expect(await node?.ended()).toBe("SIGKILL")
        node?.start()
        const said = await until("it is back", node!, ({ storage }) => {
          const [shown] = storage?.pools ?? []
          return shown?.state === "normal" && shown.dirtyChunks === 0
        })
        expect(said.storage?.pools[0]?.restart).toBe("process")
        await nbdsh(folder, pool.uri, readIs("b"))
      } finally {
        disk.thaw()
        await pool.stop()
      }
    } finally {
      await disk.end()
    }
  })
})
