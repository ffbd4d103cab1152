/**
 * @rmr/brmr-store: stores in files and block devices.
 *
 * Reading order: layout (where what lies: docs/DATA_LAYOUT.md), superblock, slot and frame (what it
 * looks like), log-replay and commit-log, home-reader and cell-homes, cell-table (one over the
 * other), checkpoint, metadata, file-store (the port), open-store and create-store (what an admin
 * does), inspect-store.
 */
export { type CreateStoreOptions, createStore, eraseStore } from "./create-store.js"
export type { FileStore } from "./file-store.js"
export { inspectStore } from "./inspect-store.js"
export { type FileStoreOptions, fileStore } from "./open-store.js"
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
