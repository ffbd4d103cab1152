/**
 * @rmr/brmr-store: stores in files and block devices.
 *
 * Reading order: layout (where what lies: docs/DATA_LAYOUT.md), superblock, slot and frame (what it
 * looks like), log-replay and commit-log, home-reader and cell-homes, cell-table (one over the
 * other), checkpoint, data-sums, sums-saver and checked-io (what a store that is asked to keeps of
 * its data), metadata, file-store (the port), scrub, open-store, upgrade and create-store (what an
 * admin does), inspect-store.
 */
export { type CreateStoreOptions, createStore, eraseStore } from "./create-store.js"
export type { FileStore } from "./file-store.js"
export { inspectStore } from "./inspect-store.js"
export { type FileStoreOptions, fileStore } from "./open-store.js"
export type { DamagedRange } from "./range-check.js"
export { type Scrub, type ScrubOptions, type ScrubProgress, scrubStore } from "./scrub.js"
export type {
  CellReport,
  CopyReport,
  LogReport,
  PageReport,
  RegionReport,
  StoreReport,
  SuperblockReport,
} from "./store-report.js"
export { type StoreShape, storeBytes } from "./store-shape.js"
export type { Superblock } from "./superblock.js"
