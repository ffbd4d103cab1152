/**
 * The decisions of the protocol as pure functions: state in, decision out, no IO, no waiting.
 *
 * Reading order: member-set, pool-metadata (the view record), view-change (V), start (V5), fence
 * (F, W5), forced-start (F6), mutation (W3), rank and recovery (R), marks (M), lineage (F6, R7),
 * try-enable (R8).
 * docs/RULES.md numbers the rules; the exhaustive model in @rmr/sim runs these very functions.
 */
export * from "./fence.js"
export * from "./forced-start.js"
export * from "./lineage.js"
export * from "./marks.js"
export * from "./member-set.js"
export * from "./mutation.js"
export * from "./pool-metadata.js"
export * from "./rank.js"
export * from "./recovery.js"
export * from "./start.js"
export * from "./try-enable.js"
export * from "./view-change.js"
