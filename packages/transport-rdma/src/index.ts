/**
 * @rmr/transport-rdma: the transport port over RDMA.
 */
export { type RdmaStatus, rdmaStatus } from "./native-addon.js"
export type { RdmaOptions } from "./options.js"
export { rdma } from "./transport.js"
