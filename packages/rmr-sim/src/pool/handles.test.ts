/** Reads among members, and turns among the handles of a volume. */
import { STATUS_OK } from "@rmr/core"
import { pattern, tell, userOf } from "./story.js"

jest.setTimeout(60_000)

describe("the latency of a leg", () => {
  it("is that of reads: what a member writes and flushes slowly it may read quickly", async () => {
    await tell(91, {}, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      const latencies = (): number[] => client.pool.legs.map((leg) => leg?.io.readMs ?? -1)
      for (let nth = 0; nth < 20; nth++) {
        expect(await user.write(nth * 4096, pattern(nth, 4096))).toBe(STATUS_OK)
        expect(await user.zero(nth * 4096 + 65_536, 4096)).toBe(STATUS_OK)
        expect(await user.flush()).toBe(STATUS_OK)
      }
      expect(latencies()).toEqual([0, 0, 0])
      for (let nth = 0; nth < 20; nth++) {
        expect(await user.read(nth * 4096, 4096)).toEqual(pattern(nth, 4096))
      }
      for (const latency of latencies()) expect(latency).toBeGreaterThan(0)
    })
  })
})

describe("handles of one volume", () => {
  it("are served in turn: a long queue does not starve a short one", async () => {
    await tell(92, { queueDepth: 4 }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const [long, short] = [userOf(client), userOf(client)]
      let longDone = 0
      const writes = Array.from({ length: 60 }, async (_, nth) => {
        const status = await long.write(nth * 8192, pattern(nth, 4096))
        longDone++
        return status
      })
      const statuses = await Promise.all(
        Array.from({ length: 6 }, (_, nth) => short.write(nth * 8192 + 4096, pattern(nth, 4096))),
      )
      expect(statuses.every((status) => status === STATUS_OK)).toBe(true)
      // Each of the short one's waited for one of the others, beside those that had all io units.
      expect(longDone).toBeLessThanOrEqual(4 + 6 + 4)
      expect(new Set(await Promise.all(writes))).toEqual(new Set([STATUS_OK]))
    })
  })

  it("are not held up by what another one waits for: reads need no io unit", async () => {
    await tell(93, { queueDepth: 4 }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const [writer, reader] = [userOf(client), userOf(client)]
      expect(await reader.write(0, pattern(1, 4096))).toBe(STATUS_OK)
      let written = 0
      const writes = Array.from({ length: 60 }, async (_, nth) => {
        await writer.write(8192 + nth * 4096, pattern(nth, 4096))
        written++
      })
      expect(await reader.read(0, 4096)).toEqual(pattern(1, 4096))
      expect(written).toBeLessThanOrEqual(8)
      await Promise.all(writes)
    })
  })

  it("with long queues both, get as much each", async () => {
    await tell(94, { queueDepth: 4 }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const users = [userOf(client), userOf(client), userOf(client)]
      const done = users.map(() => 0)
      const apart: number[] = []
      await Promise.all(
        users.flatMap((user, who) =>
          Array.from({ length: 40 }, async (_, nth) => {
            await user.write((who * 40 + nth) * 4096, pattern(nth, 4096))
            done[who]!++
            if (Math.max(...done) < 40) apart.push(Math.max(...done) - Math.min(...done))
          }),
        ),
      )
      expect(Math.max(...apart)).toBeLessThanOrEqual(2 * 4)
    })
  })
})
