/**
 * A start by force, and what may come of it: the member with the newest writes is missing, an admin
 * goes on without it, and it comes back. Both histories are shown, IO goes on, and one of them is
 * given up by an admin's word.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { LegStatus } from "../../packages/rmr-cli/src/control/status.js"
import { expectSameStores, itWhere, MIB, missing, nbdsh } from "./nbd-tools.js"
import { type PoolProcesses, startPool, until } from "./pool-processes.js"
import { endOf } from "./refusals.js"
import { rmr } from "./rmr-program.js"

const SIZE_BYTES = 32 * MIB

jest.setTimeout(120_000)

let folder: string
let pool: PoolProcesses

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "rmr-split-"))
  pool = await startPool(folder, 2, SIZE_BYTES, { clientPool: "min_normal = 1\n" })
})

afterEach(async () => {
  for (const daemon of [pool.client, ...pool.storage]) await daemon.kill()
  rmSync(folder, { recursive: true, force: true })
})

const admin = (...words: string[]): ReturnType<typeof rmr> =>
  rmr("pool", ...words, "--socket", pool.client.control)

const script = (...lines: string[]): Promise<unknown> => nbdsh(folder, pool.uri, lines.join("\n"))

async function legOf(member: number): Promise<LegStatus | undefined> {
  const { client } = await pool.client.status()
  return client?.pools[0]?.legs.find((leg) => leg.member === member)
}

/** Member 1 alone has "b"; member 2 is the only one that is there. */
async function newestIsGone(): Promise<void> {
  const [first, second] = pool.storage
  await script('h.pwrite(b"a" * 65536, 0)', "h.flush()")
  await second?.kill()
  await script('h.pwrite(b"b" * 65536, 0)', "h.flush()")
  await pool.client.kill()
  await first?.kill()
  second?.start()
  pool.client.start()
  await until("it says what it waits for", pool.client, ({ client }) => {
    const why = client?.pools[0]?.why ?? ""
    return why.includes("member 1 must be here") && why.includes("rmr pool start vault --force")
  })
}

describe("a start by force", () => {
  itWhere("F6, R7: is shown as a split brain, and resolved", missing("nbdsh"), async () => {
    await newestIsGone()
    const plain = await endOf("pool", "start", "vault", "--socket", pool.client.control)
    expect(plain).toMatchObject({ code: 1, words: expect.stringContaining("must be here") })
    const forced = await admin("start", "vault", "--force")
    expect(forced).toMatchObject({ code: 0, output: expect.stringContaining("started by force") })
    expect(forced.output).toContain("without member 1, normal until")
    expect(forced.output).toContain("of these lost, unless one who is here returns with it: 0")
    await script('assert h.pread(65536, 0) == b"a" * 65536', 'h.pwrite(b"c" * 65536, 1048576)')
    pool.storage[0]?.start()
    await until("the split brain is shown", pool.client, ({ client }) =>
      Boolean(client?.pools[0]?.legs.some(({ returning }) => returning?.phase === "split brain")),
    )
    const split = (await legOf(1))?.returning?.split
    expect(split?.here.forks[0]?.lineage).toBe(split?.there.lineage)
    const shown = await rmr("status", "--socket", pool.client.control)
    const words = `--keep 2 --discard 1 --view ${split?.there.view}`
    expect(shown.output).toContain(`rmr pool resolve vault ${words}`)
    expect(shown.output).toContain("started by force: left history")
    await script('h.pwrite(b"d" * 65536, 2097152)', "h.flush()")
    const stale = await admin("resolve", "vault", "--keep", "2", "--discard", "1", "--view", "1.1")
    expect(stale).toMatchObject({ code: 1, output: expect.stringContaining("look again") })
    expect(await admin("resolve", "vault", ...words.split(" "))).toMatchObject({ code: 0 })
    await until("both have everything", pool.storage[0]!, ({ storage }) => {
      const [member] = storage?.pools ?? []
      return member?.state === "normal" && member.dirtyChunks === 0
    })
    await script(
      'assert h.pread(65536, 0) == b"a" * 65536',
      'assert h.pread(65536, 1048576) == b"c" * 65536',
      'assert h.pread(65536, 2097152) == b"d" * 65536',
    )
    await pool.stop()
    await expectSameStores(pool.stores)
  })

  itWhere(
    "F6: takes the place of a pool that is open and serves nobody",
    missing("nbdsh"),
    async () => {
      const [first, second] = pool.storage
      await script('h.pwrite(b"a" * 65536, 0)', "h.flush()")
      const served = await endOf(
        "pool",
        "start",
        "vault",
        "--force",
        "--socket",
        pool.client.control,
      )
      expect(served).toMatchObject({
        code: 1,
        words: expect.stringContaining("is open here already"),
      })
      await second?.kill()
      await script('h.pwrite(b"b" * 65536, 0)', "h.flush()")
      await first?.kill()
      second?.start()
      await until("it waits for member 1", pool.client, ({ client }) =>
        (client?.pools[0]?.why ?? "").includes("member 1 must be here"),
      )
      const forced = await admin("start", "vault", "--force", "--json")
      expect(forced.code).toBe(0)
      expect(JSON.parse(forced.output)).toMatchObject({
        state: "open",
        forced: { missing: [{ memberId: 1 }], chunksLost: 0 },
      })
      await script('assert h.pread(65536, 0) == b"a" * 65536', 'h.pwrite(b"c" * 65536, 65536)')
    },
  )
})
