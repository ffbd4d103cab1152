/**
 * @rmr/transport-tcp: the transport port over TCP.
 */
export type { TcpOptions } from "./options.js"
export { tcp } from "./transport.js"
