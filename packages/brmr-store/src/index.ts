/**
 * @rmr/brmr-store: stores in files and block devices.
 *
 * Reading order: superblock, frame, commit-log (the format: FORMAT.md), metadata, file-store (the
 * port), open-store and create-store (what an admin does).
 */
export {
  type CreateStoreOptions,
  createStore,
  eraseStore,
  inspectStore,
  type StoreShape,
  storeBytes,
} from "./create-store.js"
export type { FileStore } from "./file-store.js"
export { type FileStoreOptions, fileStore } from "./open-store.js"
export type { Superblock } from "./superblock.js"
