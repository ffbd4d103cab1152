/** The NBD server and what it needs to be told. */
export type { ExportFacts } from "./export-facts.js"
export { type NbdDoorOptions, nbdDoor } from "./nbd-door.js"
export type { ExportOptions } from "./nbd-export.js"
export {
  type NbdServer,
  type NbdServerOptions,
  type NbdServerStats,
  nbdServer,
} from "./nbd-server.js"
