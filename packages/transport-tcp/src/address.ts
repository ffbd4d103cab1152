/**
 * Addresses of this transport: `tcp://host:port`, or `tcp:host:port`.
 */
import { RmrError } from "@rmr/core"
import { formatSocketAddress, parseSocketAddress, type SocketAddress } from "@rmr/io"

export const TCP_SCHEME = "tcp"

/** Fails with `unsupported` for another scheme, with `invalid-argument` for nonsense. */
export function parseTcpAddress(address: string): SocketAddress {
  const colon = address.indexOf(":")
  if (colon < 0 || address.slice(0, colon) !== TCP_SCHEME) {
    throw new RmrError("unsupported", `"${address}" is no address of TCP: tcp://host:port`)
  }
  return parseSocketAddress(address.slice(colon + 1).replace(/^\/\//, ""))
}

export function tcpAddress(address: SocketAddress): string {
  return `${TCP_SCHEME}://${formatSocketAddress(address)}`
}
