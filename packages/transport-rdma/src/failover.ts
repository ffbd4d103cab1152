/**
 * What a session does about a path that is lost, as long as another one is up: each request still
 * completes once, and is delivered at most once (T3).
 *
 * The side that dialed takes what had come by the path, as far as its device has it, destroys its
 * queue pairs, says on another path that this one is over, and waits to hear that it is gone. The
 * other side destroys its own before it says so. From then on nothing that was sent on the lost
 * path can come any more: neither a request, nor a late write into a place that somebody else has
 * by then. Then the requests that went there and are not complete are asked again, marked as such,
 * at the places that they have: one that had been delivered is not delivered twice, and one that
 * had been answered is answered again from what was kept of the answer. An answer whose payload is
 * not kept any more had arrived, as its device said; who asks for it again breaks the rules.
 *
 * A session without a path that is up is down.
 */
import type { Clock, RmrError as RmrErrorType, Timer } from "@rmr/core"
import { RmrError } from "@rmr/core"
import type { Path } from "./path.js"
import type { RdmaSession } from "./session.js"
import { kindOfWord, numberOfWord, pathWord, WORD_PATH_GONE, WORD_PATH_OVER } from "./words.js"

/** A silence to notice, another one to be heard, and some time. */
const SILENCES_KEPT = 4
/** Of a silence, for a device to say that it is through. */
const LEAVING_SHARE = 0.125

export interface FailoverParts {
  readonly session: RdmaSession
  readonly clock: Clock
  readonly silenceMs: number
  /** The session goes on without this path. */
  readonly onLost: (path: Path, cause: RmrErrorType) => void
  /** The session is down. */
  readonly onEnd: () => void
}

export class Failover {
  private readonly parts: FailoverParts
  /** Numbers of paths that the other side has not said to be gone yet. */
  private readonly unsettled = new Set<number>()
  private deadline: Timer | undefined
  private readonly kept = new Set<Timer>()
  /** Paths whose lines have not all said that they are over, until when they may. */
  private readonly leaving = new Map<Path, Timer>()

  constructor(parts: FailoverParts) {
    this.parts = parts
  }

  losePath(path: Path, cause: RmrErrorType): void {
    const { session } = this.parts
    const { paths } = session.carrier
    if (!session.isUp) return
    if (!path.isUp) {
      if (this.leaving.has(path) && path.isBroken) this.endPath(path, cause)
    } else if (paths.up.length === 1) session.goDown(cause)
    else if (session.side === "accepted") this.endPath(path, cause)
    else this.leave(path, cause)
  }

  /** An answer that its device has must not be asked for again. */
  private leave(path: Path, cause: RmrErrorType): void {
    const { session, clock, silenceMs } = this.parts
    session.carrier.paths.retire(path)
    const late = clock.schedule(silenceMs * LEAVING_SHARE, () => this.endPath(path, cause))
    this.leaving.set(path, late)
    path.breakLines()
    if (path.isBroken) this.endPath(path, cause)
  }

  private endPath(path: Path, cause: RmrErrorType): void {
    const { session, onLost } = this.parts
    const { paths, asking, answering } = session.carrier
    this.leaving.get(path)?.cancel()
    this.leaving.delete(path)
    answering.keepUnsent(path)
    paths.drop(path)
    answering.losePath(path.number)
    if (session.side === "dialed") {
      asking.losePath(path.number)
      this.unsettled.add(path.number)
      this.sayAllOver()
    } else this.keepFor(path.number)
    onLost(path, cause)
  }

  /** Something that the other side told on this path. */
  onWord(path: Path, word: number): void {
    const kind = kindOfWord(word)
    const number = numberOfWord(word)
    const { session } = this.parts
    if (kind === WORD_PATH_OVER && session.side === "accepted" && number !== path.number) {
      this.settle(path, number)
    } else if (kind === WORD_PATH_GONE && session.side === "dialed") this.onGone(number)
    else session.breakOff(`a word of ${word}`)
  }

  end(): void {
    this.deadline?.cancel()
    for (const timer of this.kept) timer.cancel()
    for (const timer of this.leaving.values()) timer.cancel()
    this.parts.onEnd()
  }

  /** Answers that may not have arrived, until the other side has noticed and asked. */
  private keepFor(number: number): void {
    const { session, clock, silenceMs } = this.parts
    const timer = clock.schedule(SILENCES_KEPT * silenceMs, () => {
      this.kept.delete(timer)
      session.carrier.answering.forgetPath(number)
    })
    this.kept.add(timer)
  }

  /** The other side has lost a path, which ends here too, before it is said to be gone. */
  private settle(path: Path, number: number): void {
    const { session } = this.parts
    const lost = session.carrier.paths.all.find((other) => other.number === number)
    const cause = new RmrError("link-lost", "the other side has lost this path")
    if (lost?.isUp === true) this.losePath(lost, cause)
    else if (lost !== undefined) {
      session.breakOff("a path that never was is said to be over")
      return
    }
    if (!path.isUp) return
    if (path.lines.takesWords) path.lines.sayWord(pathWord(WORD_PATH_GONE, number))
    else session.breakOff("words without end, and none are taken")
  }

  private onGone(number: number): void {
    // It may be said twice, if it was asked twice.
    if (!this.unsettled.delete(number)) return
    if (this.unsettled.size === 0) {
      this.deadline?.cancel()
      this.deadline = undefined
    }
    const { session } = this.parts
    session.carrier.asking.again(session, number)
  }

  private sayAllOver(): void {
    const { session, clock, silenceMs } = this.parts
    const { lines } = session.carrier.paths.up[0]!
    for (const number of this.unsettled) lines.sayWord(pathWord(WORD_PATH_OVER, number))
    this.deadline ??= clock.schedule(silenceMs, () => {
      session.goDown(new RmrError("link-lost", "the other side does not let go of a lost path"))
    })
  }
}
