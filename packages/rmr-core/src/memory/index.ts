/** The one implementation of the memory port: leases on arenas, by a buddy system; and to spare. */
export * from "./buddy-memory.js"
export { BuddyPages, NO_PAGE as NO_FREE_PAGE } from "./buddy-pages.js"
export { LEASE_COUNT_MAX } from "./lease-table.js"
export * from "./spare-lease.js"
