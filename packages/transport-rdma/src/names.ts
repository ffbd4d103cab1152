/**
 * Names of hosts: the connection manager knows addresses alone.
 */
import { lookup } from "node:dns/promises"
import { isIP } from "node:net"
import { RmrError } from "@rmr/core"
import type { SocketAddress } from "@rmr/io"

/** Fails with `unreachable`. */
export async function addressOf(to: SocketAddress): Promise<SocketAddress> {
  if (isIP(to.host) !== 0) return to
  try {
    const { address } = await lookup(to.host)
    return { host: address, port: to.port }
  } catch (cause) {
    throw new RmrError("unreachable", `nobody knows the name ${to.host}`, { cause })
  }
}
