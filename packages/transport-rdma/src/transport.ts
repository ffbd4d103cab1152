/**
 * The transport over RDMA: `rdma()`.
 */
import type { Transport } from "@rmr/core"
import { RDMA_SCHEME } from "./address.js"
import { RdmaEndpoint } from "./endpoint.js"
import { type RdmaOptions, traitsOf } from "./options.js"

/** Its `open` fails with `unsupported` where there is no RDMA on this machine, and says why. */
export function rdma(options: RdmaOptions = {}): Transport {
  const traits = traitsOf(options)
  const { payloadChecked, headerBytesMax, payloadBytesMax, silenceMsMax } = traits
  return {
    name: RDMA_SCHEME,
    supports: Object.freeze({ payloadChecked, headerBytesMax, payloadBytesMax, silenceMsMax }),
    open: (endpoint) => new RdmaEndpoint(traits, endpoint),
  }
}
