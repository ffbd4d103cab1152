/**
 * The socket engine on `node:net`: connections of frames with sums, and listeners.
 */
import type { Memory } from "@rmr/core"
import { assert } from "@rmr/core"
import { EngineTurns } from "./engine-turns.js"
import type { FrameShape } from "./frame-shape.js"
import { assertShape } from "./frame-shape.js"
import { OutputBuffers } from "./output-buffers.js"
import { PlainConnection } from "./plain-connection.js"
import { PlainListener } from "./plain-listener.js"
import { isUnixAddress, type SocketAddress } from "./socket-address.js"
import type {
  ConnectionEvents,
  FrameConnection,
  ReceiveLimits,
  SocketEngine,
  SocketEngineOptions,
  SocketListener,
} from "./socket-engine.js"
import { ViewCache } from "./view-cache.js"

/** What one read takes at most, unless it goes into the place of a payload. */
export const CHUNK_BYTES: number = 64 * 1024

export function plainSocketEngine(options: SocketEngineOptions): SocketEngine {
  return new PlainEngine(options)
}

export class PlainEngine implements SocketEngine {
  readonly memory: Memory
  readonly shape: FrameShape
  readonly turns: EngineTurns
  readonly buffers: OutputBuffers = new OutputBuffers()
  readonly views: ViewCache = new ViewCache()
  readonly chunkBytes: Uint8Array = new Uint8Array(CHUNK_BYTES)
  readonly chunk: DataView = new DataView(this.chunkBytes.buffer)
  constructor(options: SocketEngineOptions) {
    assertShape(options.shape)
    this.memory = options.memory
    this.shape = options.shape
    this.turns = new EngineTurns(options.env, options.memory, options.turns)
  }

  connect(to: SocketAddress, limits: ReceiveLimits, events: ConnectionEvents): FrameConnection {
    assert(!this.turns.isClosed, "a closed engine connects nothing")
    const connection = new PlainConnection(this, this.turns.takeId(), limits)
    connection.events = events
    this.turns.connections.add(connection)
    connection.connect(to)
    return connection
  }

  async listen(
    at: SocketAddress,
    limits: ReceiveLimits,
    onAccepted: (connection: FrameConnection) => ConnectionEvents,
  ): Promise<SocketListener> {
    const listener = new PlainListener((handle) => {
      if (this.turns.isClosed) return
      const connection = new PlainConnection(this, this.turns.takeId(), limits, handle)
      this.turns.connections.add(connection)
      connection.events = onAccepted(connection)
    })
    const opened = await this.turns.open(listener, at)
    assert(!isUnixAddress(opened), "a listener is where it was put")
    return { address: opened, close: () => this.turns.closeListener(listener) }
  }

  wake(): void {
    this.turns.wake()
  }

  flush(): void {
    this.turns.flush()
  }

  close(): Promise<void> {
    return this.turns.close()
  }
}
