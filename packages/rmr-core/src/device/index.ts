/** The block device on a pool: what it says to its members, and what it makes of their answers. */
export * from "./device-agreement.js"
export * from "./device-answer.js"
export * from "./device-command.js"
