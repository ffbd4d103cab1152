/**
 * @rmr/transport-rdma: the transport port over RDMA.
 */
export { parseRoutes, type Route } from "./address.js"
export { PATH_POLICIES, type PathPolicy } from "./choosing.js"
export { type RdmaStatus, rdmaStatus } from "./native-addon.js"
export type { RdmaOptions } from "./options.js"
export {
  type RtrsClient,
  type RtrsDialOptions,
  type RtrsOptions,
  type RtrsPayload,
  type RtrsSession,
  rtrs,
} from "./rtrs/index.js"
export { rdma } from "./transport.js"
