/**
 * @rmr/testkit: a pretend world for storage code, and suites that hold the ports to their promises.
 *
 * ```ts
 * import { memoryContract } from "@rmr/testkit/contract/memory"
 * memoryContract("mine", (shape) => myMemory(shape))   // in a test file: one test per promise
 *
 * import { nodeWorld } from "@rmr/testkit/node"
 * const world = nodeWorld({ seed: 7 })                  // virtual time, chance, hosts, disks
 * await world.settled(program(world.host("a").env), "end of the program")
 * ```
 *
 * - `@rmr/testkit/world`: time, chance, logs, hosts, disks and networks that obey a seed
 * - `@rmr/testkit/contract/*`: the suites for transports, stores and memories
 * - `@rmr/testkit/node`: what a world needs of Node
 */
export * from "./contract/index.js"
export * from "./store/index.js"
export * from "./world/index.js"
export * from "./wrap/index.js"
