/**
 * @rmr/testkit/node: what a pretend world needs of the real Node that it runs on.
 */
import type { World, WorldOptions } from "../world/world.js"
import { createWorld } from "../world/world.js"
import { immediatePump } from "./macrotask.js"

export * from "./macrotask.js"

/** A world that can run code with promises on Node. */
export function nodeWorld(options: WorldOptions): World {
  return createWorld({ pump: immediatePump, ...options })
}
