/**
 * A session that is being opened: everything but connections is there.
 */
import type { Terms } from "@rmr/core"
import type { RoomTable } from "@rmr/io"
import type { Channels } from "./channels.js"
import type { TcpSession } from "./session.js"

export interface Opening {
  readonly session: TcpSession
  readonly terms: Terms
  readonly channels: Channels
  readonly rooms: RoomTable
}
