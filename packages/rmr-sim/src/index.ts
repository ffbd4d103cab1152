/**
 * @rmr/sim: pools under every fault there is.
 *
 * ```ts
 * import { explore, PoolMachine, RULES, TEST_BOUNDS } from "@rmr/sim"
 *
 * const [bound] = TEST_BOUNDS
 * const { states, violation } = explore(new PoolMachine(RULES, bound), { statesMax: 10_000_000 })
 * ```
 */
export * from "./model/index.js"
