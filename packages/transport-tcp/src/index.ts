/**
 * @rmr/transport-tcp: the transport port over TCP.
 */
export { type TcpDoor, type TcpDoorOptions, tcpDoor } from "./door.js"
export type { TcpOptions } from "./options.js"
export { tcp } from "./transport.js"
