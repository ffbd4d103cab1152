/**
 * Members that come back, as an administrator sees it: a storage node that was frozen, and one
 * whose disk is another one now. The device goes on throughout, with no error, and in the end all
 * stores are the same.
 */
import { mkdtempSync, renameSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { seededRandom } from "@rmr/testkit"
import { Generations } from "./generations.js"
import { expectSameStores, MIB } from "./nbd-tools.js"
import { type PoolProcesses, startPool, until } from "./pool-processes.js"
import { endOf } from "./refusals.js"
import { rmr } from "./rmr-program.js"
import { expectBlocks, SwornLoad } from "./sworn-load.js"

const SIZE_BYTES = 32 * MIB
const REQUESTS = 300
/** Short, so that a node that is frozen is soon out of the view. */
const TIMES = "io_deadline_ms = 1000\n"

const seed = Number(process.env["RMR_SEED"])

jest.setTimeout(180_000)

let folder: string
let pool: PoolProcesses

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "rmr-return-"))
  pool = await startPool(folder, 3, SIZE_BYTES, { clientPool: TIMES })
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

async function untilClean(): Promise<void> {
  for (const node of pool.storage) {
    await until("nothing is dirty", node, ({ storage }) => {
      const [shown] = storage?.pools ?? []
      return shown?.state === "normal" && shown.dirtyChunks === 0
    })
  }
}

/** A load that swears to what it wrote, beside what happens. */
async function underLoad(run: (load: SwornLoad) => Promise<void>): Promise<void> {
  const generations = new Generations()
  const random = seededRandom(`return ${seed}`)
  const shape = { socket: pool.socket, sizeBytes: SIZE_BYTES, generations }
  const load = await SwornLoad.begin({ ...shape, random })
  await load.goOn(REQUESTS)
  await run(load)
  await load.goOn(REQUESTS)
  await load.stop()
  load.close()
  await untilClean()
  const { blocks } = generations
  await expectBlocks(pool.socket, blocks, (at, bytes) => generations.judgeAnswered(at, bytes))
  expect((await pool.client.status()).client?.nbd.errorCount).toBe(0)
}

describe(`a member that comes back, RMR_SEED=${seed}`, () => {
  it("P10: was frozen for a while, and nobody has to do anything", async () => {
    await underLoad(async (load) => {
      const node = pool.storage[1]!
      node.freeze()
      await legIs(1, "failed")
      await load.goOn(REQUESTS)
      process.kill(node.pid, "SIGCONT")
      await legIs(1, "normal")
    })
    await pool.stop()
    await expectSameStores(pool.stores)
  })

  it("G3: has another disk, which an admin puts in place of the lost one", async () => {
    const [, lost = ""] = pool.stores
    const kept = join(folder, "kept.store")
    const replace = ["pool", "replace", "vault", "2", "--socket", pool.client.control]
    await underLoad(async (load) => {
      const node = pool.storage[1]!
      const working = await endOf(...replace)
      expect(working).toMatchObject({ code: 4, words: expect.stringContaining("rmr: busy: ") })
      await node.kill()
      renameSync(lost, kept)
      node.start()
      await until("status says what helps", pool.client, ({ client }) => {
        const detail = client?.pools[0]?.legs[1]?.returning?.detail ?? ""
        return detail.includes('"rmr pool replace vault 2"')
      })
      await load.goOn(REQUESTS)
      const { code, output } = await rmr(...replace)
      expect({ code, output }).toMatchObject({ code: 0 })
      await legIs(1, "normal")
    })
    await pool.stop()
    await expectSameStores(pool.stores)
    // The lost one turns up again: it is not a member any more.
    renameSync(kept, lost)
    for (const daemon of [...pool.storage, pool.client]) daemon.start()
    await until("the old store is kept out", pool.client, ({ client }) => {
      const leg = client?.pools[0]?.legs[1]
      return leg?.state !== "normal" && (leg?.returning?.detail ?? "").includes("its store is")
    })
  })
})
