/**
 * The transport over TCP: `tcp()`.
 */
import type { Transport } from "@rmr/core"
import { TCP_SCHEME } from "./address.js"
import { TcpEndpoint } from "./endpoint.js"
import { type TcpOptions, traitsOf } from "./options.js"

export function tcp(options: TcpOptions = {}): Transport {
  const traits = traitsOf(options)
  const { payloadChecked, headerBytesMax, payloadBytesMax, silenceMsMax } = traits
  return {
    name: TCP_SCHEME,
    supports: Object.freeze({ payloadChecked, headerBytesMax, payloadBytesMax, silenceMsMax }),
    open: (endpoint) => new TcpEndpoint(traits, endpoint),
  }
}
