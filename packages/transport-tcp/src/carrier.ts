/**
 * How the frames of a session travel over its connections.
 */
import type { Carrier, CreditedSession, Lane, Lease, Memory, PayloadDirection } from "@rmr/core"
import { assert, NO_LEASE, PAYLOAD_OUT } from "@rmr/core"
import type { FrameConnection, RoomTable } from "@rmr/io"
import type { Channels } from "./channels.js"
import { HEAD_BYTES, KIND_REPLY, KIND_REQUEST, writeHead } from "./framing.js"
import { channelFor } from "./greeting.js"

export class TcpCarrier implements Carrier {
  readonly channels: Channels
  readonly rooms: RoomTable
  private readonly memory: Memory

  constructor(channels: Channels, rooms: RoomTable, memory: Memory) {
    this.channels = channels
    this.rooms = rooms
    this.memory = memory
  }

  /** Whether a frame of this lane has come on the connection that it belongs to. */
  mayCome(connection: FrameConnection, lane: number, payloadBytes: number): boolean {
    return connection === this.channels.at(channelFor(lane as Lane, payloadBytes))
  }

  sendRequest(
    session: CreditedSession,
    id: number,
    lane: Lane,
    direction: PayloadDirection,
    slot: number,
    headerBytes: number,
    lease: Lease,
    at: number,
    bytes: number,
  ): void {
    const isOut = direction === PAYLOAD_OUT
    const outBytes = isOut ? bytes : 0
    const roomBytes = isOut ? 0 : bytes
    if (roomBytes > 0) {
      const start = this.memory.offsetOf(lease) + at
      this.rooms.open(id, this.memory.arenaOf(lease).index, start, roomBytes)
    }
    const head = slot - HEAD_BYTES
    const { slots } = session
    writeHead(slots, head, KIND_REQUEST, lane, direction, id, headerBytes, outBytes, roomBytes)
    this.send(slots, lane, head, headerBytes, outBytes > 0 ? lease : NO_LEASE, at, outBytes)
  }

  sendReply(
    session: CreditedSession,
    id: number,
    lane: Lane,
    direction: PayloadDirection,
    slot: number,
    headerBytes: number,
    lease: Lease,
    at: number,
    bytes: number,
  ): void {
    const head = slot - HEAD_BYTES
    const { slots } = session
    writeHead(slots, head, KIND_REPLY, lane, direction, id, headerBytes, bytes, 0)
    this.send(slots, lane, head, headerBytes, lease, at, bytes)
  }

  closeRoom(id: number): void {
    this.rooms.close(id)
  }

  close(): void {
    this.channels.close()
  }

  private send(
    slots: DataView,
    lane: Lane,
    head: number,
    headerBytes: number,
    lease: Lease,
    leaseAt: number,
    payloadBytes: number,
  ): void {
    const connection = this.channels.at(channelFor(lane, payloadBytes))
    assert(connection !== undefined, "a lane with credits has its connection")
    connection.send(slots, head, HEAD_BYTES + headerBytes, lease, leaseAt, payloadBytes)
  }
}
