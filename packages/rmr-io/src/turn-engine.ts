/**
 * TurnEngine: what engines share, whatever their connections speak: memory, buffers, sockets, and
 * the turns in which everything is handed over and sent.
 */
import type { Memory } from "@rmr/core"
import type { ByteSockets } from "./byte-socket.js"
import { EngineTurns } from "./engine-turns.js"
import { OutputBuffers } from "./output-buffers.js"
import type { SocketEngineOptions } from "./socket-engine.js"
import { ViewCache } from "./view-cache.js"

export abstract class TurnEngine {
  readonly memory: Memory
  readonly turns: EngineTurns
  readonly buffers: OutputBuffers = new OutputBuffers()
  readonly views: ViewCache = new ViewCache()
  readonly sockets: ByteSockets

  constructor(
    { env, memory, turns }: Pick<SocketEngineOptions, "env" | "memory" | "turns">,
    sockets: ByteSockets,
  ) {
    this.memory = memory
    this.sockets = sockets
    this.turns = new EngineTurns(env, memory, turns, sockets)
  }

  wake(): void {
    this.turns.wake()
  }

  flush(): void {
    this.turns.flush()
  }

  async close(): Promise<void> {
    await this.turns.close()
    this.sockets.close()
  }
}
