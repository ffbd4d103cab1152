/**
 * @rmr/testkit/world: the pretend world. Time, chance, logs, disks and a network that obey a seed.
 *
 * Pure: it imports nothing but @rmr/core. To run code that uses promises, hand `createWorld` the pump
 * of `@rmr/testkit/node`.
 */
export * from "./host.js"
export * from "./recording-log.js"
export * from "./seeded-random.js"
export * from "./trace-digest.js"
export * from "./world.js"
