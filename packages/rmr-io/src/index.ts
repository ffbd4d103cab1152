/**
 * @rmr/io: the machine under RMR, in plain Node. Whoever composes a program takes `realEnv` and
 * `pageArenas`; transports stand on the socket engine.
 */
export { ARENA_BYTES_MAX, pageArenas } from "./arenas.js"
export * from "./files/index.js"
export * from "./frame-shape.js"
export { type JsonLogOptions, jsonLog } from "./json-log.js"
export { fastChecksum, type NativeStatus, nativeStatus } from "./native/native.js"
export { plainSocketEngine } from "./plain-engine.js"
export { plainStreamEngine } from "./plain-stream-engine.js"
export { type RealEnvOptions, realEnv } from "./real-env.js"
export * from "./socket-address.js"
export * from "./socket-engine.js"
export * from "./stream-engine.js"
