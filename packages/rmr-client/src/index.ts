/**
 * @rmr/client: a compute client. It opens pools over legs to storage nodes and offers them as
 * volumes.
 *
 * Reading order: pool/client-pool (the whole), pool/opening and pool/election (how it starts),
 * pool/pool-loop (what keeps it going), pool/view-changer (who is normal), pool/rejoining (how a
 * member comes back), io/io-engine (the data path), links/ (the way to a node).
 */
export { READ_POLICIES, type ReadPolicy } from "./io/engine-leg.js"
export type { PoolCounts } from "./io/io-counts.js"
export { type AskOptions, Link } from "./links/link.js"
export { type IoOwner, LinkRegistry, type LinkRegistryOptions } from "./links/link-registry.js"
export { ClientPool } from "./pool/client-pool.js"
export type { CreateOptions } from "./pool/creating.js"
export type { ForcedReport } from "./pool/forced-opening.js"
export type { Leg } from "./pool/leg.js"
export { type KnownMember, type PoolTimes, TIMES_DEFAULT } from "./pool/pool-context.js"
export { createPool, type OpenOptions, openPool, type PoolOptions } from "./pool/pool-options.js"
export type { RejoinProgress } from "./pool/rejoining.js"
export type { SplitBrain } from "./pool/split-brain.js"
export type { MapCheck, UserAnswer } from "./pool/user-commands.js"
