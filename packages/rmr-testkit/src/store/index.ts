/**
 * The reference store.
 */
export type { MemoryStoreOptions, MemoryStoreSource } from "./memory-store.js"
export { memoryStore } from "./memory-store.js"
