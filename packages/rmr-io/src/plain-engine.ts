/**
 * The socket engine on `node:net`: turns, connections and listeners.
 *
 * A turn is what the clock calls one: everything that was read in a poll phase is handed over at
 * its end, and what was sent by then, or from inside the hand-over, leaves with one write per
 * connection.
 */
import type { Env, Memory, RmrError as RmrErrorType, Timer } from "@rmr/core"
import { assert, RmrError } from "@rmr/core"
import { FrameInbox } from "./frame-inbox.js"
import type { FrameShape } from "./frame-shape.js"
import { assertShape } from "./frame-shape.js"
import { OutputBuffers } from "./output-buffers.js"
import { PlainConnection } from "./plain-connection.js"
import { PlainListener } from "./plain-listener.js"
import type { SocketAddress } from "./socket-address.js"
import type {
  ConnectionEvents,
  FrameConnection,
  ReceiveLimits,
  SocketEngine,
  SocketEngineOptions,
  SocketListener,
  SocketTurns,
} from "./socket-engine.js"
import { ViewCache } from "./view-cache.js"

/** What one read takes at most, unless it goes into the place of a payload. */
const CHUNK_BYTES = 64 * 1024

export function plainSocketEngine(options: SocketEngineOptions): SocketEngine {
  return new PlainEngine(options)
}

interface Ended {
  readonly connection: PlainConnection
  readonly cause: RmrErrorType
}

export class PlainEngine implements SocketEngine {
  readonly memory: Memory
  readonly shape: FrameShape
  readonly inbox: FrameInbox = new FrameInbox()
  readonly buffers: OutputBuffers = new OutputBuffers()
  readonly views: ViewCache = new ViewCache()
  readonly chunkBytes: Uint8Array = new Uint8Array(CHUNK_BYTES)
  readonly chunk: DataView = new DataView(this.chunkBytes.buffer)
  private readonly env: Env
  private readonly turns: SocketTurns
  private readonly connections = new Set<PlainConnection>()
  private readonly listeners = new Set<PlainListener>()
  private readonly freeIds: number[] = []
  /** Ids of connections that ended since the last turn: rows of that turn may still name them. */
  private leavingIds: number[] = []
  private idNext = 0
  private ended: Ended[] = []
  private readonly dirty: PlainConnection[] = []
  private isWoken = false
  private isInTurn = false
  private isClosed = false
  private nextTurn: Timer | undefined
  private readonly runTurn = (): void => this.turn()

  constructor(options: SocketEngineOptions) {
    assertShape(options.shape)
    this.env = options.env
    this.memory = options.memory
    this.shape = options.shape
    this.turns = options.turns
  }

  connect(to: SocketAddress, limits: ReceiveLimits, events: ConnectionEvents): FrameConnection {
    assert(!this.isClosed, "a closed engine connects nothing")
    const connection = new PlainConnection(this, this.takeId(), limits)
    connection.events = events
    this.connections.add(connection)
    connection.connect(to)
    return connection
  }

  async listen(
    at: SocketAddress,
    limits: ReceiveLimits,
    onAccepted: (connection: FrameConnection) => ConnectionEvents,
  ): Promise<SocketListener> {
    const listener = new PlainListener((handle) => {
      if (this.isClosed) return
      const connection = new PlainConnection(this, this.takeId(), limits, handle)
      this.connections.add(connection)
      connection.events = onAccepted(connection)
    })
    await listener.open(at)
    if (this.isClosed) {
      listener.close()
      throw new RmrError("closed", "the engine was closed meanwhile")
    }
    this.listeners.add(listener)
    return {
      address: listener.address,
      close: () => {
        this.listeners.delete(listener)
        listener.close()
      },
    }
  }

  wake(): void {
    if (this.isWoken || this.isClosed) return
    this.isWoken = true
    if (this.isInTurn) {
      // What arises in a turn is told in another one.
      this.nextTurn = this.env.clock.schedule(0, () => {
        this.nextTurn = undefined
        this.env.clock.endOfTurn(this.runTurn)
      })
    } else this.env.clock.endOfTurn(this.runTurn)
  }

  flush(): void {
    // Those that are added meanwhile have their turn too.
    for (let nth = 0; nth < this.dirty.length; nth++) this.dirty[nth]!.pump()
    this.dirty.length = 0
  }

  async close(): Promise<void> {
    if (this.isClosed) return
    this.isClosed = true
    const isTurnNear = this.isWoken && this.nextTurn === undefined
    this.nextTurn?.cancel()
    for (const listener of this.listeners) listener.close()
    for (const connection of this.connections) connection.close()
    this.dropArrived()
    if (isTurnNear) await new Promise<void>((resolve) => this.env.clock.endOfTurn(resolve))
  }

  addDirty(connection: PlainConnection): void {
    this.dirty.push(connection)
    if (!this.isInTurn) this.wake()
  }

  addEnded(connection: PlainConnection, cause: RmrErrorType): void {
    if (this.isClosed) return
    this.ended.push({ connection, cause })
    this.wake()
  }

  forget(connection: PlainConnection): void {
    if (!this.connections.delete(connection)) return
    this.leavingIds.push(connection.id)
    this.wake()
  }

  private turn(): void {
    if (this.isClosed) return
    this.isWoken = false
    this.isInTurn = true
    try {
      const { ended, leavingIds } = this
      this.ended = []
      this.leavingIds = []
      const frames = this.inbox.take()
      if (frames.count > 0) this.turns.onFrames(frames)
      for (const { connection, cause } of ended) connection.events?.onEnded(cause)
      this.turns.onTurnEnd()
      this.freeIds.push(...leavingIds)
    } finally {
      this.isInTurn = false
    }
    this.flush()
  }

  private takeId(): number {
    return this.freeIds.pop() ?? this.idNext++
  }

  private dropArrived(): void {
    const release = (lease: number): void => this.memory.release(lease as never)
    this.inbox.take().releaseAll(release)
    this.inbox.take().releaseAll(release)
  }
}
