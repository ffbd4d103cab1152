/**
 * @rmr/server: a storage node. It serves pools to clients and peers, each from a store.
 *
 * Reading order: node/storage-node (who speaks to whom), pool/server-pool (one pool), io/data-path
 * (reads and mutations), pool/member (what is durable), pool/view-step (a view change), commands/.
 */
export { deviceHandler } from "./device/device-handler.js"
export type { MemberCounts } from "./io/request-counts.js"
export { StorageNode, type StorageNodeOptions } from "./node/storage-node.js"
export type { Member } from "./pool/member.js"
export type { MemberConfig } from "./pool/open-member.js"
export { ServerPool, type ServerPoolOptions, type UserHandler } from "./pool/server-pool.js"
export {
  checkedSyncLimits,
  type PaceShown,
  SYNC_LIMITS_DEFAULT,
  type SyncLimits,
} from "./sync/pace.js"
