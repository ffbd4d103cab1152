/**
 * `kill -9` of storage nodes in a loop, while a load that can swear to what it wrote goes on.
 *
 * A dying process loses nothing that completed (S7): the node comes back, says that its process
 * died and nothing worse, and nothing that was answered is missing, even where there is no other
 * member to have it from. Its client dies with it and opens the pool anew; or it goes on, and the
 * member comes back by itself.
 *
 * `RMR_LONG=1` makes a few rounds many.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { seededRandom } from "@rmr/testkit"
import { Generations } from "./generations.js"
import { expectSameStores, isLong, MIB } from "./nbd-tools.js"
import { type PoolProcesses, startPool, until, untilTakenOver } from "./pool-processes.js"
import { expectBlocks, SwornLoad } from "./sworn-load.js"

const SIZE_BYTES = 32 * MIB
const ROUNDS = isLong() ? 60 : 3
/** Between the return of a node and the next kill: requests, answered. */
const ROUND_REQUESTS = 300

const seed = Number(process.env["RMR_SEED"])

jest.setTimeout(isLong() ? 1_800_000 : 240_000)

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rmr-kill-"))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Until the client and the node itself say that it is normal; what it says of its restart. */
async function returned(pool: PoolProcesses, nth: number): Promise<string | undefined> {
  const isBack = `member ${nth + 1} is normal again`
  await until(isBack, pool.client, ({ client }) => {
    return client?.pools[0]?.legs[nth]?.state === "normal"
  })
  // It has all again: beside the load it takes its time, and the other one is killed next.
  const said = await until(isBack, pool.storage[nth]!, ({ storage }) => {
    const [shown] = storage?.pools ?? []
    return shown?.state === "normal" && shown.dirtyChunks === 0
  })
  return said.storage?.pools[0]?.restart
}

type Load = () => Promise<SwornLoad>

/** Runs loads on a pool, and afterwards looks for all that they were told is written. */
async function withPool(
  count: number,
  run: (pool: PoolProcesses, begin: Load) => Promise<SwornLoad>,
): Promise<void> {
  const pool = await startPool(folder, count, SIZE_BYTES)
  try {
    const generations = new Generations()
    const random = seededRandom(`store kill, ${count} members, ${seed}`)
    let loads = 0
    const load = await run(pool, () => {
      const shape = { socket: pool.socket, sizeBytes: SIZE_BYTES, generations }
      return SwornLoad.begin({ ...shape, random: random.fork(`load ${loads++}`) })
    })
    await load.stop()
    load.close()
    const { blocks } = generations
    await expectBlocks(pool.socket, blocks, (at, bytes) => generations.judgeAnswered(at, bytes))
    const { client } = await pool.client.status()
    expect(client?.nbd.errorCount).toBe(0)
    const counts = `${ROUNDS} kills, ${generations.answeredCount} writes answered`
    process.stdout.write(`store-kill: ${count} members, ${counts}, RMR_SEED=${seed}\n`)
  } finally {
    await endAll(pool)
  }
  await expectSameStores(pool.stores)
}

/** In order where that goes; by force what is left. */
async function endAll(pool: PoolProcesses): Promise<void> {
  try {
    await pool.stop()
  } finally {
    for (const daemon of [pool.client, ...pool.storage]) await daemon.kill()
  }
}

describe(`storage nodes that are killed in a loop, RMR_SEED=${seed}`, () => {
  for (const [count, words] of [
    [2, "of two in turn, and the client: both stores are the same"],
    [1, "the only one, and the client: what was answered is there, each time"],
  ] as const) {
    it(`S7: ${words}`, async () => {
      await withPool(count, async (pool, begin) => {
        let load = await begin()
        for (let round = 0; round < ROUNDS; round++) {
          const victim = round % count
          await load.goOn(ROUND_REQUESTS)
          // Together: a client that lives on would put the member out of the view.
          await Promise.all([pool.client.kill(), pool.storage[victim]!.kill()])
          await load.abandon()
          pool.storage[victim]!.start()
          pool.client.start()
          await untilTakenOver(pool.client)
          expect(await returned(pool, victim)).toBe("process")
          load = await begin()
        }
        await load.goOn(ROUND_REQUESTS)
        return load
      })
    })

    it(`S7: ${words.replace(", and the client", "")}, by itself`, async () => {
      await withPool(count, async (pool, begin) => {
        const load = await begin()
        for (let round = 0; round < ROUNDS; round++) {
          const victim = round % count
          await load.goOn(ROUND_REQUESTS)
          await pool.storage[victim]!.kill()
          // What goes on with the other one is what this one then has to fetch.
          if (count > 1) await load.goOn(ROUND_REQUESTS)
          pool.storage[victim]!.start()
          expect(await returned(pool, victim)).toBe("process")
        }
        await load.goOn(ROUND_REQUESTS)
        return load
      })
    })
  }
})
