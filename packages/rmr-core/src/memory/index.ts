/** The one implementation of the memory port: leases on arenas, by a buddy system. */
export * from "./buddy-memory.js"
export { LEASE_COUNT_MAX } from "./lease-table.js"
