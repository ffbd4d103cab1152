/**
 * @rmr/io: the machine under RMR; native where that was built. Whoever composes a program takes
 * `realEnv` and `pageArenas`; transports stand on the socket engine.
 */
export { ARENA_BYTES_MAX, pageArenas } from "./arenas.js"
export { Door, type DoorOptions, type Guest, type Talk, type TalkStep } from "./door.js"
export { fastBlockChecksums, fastChecksum } from "./fast-checksum.js"
export * from "./files/index.js"
export { fastSocketEngine, guestSocketEngine, plainSocketEngine } from "./frame-engine.js"
export * from "./frame-shape.js"
export { GuestRoom } from "./guest-room.js"
export { fastStreamEngine, guestStreamEngine, plainStreamEngine } from "./head-engine.js"
export { type JsonLogOptions, jsonLog } from "./json-log.js"
export { LINGER_US_MAX, lingerFor, lingerUs } from "./linger.js"
export { LINGER_US_DEFAULT } from "./linger-default.js"
export { type NativeStatus, nativeStatus } from "./native-addon.js"
export { type RealEnvOptions, realEnv } from "./real-env.js"
export * from "./socket-address.js"
export * from "./socket-engine.js"
export * from "./stream-engine.js"
export { turnEnds } from "./turn-ends.js"
