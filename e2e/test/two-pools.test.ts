/**
 * Two pools on the same four storage nodes, both open in one compute client, which has one session
 * per node for both. One pool puts a member out for its lateness, and ends the session for that;
 * then a node is killed. The users of both pools notice neither, and the late member comes back
 * and holds what it missed.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freePorts } from "../../bench/device/target.js"
import type { ClientPoolStatus, DaemonStatus } from "../../packages/rmr-cli/src/control/status.js"
import { expectSameStores, MIB } from "./nbd-tools.js"
import { RmrDaemon, until } from "./pool-processes.js"
import { Witness } from "./witness.js"

const SIZE_BYTES = 16 * MIB
const NODES = 4
/** Of one shard, or they would have a session each. */
const POOLS = ["vault", "pantry"] as const
type PoolName = (typeof POOLS)[number]

jest.setTimeout(120_000)

let folder: string
let storage: readonly RmrDaemon[]
let client: RmrDaemon
let socket: string

const storeOf = (pool: PoolName, id: number): string => join(folder, `${pool}-${id}.store`)

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "rmr-two-pools-"))
  socket = join(folder, "nbd.sock")
  const ports = await freePorts(NODES)
  storage = ports.map((port, nth) => {
    const pools = POOLS.map((name) => {
      const store = `store = "${storeOf(name, nth + 1)}"\nsize = ${SIZE_BYTES}\n`
      return `[[storage.pool]]\nname = "${name}"\nmember = ${nth + 1}\n${store}`
    })
    const listen = `[storage]\nlisten = ["tcp://127.0.0.1:${port}"]\n`
    return new RmrDaemon(folder, `storage-${nth + 1}`, `${listen}${pools.join("")}`)
  })
  const members = ports.map((port, nth) => `"${nth + 1}@tcp://127.0.0.1:${port}"`).join(", ")
  const pools = POOLS.map((name) => {
    // Only one of them finds that a node is late when it stands still for a moment.
    const deadline = name === "pantry" ? "io_deadline_ms = 500\n" : ""
    const shape = `members = [${members}]\ncreate = ${SIZE_BYTES}\n${deadline}`
    return `[[client.pool]]\nname = "${name}"\n${shape}`
  })
  client = new RmrDaemon(folder, "client", `[client]\nnbd = ["unix:${socket}"]\n${pools.join("")}`)
  for (const daemon of [...storage, client]) daemon.start()
  await until("both pools are mapped", client, (said) => said.client?.nbd.uris.length === 2)
})

afterEach(async () => {
  for (const daemon of [client, ...storage]) await daemon.kill()
  rmSync(folder, { recursive: true, force: true })
})

function poolOf(said: DaemonStatus, name: PoolName): ClientPoolStatus {
  const pool = said.client?.pools.find((one) => one.name === name)
  if (pool === undefined) throw new Error(`the client has no pool ${name}`)
  return pool
}

function normalOf(said: DaemonStatus, name: PoolName): number[] {
  return poolOf(said, name).legs.flatMap(({ state, member }) =>
    state === "normal" ? [member] : [],
  )
}

/** The process stands still until the client is so. */
async function standStill(
  daemon: RmrDaemon,
  what: string,
  isSo: (said: DaemonStatus) => boolean,
): Promise<void> {
  process.kill(daemon.pid, "SIGSTOP")
  try {
    await until(what, client, isSo)
  } finally {
    process.kill(daemon.pid, "SIGCONT")
  }
}

/** A member that came back has copied what it missed (S2): until then it is normal and dirty. */
async function untilClean(nodes: readonly RmrDaemon[]): Promise<void> {
  for (const node of nodes) {
    await until("nothing is dirty", node, (said) => {
      return said.storage?.pools.every(({ dirtyChunks }) => dirtyChunks === 0) === true
    })
  }
}

describe("two pools of one client", () => {
  it("P2: one puts a late member out, a node is killed, and no user notices", async () => {
    const witnesses: Witness[] = []
    for (const name of POOLS) witnesses.push(await Witness.begin(socket, 0, name))
    const goOn = async (): Promise<void> => {
      for (const witness of witnesses) await witness.goOn()
    }
    await goOn()
    const before = poolOf(await client.status(), "pantry").view
    await standStill(storage[1]!, "pantry has another view", (said) => {
      return poolOf(said, "pantry").view !== before
    })
    await goOn()
    await storage[3]!.kill()
    await until("both pools go on without node 4, and with node 2", client, (now) =>
      POOLS.every((name) => normalOf(now, name).join() === "1,2,3"),
    )
    await goOn()
    for (const witness of witnesses) await witness.end()

    expect((await client.status()).client?.nbd.errorCount).toBe(0)
    const living = storage.slice(0, 3)
    await untilClean(living)
    for (const daemon of [client, ...living]) await daemon.stop()
    for (const name of POOLS) await expectSameStores([1, 2, 3].map((id) => storeOf(name, id)))
  })
})
