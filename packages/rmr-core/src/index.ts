/**
 * @rmr/core: the RMR protocol without the world. No IO, no timers, no ambient time or chance.
 *
 * Reading order: `ports/` (what the world must provide), `rules/` (what the protocol decides),
 * `wire/` (what travels), `cells/` (what a member keeps), `chunks/` (what is dirty), `states/` (who
 * may become what), `session/` (what transports have in common).
 */
export * from "./assert.js"
export * from "./brand.js"
export * from "./cells/index.js"
export * from "./chunks/index.js"
export * from "./columns.js"
export * from "./device/index.js"
export * from "./errors.js"
export * from "./group-id.js"
export * from "./limits.js"
export * from "./memory/index.js"
export * from "./ports/index.js"
export * from "./rules/index.js"
export * from "./session/index.js"
export * from "./states/index.js"
export * from "./uuid.js"
export * from "./wire/index.js"
