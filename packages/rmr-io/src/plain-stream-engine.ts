/**
 * The stream engine on `node:net`: connections that talk and are framed then, and listeners.
 */
import type { Memory } from "@rmr/core"
import { assert } from "@rmr/core"
import { EngineTurns } from "./engine-turns.js"
import { OutputBuffers } from "./output-buffers.js"
import { CHUNK_BYTES } from "./plain-engine.js"
import { PlainListener } from "./plain-listener.js"
import { PlainStreamConnection } from "./plain-stream-connection.js"
import type { StreamAddress } from "./socket-address.js"
import type {
  StreamConnection,
  StreamEngine,
  StreamEngineOptions,
  StreamEvents,
  StreamListener,
  StreamShape,
} from "./stream-engine.js"
import { assertStreamShape } from "./stream-engine.js"
import { ViewCache } from "./view-cache.js"

export function plainStreamEngine(options: StreamEngineOptions): StreamEngine {
  return new PlainStreamEngine(options)
}

export class PlainStreamEngine implements StreamEngine {
  readonly memory: Memory
  readonly shape: StreamShape
  readonly turns: EngineTurns
  readonly buffers: OutputBuffers = new OutputBuffers()
  readonly views: ViewCache = new ViewCache()
  readonly chunkBytes: Uint8Array = new Uint8Array(CHUNK_BYTES)
  readonly chunk: DataView = new DataView(this.chunkBytes.buffer)

  constructor(options: StreamEngineOptions) {
    assertStreamShape(options.shape)
    this.memory = options.memory
    this.shape = options.shape
    this.turns = new EngineTurns(options.env, options.memory, options.turns)
  }

  async listen(
    at: StreamAddress,
    onAccepted: (connection: StreamConnection) => StreamEvents,
  ): Promise<StreamListener> {
    assert(!this.turns.isClosed, "a closed engine does not listen")
    const listener = new PlainListener((handle) => {
      if (this.turns.isClosed) return
      const connection = new PlainStreamConnection(this, this.turns.takeId(), handle)
      this.turns.connections.add(connection)
      connection.events = onAccepted(connection)
    })
    const address = await this.turns.open(listener, at)
    return { address, close: () => this.turns.closeListener(listener) }
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
