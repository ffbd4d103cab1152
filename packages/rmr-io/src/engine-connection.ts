/**
 * EngineConnection: what connections of all engines share, whatever they speak.
 *
 * It is pumped in its engine's turn when something was queued, and it ends once: by this side at
 * once and silently, by the other side or the network in a turn, with a cause. When it is closed,
 * the descriptor is closed first, so that the kernel reads and writes none of our memory any more.
 */
import type { RmrError as RmrErrorType } from "@rmr/core"
import type { ByteSocket, ByteSocketEvents } from "./byte-socket.js"
import type { EngineTurns } from "./engine-turns.js"
import type { FrameSender } from "./frame-sender.js"

/** Puts together what arrives. */
export interface ConnectionReceiver {
  /** Where the next bytes belong, if that is known. */
  directPlace(): Uint8Array | undefined
  /** What of frames in the next chunk may be looked at before it is taken. */
  readonly checks: number
  readonly checksFrom: number
  close(): void
}

export abstract class EngineConnection {
  readonly id: number
  receiptCount = 0
  isOpen = true
  abstract events: { onEnded(cause: RmrErrorType): void } | undefined
  protected readonly turns: EngineTurns
  protected abstract readonly socket: ByteSocket
  protected abstract readonly receiver: ConnectionReceiver
  protected abstract readonly sender: FrameSender
  private isDirty = false

  constructor(id: number, turns: EngineTurns) {
    this.id = id
    this.turns = turns
  }

  get unsentCount(): number {
    return this.sender.unsentCount
  }

  pump(): void {
    this.isDirty = false
    if (this.isOpen) this.pumpOpen()
  }

  close(): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.socket.destroy()
    this.receiver.close()
    this.sender.close()
    this.turns.forget(this)
  }

  /** Writes what is queued, and whatever follows from that. */
  protected abstract pumpOpen(): void
  /** Answers whether to go on reading. */
  protected abstract onRead(count: number, isDirect: boolean): boolean
  protected abstract onWritten(): void

  protected socketEvents(): ByteSocketEvents {
    return {
      directPlace: () => (this.isOpen ? this.receiver.directPlace() : undefined),
      checks: () => this.receiver.checks,
      checksFrom: () => this.receiver.checksFrom,
      onRead: (count, isDirect) => this.onRead(count, isDirect),
      onWritten: () => this.onWritten(),
      onEnd: (cause) => this.end(cause),
    }
  }

  /** It is over, by the other side or by the network: it is reported in the engine's turn. */
  protected end(cause: RmrErrorType): void {
    if (!this.isOpen) return
    this.close()
    this.turns.addEnded(this, cause)
  }

  protected setDirty(): void {
    if (this.isDirty || !this.isOpen) return
    this.isDirty = true
    this.turns.addDirty(this)
  }
}
