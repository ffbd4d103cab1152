/**
 * @rmr/cli: the `rmr` program, and its parts for programs that embed it.
 *
 * Reading order: program (the command line), config/ (what a daemon is told), daemon/ (the two
 * roles), control/ (how an admin speaks to it), demo/ (a pool on this machine).
 */
export { type Config, parseConfig, readConfig } from "./config/config.js"
export { parseSize, sizeText } from "./config/sizes.js"
export { askDaemon } from "./control/control-client.js"
export type { DaemonStatus } from "./control/status.js"
export { Daemon } from "./daemon/daemon.js"
