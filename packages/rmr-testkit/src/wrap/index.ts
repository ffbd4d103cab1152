/**
 * Stores that wrap a store: late, failing, told about.
 */
export * from "./delay-store.js"
export * from "./fail-store.js"
export * from "./filter-store.js"
export * from "./trace-store.js"
