/**
 * What Node made for a connection, without its socket. In a file of its own, since types that users
 * of this package see do not reach `node:net`.
 */
import type net from "node:net"

/** The handle of a socket, which Node's socket has no part in any more. */
export function takeHandle(socket: net.Socket): unknown {
  const holder = socket as unknown as { _handle: unknown }
  const handle = holder._handle
  holder._handle = null
  return handle
}
