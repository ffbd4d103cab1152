/**
 * One client's connection: a handshake, then requests, then the end.
 *
 * | phase | begins | bytes are |
 * |---|---|---|
 * | talking | accepted, unless a door (nbd-door.ts) has talked with it | options; bounded, and |
 * | | | over by a deadline |
 * | serving | the client chose an export | requests |
 * | leaving | the client disconnects, or the export closes | not read; what is open is answered |
 * | gone | it is closed, by whomever | – |
 */
import type { RmrError, Timer } from "@rmr/core"
import { assert } from "@rmr/core"
import type { StreamConnection, StreamEvents } from "@rmr/io"
import { Handshake, type Transmission } from "./handshake.js"
import type { NbdExport } from "./nbd-export.js"

export interface ConnectionHost {
  readonly openFramesMax: number
  readonly catalog: ConstructorParameters<typeof Handshake>[0]
  /** The client chose an export: `serves` is set by the answer. */
  exportOf(transmission: Transmission): NbdExport | undefined
  onGone(connection: NbdConnection, why: string): void
}

/** BLOCK_STATUS has one chunk for each context. */
const ANSWERS_MAX = 2

export class NbdConnection implements StreamEvents {
  readonly stream: StreamConnection
  phase: "talking" | "serving" | "leaving" | "gone" = "talking"
  transmission: Transmission | undefined
  serves: NbdExport | undefined
  deadline: Timer | undefined
  /** Requests that were taken and are not over. */
  openCount = 0
  private readonly host: ConnectionHost
  private readonly handshake: Handshake | undefined
  private receiptCount = 0
  private writtenCount = 0

  /** `isKnown`: its handshake is over; `serve` follows. */
  constructor(stream: StreamConnection, host: ConnectionHost, isKnown: boolean) {
    this.stream = stream
    this.host = host
    this.handshake = isKnown ? undefined : new Handshake(host.catalog)
    if (this.handshake !== undefined) stream.say(this.handshake.takeSaid())
  }

  onTalk(bytes: Uint8Array): number {
    const { handshake, stream } = this
    assert(handshake !== undefined, "who is known does not talk")
    const taken = handshake.take(bytes)
    const said = handshake.takeSaid()
    if (said.length > 0) stream.say(said)
    const { end } = handshake
    if (end === undefined || this.phase === "gone") return taken
    if (end.kind === "refused") this.close(end.why)
    else if (end.kind === "abort") this.leave()
    else this.serve(end.transmission)
    return taken
  }

  onEnded(cause: RmrError): void {
    this.goneFor(cause.detail)
  }

  /** What is open is answered, and then it is over. */
  leave(): void {
    if (this.phase === "gone" || this.phase === "leaving") return
    // The deadline of a handshake holds for its end too.
    this.phase = "leaving"
    this.stream.closeWhenSent()
  }

  close(why: string): void {
    this.stream.close()
    this.goneFor(why)
  }

  /** Whether nothing has moved since this was asked last, though something had to. */
  standsStill(): boolean {
    const { receiptCount, writtenCount, isInFrame, isWaitingForMemory, unsentCount } = this.stream
    const owesBytes = isInFrame && !isWaitingForMemory && receiptCount === this.receiptCount
    const takesNothing = unsentCount > 0 && writtenCount === this.writtenCount
    this.receiptCount = receiptCount
    this.writtenCount = writtenCount
    return owesBytes || takesNothing
  }

  serve(transmission: Transmission): void {
    const serves = this.host.exportOf(transmission)
    if (serves === undefined) {
      this.close("the export is gone")
      return
    }
    this.deadline?.cancel()
    this.phase = "serving"
    this.transmission = transmission
    this.serves = serves
    this.stream.startFrames({
      payloadBytesMax: transmission.facts.requestBytesMax,
      openFramesMax: this.host.openFramesMax,
      answersMax: ANSWERS_MAX,
    })
  }

  private goneFor(why: string): void {
    if (this.phase === "gone") return
    this.phase = "gone"
    this.deadline?.cancel()
    this.host.onGone(this, why)
  }
}
