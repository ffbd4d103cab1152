/**
 * What is dirty, who is working on it, and what was written last.
 *
 * Reading order: chunk-geometry (offsets ⇄ chunks), dirty-map (and behind it map-tree, map-page),
 * chunk-locks and sync-entries (one chunk at a time on a storage node), last-io (recovery from a
 * client crash).
 */
export * from "./chunk-geometry.js"
export * from "./chunk-locks.js"
export { DirtyMap, type DirtyMapOptions, NO_RANK, type PageCursor } from "./dirty-map.js"
export * from "./dirty-ranges.js"
export { Hash128 } from "./hash128.js"
export * from "./last-io.js"
export type { MapExport } from "./map-export.js"
export { MAP_RECORD_BYTES_MAX } from "./map-page-codec.js"
export * from "./map-summary.js"
export { NO_PAGE } from "./map-tree.js"
export * from "./range-check.js"
export type { TokenBatch, TokenEvents } from "./ready-tokens.js"
export * from "./reconcile-last-io.js"
export * from "./sync-entries.js"
