/** Who may become what, and why: state machines as data. Read state-machine.ts first. */
export * from "./leg-state.js"
export * from "./map-update-state.js"
export * from "./server-pool-state.js"
export * from "./state-machine.js"
export * from "./store-lifecycle.js"
