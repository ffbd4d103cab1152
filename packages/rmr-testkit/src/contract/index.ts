/**
 * What every contract suite is made of: clauses, checks, waiting, and the bridge to a test
 * framework.
 */
export * from "./check.js"
export * from "./clause.js"
export * from "./runner.js"
export * from "./traits.js"
export * from "./waiting.js"
