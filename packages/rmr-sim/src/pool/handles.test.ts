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
      const latencies = (): number[] => client.pool.legs.map((leg) => leg?.io.latencyMs ?? -1)
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
