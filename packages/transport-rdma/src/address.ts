/**
 * Addresses of this transport: `rdma://host:port`, or `rdma:host:port`. The host is one of the
 * addresses of a device's network card.
 *
 * Where a storage node has several, one that is dialed may name them all, separated by commas: a
 * path for each. `own@host:port` says from which address of ours, where routes do not say it:
 * `rdma://10.0.0.9@10.0.0.1:4710,10.0.1.9@10.0.1.1:4710`.
 */
import { isIP } from "node:net"
import { RmrError } from "@rmr/core"
import { formatSocketAddress, parseSocketAddress, type SocketAddress } from "@rmr/io"

export const RDMA_SCHEME = "rdma"
export const ROUTES_MAX = 8

/** From where to where a path goes. */
export interface Route {
  /** An address of ours; empty where the machine chooses. */
  readonly from: string
  readonly to: SocketAddress
}

/** To listen at. Fails with `unsupported` for another scheme, `invalid-argument` for nonsense. */
export function parseRdmaAddress(address: string): SocketAddress {
  return parseSocketAddress(placeOf(address))
}

/** To dial: one route or more. Fails as `parseRdmaAddress` does. */
export function parseRoutes(address: string): readonly Route[] {
  const routes = placeOf(address)
    .split(",")
    .map((text) => parseRoute(address, text))
  if (routes.length > ROUTES_MAX) {
    throw new RmrError("invalid-argument", `${address}: ${ROUTES_MAX} paths at most`)
  }
  return routes
}

export function rdmaAddress(address: SocketAddress): string {
  return `${RDMA_SCHEME}://${formatSocketAddress(address)}`
}

function parseRoute(address: string, text: string): Route {
  const [, from = "", place = text] = /^([^@]+)@(.*)$/.exec(text) ?? []
  const to = parseSocketAddress(place)
  if (from !== "" && isIP(from) === 0) {
    throw new RmrError("invalid-argument", `${address}: "${from}" is no address of this machine`)
  }
  if (to.port === 0) throw new RmrError("invalid-argument", `${address}: nobody is at port 0`)
  return { from, to }
}

function placeOf(address: string): string {
  const colon = address.indexOf(":")
  if (colon < 0 || address.slice(0, colon) !== RDMA_SCHEME) {
    throw new RmrError("unsupported", `"${address}" is no address of RDMA: rdma://host:port`)
  }
  return address.slice(colon + 1).replace(/^\/\//, "")
}
