/** What stories about simulated pools share: a world, bytes to write, a user, the next client. */
import { nodeWorld } from "@rmr/testkit/node"
import { type SimClient, SimPool, type SimPoolOptions } from "./sim-pool.js"
import { VolumeUser } from "./volume-user.js"

const STORY_MS = 600_000

/** Runs a story in a world of its own. */
export async function tell(
  seed: number,
  options: Partial<SimPoolOptions>,
  story: (sim: SimPool) => Promise<void>,
): Promise<void> {
  const world = nodeWorld({ seed })
  const sim = new SimPool({ world, nodes: 3, ...options })
  await world.settled(story(sim), `the story of seed ${seed}`, STORY_MS)
}

export function pattern(seed: number, bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, at) => (seed * 31 + at * 7 + (at >> 8)) & 0xff)
}

export function userOf(client: SimClient): VolumeUser {
  return new VolumeUser(client.pool, client.memory)
}

export function pause({ world }: SimPool, ms: number): Promise<void> {
  return new Promise((resolve) => {
    world.env.clock.schedule(ms, () => resolve())
  })
}

/** Tries until the last holder counts as gone. */
export async function openSoon(sim: SimPool): Promise<SimClient> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await sim.open(true)
    } catch (thrown) {
      if (attempt === 20) throw thrown
      await pause(sim, 500)
    }
  }
}
