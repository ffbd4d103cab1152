/**
 * Four pools on two storage nodes and one client, each a daemon whose pools are shared out among
 * two threads: all is found where it is, and what is killed comes back.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freePorts } from "../../bench/device/target.js"
import { RawClient } from "../../packages/brmr-client/test/raw-client.js"
import { askDaemon } from "../../packages/rmr-cli/src/control/control-client.js"
import type { DaemonStats, DaemonStatus } from "../../packages/rmr-cli/src/control/status.js"
import { native } from "../../packages/rmr-io/test/native.js"
import { at } from "../../tools/setup/paths.js"
import { run } from "../../tools/setup/run.js"
import { expectSameStores, MIB } from "./nbd-tools.js"
import { RmrDaemon, until } from "./pool-processes.js"
import { Witness } from "./witness.js"

const SIZE_BYTES = 16 * MIB
const POOLS = ["vault", "attic", "cellar", "barn"] as const

jest.setTimeout(120_000)

let folder: string
let storage: readonly RmrDaemon[]
let client: RmrDaemon
let socket: string

const storeOf = (pool: string, id: number): string => join(folder, `${pool}-${id}.store`)

function storageText(port: number, id: number): string {
  const pools = POOLS.map((name) => {
    const store = `store = "${storeOf(name, id)}"\nsize = ${SIZE_BYTES}\n`
    return `[[storage.pool]]\nname = "${name}"\nmember = ${id}\n${store}`
  })
  return `[storage]\nlisten = ["tcp://127.0.0.1:${port}"]\nloops = 2\n${pools.join("")}`
}

function clientText(ports: readonly number[]): string {
  const members = ports.map((port, nth) => `"${nth + 1}@tcp://127.0.0.1:${port}"`).join(", ")
  const pools = POOLS.map(
    (name) => `[[client.pool]]\nname = "${name}"\nmembers = [${members}]\ncreate = ${SIZE_BYTES}\n`,
  )
  return `[client]\nnbd = ["unix:${socket}"]\nloops = 2\n${pools.join("")}`
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "rmr-loops-"))
  socket = join(folder, "nbd.sock")
  const ports = await freePorts(2)
  storage = ports.map((port, nth) => {
    return new RmrDaemon(folder, `storage-${nth + 1}`, storageText(port, nth + 1))
  })
  client = new RmrDaemon(folder, "client", clientText(ports))
})

afterEach(async () => {
  for (const daemon of [client, ...storage]) await daemon.kill()
  rmSync(folder, { recursive: true, force: true })
})

async function startAll(): Promise<void> {
  for (const daemon of [...storage, client]) daemon.start()
  await until("all pools are mapped", client, (said) => {
    return said.client?.nbd.uris.length === POOLS.length
  })
}

async function untilWhole(): Promise<void> {
  await until("all legs are normal", client, (said) => {
    const legs = said.client?.pools.flatMap((pool) => pool.legs) ?? []
    return legs.length === 2 * POOLS.length && legs.every(({ state }) => state === "normal")
  })
  for (const node of storage) {
    await until("nothing is dirty", node, (said) => {
      return said.storage?.pools.every(({ dirtyChunks }) => dirtyChunks === 0) === true
    })
  }
}

function namesOf(pools: readonly { readonly name: string }[] | undefined): string[] {
  return (pools ?? []).map(({ name }) => name)
}

describe("daemons with two loops", () => {
  native("serve every pool through one address, and survive a node's death", async () => {
    await startAll()
    const witnesses: Witness[] = []
    for (const name of POOLS) witnesses.push(await Witness.begin(socket, 0, name))
    const goOn = async (): Promise<void> => {
      for (const witness of witnesses) await witness.goOn()
    }
    await goOn()
    const said: DaemonStatus = await client.status()
    expect(said.client?.loops).toBe(2)
    expect(namesOf(said.client?.pools)).toEqual(POOLS)
    expect(said.client?.nbd.clientCount).toBe(POOLS.length)

    await storage[1]!.kill()
    await goOn()
    storage[1]!.start()
    await untilWhole()
    await goOn()
    for (const witness of witnesses) await witness.end()
    expect((await client.status()).client?.nbd.errorCount).toBe(0)
    for (const daemon of [client, ...storage]) await daemon.stop()
    for (const name of POOLS) await expectSameStores([1, 2].map((id) => storeOf(name, id)))
  })

  native("answer verbs about each pool, whichever thread has it", async () => {
    await startAll()
    const { control } = storage[0]!
    const status = await storage[0]!.status()
    expect(status.storage?.loops).toBe(2)
    expect(namesOf(status.storage?.pools)).toEqual(POOLS)
    const stats = (await askDaemon(control, "stats")) as DaemonStats
    expect(namesOf(stats.storage)).toEqual(POOLS)
    for (const pool of POOLS) {
      expect(await askDaemon(control, "pool-show", { pool })).toMatchObject({ name: pool })
      expect(await askDaemon(control, "sync-stop", { pool })).toEqual({ pool, isOn: false })
      const checks = await askDaemon(client.control, "map-check", { pool })
      expect(checks).toHaveLength(2)
    }
    const unknown = askDaemon(control, "sync-stop", { pool: "loft" })
    await expect(unknown).rejects.toThrow("no pool loft in the configuration; it has: vault, attic")
    await askDaemon(control, "store-remove", { pool: "cellar" })
    expect(namesOf((await storage[0]!.status()).storage?.pools)).not.toContain("cellar")
    await askDaemon(control, "store-add", { pool: "cellar" })
    await untilWhole()
  })

  native("list all exports in one handshake, and the first of them is the default", async () => {
    await startAll()
    const options = { cwd: at(), timeoutMs: 20_000 }
    const listed = await run(
      "nbdinfo",
      ["--list", "--json", `nbd+unix:///?socket=${socket}`],
      options,
    )
    const { exports } = JSON.parse(listed.stdout) as { exports: { "export-name": string }[] }
    expect(exports.map((one) => one["export-name"])).toEqual(POOLS)
    const size = await run("nbdinfo", ["--size", `nbd+unix:///?socket=${socket}`], options)
    expect(Number(size.stdout)).toBe(SIZE_BYTES)
    await expect(RawClient.serving({ path: socket }, "loft")).rejects.toThrow()
  })

  it("are refused without the native addon, and told what to say instead", async () => {
    const [node] = storage
    node!.start({ RMR_NATIVE: "off" })
    while (node!.isRunning) await new Promise((resolve) => setTimeout(resolve, 20))
    const words = "[storage] loops = 2 needs the native addon, and there is none: RMR_NATIVE=off"
    expect(node!.lastWords).toContain(`${words}; say loops = 1`)
  })
})
