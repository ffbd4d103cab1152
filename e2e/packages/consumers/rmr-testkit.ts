/**
 * Uses @rmr/testkit as a user does: an hour of a pretend world in no time, the same for one seed.
 */
import { nodeWorld } from "@rmr/testkit/node"

async function hour(seed: number): Promise<string> {
  const world = nodeWorld({ seed })
  const { env } = world.host("a")
  const ticks: number[] = []
  const tick = (): void => {
    ticks.push(env.clock.nowMs())
    world.trace("tick", env.random.below(1000))
    env.clock.schedule(60_000, tick)
  }
  tick()
  await world.runFor(3_600_000)
  if (ticks.length !== 61) throw new Error(`${ticks.length} ticks in an hour`)
  return world.digest()
}

const story = await hour(7)
if ((await hour(7)) !== story) throw new Error("one seed, two stories")
if ((await hour(8)) === story) throw new Error("two seeds, one story")
