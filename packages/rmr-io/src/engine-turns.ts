/**
 * Turns of an engine, whatever its connections speak and stand on.
 *
 * A turn is what the clock calls one: everything that was read in a poll phase is handed over at
 * its end, and what was sent by then, or from inside the hand-over, leaves with one write per
 * connection.
 */
import type { Env, Memory, RmrError as RmrErrorType, Timer } from "@rmr/core"
import { RmrError } from "@rmr/core"
import type { Acceptor } from "./acceptor.js"
import type { ByteSockets } from "./byte-socket.js"
import { FrameInbox } from "./frame-inbox.js"
import type { StreamAddress } from "./socket-address.js"
import type { SocketTurns } from "./socket-engine.js"

export interface TurnConnection {
  readonly id: number
  readonly events: { onEnded(cause: RmrErrorType): void } | undefined
  /** Writes what is queued. */
  pump(): void
  close(): void
}

interface Ended {
  readonly connection: TurnConnection
  readonly cause: RmrErrorType
}

/** In most turns nobody ends, and what ends in a turn is told in the next. */
const NOBODY: readonly Ended[] = []
const NO_IDS: readonly number[] = []

export class EngineTurns {
  readonly inbox: FrameInbox = new FrameInbox()
  readonly connections: Set<TurnConnection> = new Set()
  readonly listeners: Set<Acceptor> = new Set()
  isClosed = false
  private readonly env: Env
  private readonly memory: Memory
  private readonly turns: SocketTurns
  private readonly sockets: ByteSockets
  private readonly freeIds: number[] = []
  /** Ids of connections that ended since the last turn: rows of that turn may still name them. */
  private leavingIds: number[] = []
  private idNext = 0
  private ended: Ended[] = []
  /** The first `dirtyCount` of the array: making one shorter costs more than what is in it. */
  private readonly dirty: TurnConnection[] = []
  private dirtyCount = 0
  private isWoken = false
  private isInTurn = false
  private nextTurn: Timer | undefined
  private readonly runTurn = (): void => this.turn()

  constructor(env: Env, memory: Memory, turns: SocketTurns, sockets: ByteSockets) {
    this.sockets = sockets
    this.env = env
    this.memory = memory
    this.turns = turns
  }

  /** Answers where it listens. Fails with `busy` or `invalid-argument`. */
  async open(listener: Acceptor, at: StreamAddress): Promise<StreamAddress> {
    await listener.open(at)
    if (this.isClosed) {
      listener.close()
      throw new RmrError("closed", "the engine was closed meanwhile")
    }
    this.listeners.add(listener)
    return listener.address
  }

  closeListener(listener: Acceptor): void {
    this.listeners.delete(listener)
    listener.close()
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
    if (this.dirtyCount > 1) this.sockets.gather()
    try {
      // Those that are added meanwhile have their turn too.
      for (let nth = 0; nth < this.dirtyCount; nth++) this.dirty[nth]!.pump()
    } finally {
      this.dirtyCount = 0
      this.sockets.send()
    }
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

  addDirty(connection: TurnConnection): void {
    this.dirty[this.dirtyCount++] = connection
    if (!this.isInTurn) this.wake()
  }

  addEnded(connection: TurnConnection, cause: RmrErrorType): void {
    if (this.isClosed) return
    this.ended.push({ connection, cause })
    this.wake()
  }

  forget(connection: TurnConnection): void {
    if (!this.connections.delete(connection)) return
    this.leavingIds.push(connection.id)
    this.wake()
  }

  private turn(): void {
    if (this.isClosed) return
    this.isWoken = false
    this.isInTurn = true
    try {
      const ended = this.takeEnded()
      const leavingIds = this.takeLeavingIds()
      const frames = this.inbox.take()
      if (frames.count > 0) this.turns.onFrames(frames)
      for (let nth = 0; nth < ended.length; nth++) {
        const { connection, cause } = ended[nth]!
        connection.events?.onEnded(cause)
      }
      this.turns.onTurnEnd()
      for (let nth = 0; nth < leavingIds.length; nth++) this.freeIds.push(leavingIds[nth]!)
    } finally {
      this.isInTurn = false
    }
    this.flush()
  }

  private takeEnded(): readonly Ended[] {
    const { ended } = this
    if (ended.length === 0) return NOBODY
    this.ended = []
    return ended
  }

  private takeLeavingIds(): readonly number[] {
    const { leavingIds } = this
    if (leavingIds.length === 0) return NO_IDS
    this.leavingIds = []
    return leavingIds
  }

  takeId(): number {
    return this.freeIds.pop() ?? this.idNext++
  }

  private dropArrived(): void {
    const release = (lease: number): void => this.memory.release(lease as never)
    this.inbox.take().releaseAll(release)
    this.inbox.take().releaseAll(release)
  }
}
