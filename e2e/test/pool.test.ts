/**
 * A replicated device as its users have it: daemons as processes, real NBD clients, and a storage
 * node that is killed while they work. After each run the stores of all members that took part are
 * compared byte for byte.
 */
import { spawnSync } from "node:child_process"
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { at } from "../../tools/setup/paths.js"
import { failureText, run } from "../../tools/setup/run.js"
import { type PoolProcesses, RmrDaemon, rmr, startPool } from "./pool-processes.js"

const MIB = 1024 * 1024
const SIZE_BYTES = 64 * MIB
const CLIENT_MS_MAX = 120_000

jest.setTimeout(2 * CLIENT_MS_MAX)

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rmr-e2e-"))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** False, and said in the output, where the tool is not installed. */
function has(tool: string, packageName: string): boolean {
  const isThere = spawnSync("which", [tool]).status === 0
  if (!isThere) process.stdout.write(`pool: ${tool} is not installed (package ${packageName})\n`)
  return isThere
}

async function client(tool: string, ...args: string[]): Promise<string> {
  const result = await run(tool, args, { timeoutMs: CLIENT_MS_MAX, cwd: at(), env: process.env })
  if (!result.ok) throw new Error(failureText(result))
  return result.output
}

function randomFile(name: string, bytes: number): string {
  const path = join(folder, name)
  let state = 1
  const content = new Uint8Array(bytes)
  for (let word = 0; word < bytes; word += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    content[word] = state >>> 24
    content[word + 1] = state >>> 16
    content[word + 2] = state >>> 8
  }
  writeFileSync(path, content)
  return path
}

/** Stores that were closed cleanly hold the same volume. */
async function expectSameStores(paths: readonly string[]): Promise<void> {
  const volumes = await Promise.all(paths.map((path) => volumeOf(path)))
  const [first, ...others] = volumes
  for (const other of others) expect(Buffer.compare(first!, other)).toBe(0)
}

async function volumeOf(path: string): Promise<Buffer> {
  const result = await rmr("store", "inspect", path, "--json")
  if (!result.ok) throw new Error(failureText(result))
  const { dataStart, sizeBytes, isClean } = JSON.parse(result.stdout)
  expect(isClean).toBe(true)
  const bytes = Buffer.alloc(sizeBytes)
  const file = openSync(path, "r")
  readSync(file, bytes, 0, sizeBytes, dataStart)
  closeSync(file)
  return bytes
}

/** Runs a load and kills the second of three storage nodes in its middle. */
async function withVictim(load: (pool: PoolProcesses) => Promise<unknown>): Promise<void> {
  const pool = await startPool(folder, 3, SIZE_BYTES)
  try {
    const loading = load(pool)
    loading.catch(() => undefined)
    await new Promise((resolve) => setTimeout(resolve, 1500))
    await pool.storage[1]!.kill()
    await loading
  } finally {
    await pool.stop()
  }
  await expectSameStores([pool.stores[0]!, pool.stores[2]!])
}

describe("a replicated device", () => {
  it("P1: nbdcopy writes and reads it back over four connections", async () => {
    if (!has("nbdcopy", "libnbd-bin")) return
    const pool = await startPool(folder, 3, SIZE_BYTES)
    try {
      const source = randomFile("source.img", SIZE_BYTES)
      const back = join(folder, "back.img")
      await client("nbdcopy", "--connections=4", source, pool.uri)
      await client("nbdcopy", "--connections=4", pool.uri, back)
      await client("cmp", source, back)
    } finally {
      await pool.stop()
    }
    await expectSameStores(pool.stores)
  })

  it("P2: qemu-img copies onto it while a storage node is killed", async () => {
    if (!has("qemu-img", "qemu-utils")) return
    const source = randomFile("source.img", SIZE_BYTES)
    await withVictim(async ({ uri }) => {
      for (let round = 0; round < 3; round++) {
        await client("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", source, uri)
        await client("qemu-img", "compare", "-f", "raw", "-F", "raw", source, uri)
      }
    })
  })

  it("P2: fio verifies every block while a storage node is killed", async () => {
    if (!has("fio", "fio")) return
    await withVictim(({ uri }) =>
      client(
        "fio",
        ...["--name=mixed", "--ioengine=nbd", `--uri=${uri}`, "--rw=randrw", "--bs=4k"],
        ...["--iodepth=32", "--size=48m", "--io_size=96m", "--verify=crc32c", "--verify_fatal=1"],
      ),
    )
  })

  it("P3: is there again after everything was stopped and started", async () => {
    if (!has("qemu-io", "qemu-utils")) return
    const first = await startPool(folder, 2, SIZE_BYTES)
    await client("qemu-io", "-f", "raw", "-c", "write -P 7 1M 64k", "-c", "flush", first.uri)
    await first.stop()
    const second = await startPool(folder, 2, SIZE_BYTES)
    try {
      await client("qemu-io", "-f", "raw", "-c", "read -P 7 1M 64k", second.uri)
    } finally {
      await second.stop()
    }
  })
})

describe("a daemon that is told nonsense", () => {
  const storage = (store: string, port: number): string => `[storage]
listen = ["tcp://127.0.0.1:${port}"]
[[storage.pool]]
name = "vault"
member = 1
store = "${store}"
`

  async function refusalOf(name: string, text: string): Promise<{ code: number; output: string }> {
    const { config } = new RmrDaemon(folder, name, text)
    const { code, output } = await rmr("daemon", "--config", config)
    return { code, output }
  }

  it("says what is wrong with its configuration, and ends with 2", async () => {
    const { code, output } = await refusalOf("typo", "[storage]\nlissten = []\n")
    expect(code).toBe(2)
    expect(output).toContain("lissten")
    const config = new RmrDaemon(folder, "right", storage("/nowhere", 1)).config
    const checked = await rmr("daemon", "--config", config, "--check")
    expect([checked.code, checked.stdout.trim()]).toEqual([0, `${config} is right`])
  })

  it("says that a store is not there, is a directory, or is of nobody", async () => {
    const missing = await refusalOf("a", storage(join(folder, "missing"), 0))
    expect(missing.output).toContain("rmr store create")
    mkdirSync(join(folder, "place"))
    const place = await refusalOf("b", storage(join(folder, "place"), 0))
    expect([place.code, place.output.includes("is a directory")]).toEqual([2, true])
    const foreign = randomFile("foreign", MIB)
    const other = await refusalOf("c", storage(foreign, 0))
    expect(other.output).toContain("holds no store; create one there")
    const made = await rmr("store", "create", foreign, "--size", "4 MiB")
    expect(made.code).toBe(1)
  })

  it("says that its port is in use", async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()))
    const { port } = server.address() as { port: number }
    const store = join(folder, "store")
    await rmr("store", "create", store, "--size", "4 MiB")
    const { code, output } = await refusalOf("d", storage(store, port))
    server.close()
    expect(code).toBe(4)
    expect(output).toContain("busy")
  })

  it("an admin without a daemon is told so, and ends with 3", async () => {
    const { code, output } = await rmr("status", "--socket", join(folder, "nobody"))
    expect(code).toBe(3)
    expect(output).toContain("no daemon answers")
  })
})
