/** The decisions of the protocol as pure functions. Read member-set.ts and pool-metadata.ts first. */
export * from "./member-set.js"
export * from "./pool-metadata.js"
