/** What a user says about a pool is refused where it cannot be (promise P8). */
import type { PoolTimes } from "./pool-context.js"
import { openPool } from "./pool-options.js"

function refusalOf(times: Partial<PoolTimes>): Promise<unknown> {
  // Nothing is asked of anybody: it is refused before.
  const opening = openPool({ registry: {} as never, poolName: "vault", members: [], times })
  return opening.catch((thrown: unknown) => thrown)
}

describe("the times of a pool", () => {
  it.each([
    ["a deadline that no disk can keep", { ioDeadlineMs: 199 }, "ioDeadlineMs is 199; it is 200"],
    ["a time that is none", { slowAfterMs: Number.NaN }, "slowAfterMs is NaN"],
    ["a time before now", { blinkMs: -1 }, "blinkMs is -1"],
  ])("P8: with %s are refused", async (_, times, words) => {
    const error = await refusalOf(times)
    expect(error).toMatchObject({
      code: "invalid-argument",
      detail: expect.stringContaining(words),
    })
  })
})
