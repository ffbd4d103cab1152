/**
 * More operations than a session has credits for: whoever finds none waits until one comes back,
 * whichever pool of the process gives it back, and for nothing else.
 */
import { STATUS_OK } from "@rmr/core"
import type { SimClient, SimPool } from "./sim-pool.js"
import { pattern, pause, tell } from "./story.js"
import { VolumeUser } from "./volume-user.js"

const OTHER = "pantry"
const BLOCK = 4096
const FAR = 1024 * 1024

jest.setTimeout(60_000)

const userOf = ({ pool, memory }: SimClient): VolumeUser => new VolumeUser(pool, memory, 256)

const reads = (user: VolumeUser, count: number): Promise<unknown>[] =>
  Array.from({ length: count }, (_, nth) => user.read(FAR + nth * BLOCK, BLOCK))

const writes = (user: VolumeUser, count: number): Promise<number>[] =>
  Array.from({ length: count }, (_, nth) => user.write(nth * BLOCK, pattern(nth, BLOCK)))

/** How many of them end within two seconds. */
async function endedOf(sim: SimPool, all: readonly Promise<unknown>[]): Promise<number> {
  let ended = 0
  for (const one of all) void one.then(() => ended++)
  await pause(sim, 2000)
  return ended
}

describe("more operations than credits", () => {
  it("P6: reads that find none go on when one comes back", async () => {
    await tell(5, { nodes: 1 }, async (sim) => {
      await sim.startAll()
      const user = userOf(await sim.create())
      expect(await endedOf(sim, [...writes(user, 16), ...reads(user, 100)])).toBe(116)
      expect(await user.write(0, pattern(1, BLOCK))).toBe(STATUS_OK)
    })
  })

  it("P6: so does what one pool asks when another one has all of them", async () => {
    await tell(6, { nodes: 1, otherPools: [OTHER] }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const mine = userOf(client)
      const other = userOf(await sim.create(client, OTHER))
      const all = [...reads(mine, 64), ...writes(other, 4), ...reads(other, 4)]
      expect(await endedOf(sim, all)).toBe(72)
    })
  })
})
