/**
 * @rmr/testkit by itself: an hour of a pretend world in no time, and the same hour again.
 */
import { nodeWorld } from "@rmr/testkit/node"

async function hour(seed: number): Promise<string> {
  const world = nodeWorld({ seed })
  const { clock, random } = world.host("a").env
  const tick = (): void => {
    world.trace("tick", random.below(1000))
    clock.schedule(60_000, tick)
  }
  tick()
  await world.runFor(3_600_000)
  return world.digest()
}

const story = await hour(7)
console.log((await hour(7)) === story) // => true
console.log((await hour(8)) === story) // => false
