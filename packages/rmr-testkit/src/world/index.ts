/**
 * @rmr/testkit/world: the pretend world. Time, chance, logs, disks and a network that obey a seed.
 *
 * Pure: it imports nothing but @rmr/core. To run code that uses promises, hand `createWorld` the
 * pump of `@rmr/testkit/node`.
 */
export type { CrashImage, CrashPoint } from "./crash-images.js"
export type { DelayRange, DiskTiming } from "./disk-drive.js"
export type { DiskFaultKind, DiskFaults, DiskOperation, DiskRule } from "./disk-faults.js"
export { DISK_FAULT_KINDS, NO_DISK_FAULTS } from "./disk-faults.js"
export type { Damage, PowerFate } from "./disk-medium.js"
export { POWER_FATES } from "./disk-medium.js"
export { SCRIBBLE_BYTE } from "./disk-operation.js"
export * from "./disk-user.js"
export * from "./host.js"
export * from "./recording-log.js"
export * from "./seeded-random.js"
export * from "./sim-disk.js"
export type { CrashKind, HeldMessages, SimNetwork, SimNetworkOptions } from "./sim-network.js"
export { simNetwork } from "./sim-network.js"
export type { LinkOptions } from "./sim-network-link.js"
export { CALM_LINK, WEAK_LINK } from "./sim-network-link.js"
export type { SimTransportOptions } from "./sim-transport.js"
export { severSession, silenceSession, simTransport } from "./sim-transport.js"
export { SparseBytes } from "./sparse-bytes.js"
export * from "./trace-digest.js"
export * from "./world.js"
