/**
 * The connections of one session, and whether anybody is still there (T10).
 *
 * Both ends send a beat on each connection several times in the silence that they allow. A
 * connection is silent when several looks in a row found that nothing came; looks are counted and
 * not milliseconds, so that a process that was stopped for a while first reads what has arrived
 * meanwhile. One that is not read, because a payload waits for memory, is not judged (T8): the link
 * always is, and shows whether the peer is alive.
 */
import type { Clock, Lane, SessionLimits, Timer } from "@rmr/core"
import { LANE_CONTROL, LANE_IO, LANE_SYNC, NO_LEASE, RmrError } from "@rmr/core"
import type { FrameConnection } from "@rmr/io"
import { frameOf, HEAD_BYTES, KIND_BEAT } from "./framing.js"
import { CHANNEL_COUNT, CHANNEL_LINK } from "./greeting.js"

const LANES: readonly Lane[] = [LANE_IO, LANE_SYNC, LANE_CONTROL]
const LOOKS_PER_SILENCE = 8
/** The last look may come a whole interval late, and still be in time. */
const SILENT_LOOKS_MAX = 6
const BEAT: DataView = frameOf(KIND_BEAT, new Uint8Array(0))

export class Channels {
  private readonly connections: (FrameConnection | undefined)[] = []
  private readonly wanted: readonly number[]
  private readonly receipts = new Int32Array(CHANNEL_COUNT)
  private readonly silentLooks = new Int32Array(CHANNEL_COUNT)
  private timer: Timer | undefined
  private isClosed = false

  constructor(limits: SessionLimits) {
    const lanes = LANES.filter((lane) => limits.credits[lane] > 0)
    this.wanted = [CHANNEL_LINK, ...lanes.map((lane) => 1 + lane)]
    for (let channel = 0; channel < CHANNEL_COUNT; channel++) this.connections.push(undefined)
  }

  at(channel: number): FrameConnection | undefined {
    return this.connections[channel]
  }

  /** Channels that have no connection yet. */
  get missing(): readonly number[] {
    return this.wanted.filter((channel) => this.connections[channel] === undefined)
  }

  get all(): readonly FrameConnection[] {
    return this.connections.filter((connection) => connection !== undefined)
  }

  add(channel: number, connection: FrameConnection): void {
    this.connections[channel] = connection
  }

  /** From now on both ends are looked after. */
  watch(clock: Clock, silenceMs: number, onSilent: (cause: RmrError) => void): void {
    const look = (): void => {
      if (this.isClosed) return
      this.timer = clock.schedule(silenceMs / LOOKS_PER_SILENCE, look)
      for (const channel of this.wanted) this.look(channel)
      if (this.wanted.some((channel) => this.silentLooks[channel]! >= SILENT_LOOKS_MAX)) {
        onSilent(new RmrError("link-lost", "the other side fell silent"))
      }
    }
    this.timer = clock.schedule(silenceMs / LOOKS_PER_SILENCE, look)
  }

  close(): void {
    this.isClosed = true
    this.timer?.cancel()
    for (const connection of this.connections) connection?.close()
  }

  private look(channel: number): void {
    const connection = this.connections[channel]
    if (connection === undefined) return
    const isHeard = connection.receiptCount !== this.receipts[channel]
    if (isHeard || connection.isWaitingForMemory) this.silentLooks[channel] = 0
    else this.silentLooks[channel] = this.silentLooks[channel]! + 1
    this.receipts[channel] = connection.receiptCount
    // What is still to be sent is as good as a beat, and beats that nobody reads must not pile up.
    if (connection.unsentCount === 0) connection.send(BEAT, 0, HEAD_BYTES, NO_LEASE, 0, 0)
  }
}
