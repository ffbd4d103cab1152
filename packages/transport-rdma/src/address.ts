/**
 * Addresses of this transport: `rdma://host:port`, or `rdma:host:port`. The host is one of the
 * addresses of a device's network card.
 */
import { RmrError } from "@rmr/core"
import { formatSocketAddress, parseSocketAddress, type SocketAddress } from "@rmr/io"

export const RDMA_SCHEME = "rdma"

/** Fails with `unsupported` for another scheme, with `invalid-argument` for nonsense. */
export function parseRdmaAddress(address: string): SocketAddress {
  const colon = address.indexOf(":")
  if (colon < 0 || address.slice(0, colon) !== RDMA_SCHEME) {
    throw new RmrError("unsupported", `"${address}" is no address of RDMA: rdma://host:port`)
  }
  return parseSocketAddress(address.slice(colon + 1).replace(/^\/\//, ""))
}

export function rdmaAddress(address: SocketAddress): string {
  return `${RDMA_SCHEME}://${formatSocketAddress(address)}`
}
