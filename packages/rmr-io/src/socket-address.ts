/**
 * Where a socket listens or connects: `host:port`, where a host is a name, an IPv4 address, or an
 * IPv6 address in brackets.
 */
import { isIP } from "node:net"
import { RmrError } from "@rmr/core"

export interface SocketAddress {
  /** Without brackets. */
  readonly host: string
  readonly port: number
}

const PLACE = /^(?:\[([0-9A-Fa-f:.%a-z]+)\]|([^\s:/[\]]+)):(\d{1,5})$/
const NAME = /^(?!-)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?$/
const PORT_MAX = 65_535

/** Fails with `invalid-argument`. Port 0 stands for one of the kernel's choice. */
export function parseSocketAddress(text: string): SocketAddress {
  const [, v6, other, digits] = PLACE.exec(text) ?? []
  const host = v6 ?? other ?? ""
  const isHost = v6 === undefined ? isIP(host) === 4 || isName(host) : isIP(host) === 6
  const port = Number(digits)
  if (!isHost || !(port <= PORT_MAX)) {
    const form = "host:port, with an IPv6 host in brackets"
    throw new RmrError("invalid-argument", `"${text}" does not read ${form}`)
  }
  return { host, port }
}

export function formatSocketAddress({ host, port }: SocketAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`
}

/** A name whose last part is a number would be taken for an odd IPv4 address. */
function isName(host: string): boolean {
  return host.length <= 253 && NAME.test(host) && !/(?:^|\.)\d+\.?$/.test(host)
}

/** A socket in the file system. */
export interface UnixAddress {
  readonly path: string
}

export type StreamAddress = SocketAddress | UnixAddress

export function isUnixAddress(address: StreamAddress): address is UnixAddress {
  return "path" in address
}
