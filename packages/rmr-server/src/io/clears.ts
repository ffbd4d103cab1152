/**
 * Clears: chunks that have their bytes now, and become clean once that is durable (rules S4, P4).
 *
 * Bytes first, then the clear, then the chunk counts as clean: in memory as on disk. One flush and
 * one commit serve all chunks that wait when they begin; what is added meanwhile makes the next
 * round. Whoever added a chunk holds its lock until it is told.
 *
 * A flush takes along whatever else was written, and holds up who writes next. So what was written
 * durably in the first place needs none, and a round in which all of it was makes none (S11). A
 * copy that nobody waits for may be late: several of them make one round. The wait is short, and
 * over as soon as anybody needs one of the chunks.
 */
import type { ChunkNumber, Clock, Timer } from "@rmr/core"
import { RmrError } from "@rmr/core"
import type { Member } from "../pool/member.js"

export interface ClearsEvents {
  /** The round with this token's chunks is durable, or failed, and then nothing was cleared. */
  onCleared(token: number, error: RmrError | undefined): void
  onRoundEnd(): void
}

/** Chunks that nobody waits for: after so long, or so many, there is a round for them. */
export const LATE_MS = 1000
export const LATE_MAX = 56

export class Clears {
  private readonly member: Member
  private readonly events: ClearsEvents
  private chunks: ChunkNumber[] = []
  private tokens: number[] = []
  private isRunning = false
  private isDue = false
  /** Of what waits, something is durable by a flush alone. */
  private needsFlush = false
  private timer: Timer | undefined
  private readonly clock: Clock

  constructor(clock: Clock, member: Member, events: ClearsEvents) {
    this.clock = clock
    this.member = member
    this.events = events
  }

  /** The dirty chunks among these belong to `token`; their bytes are durable, or written. */
  add(token: number, first: ChunkNumber, count: number, isDurable: boolean): void {
    const own = this.member.volume?.maps.own
    const end = first + count
    let chunk: number = own?.nextDirty(first, end) ?? -1
    while (chunk >= 0) {
      this.chunks.push(chunk as ChunkNumber)
      chunk = chunk + 1 < end ? (own?.nextDirty(chunk + 1, end) ?? -1) : -1
    }
    this.push(token, isDurable)
    this.hurry()
  }

  /** The same for a copy that nobody waits for. */
  addLate(token: number, chunk: ChunkNumber, isDurable: boolean): void {
    if (this.member.volume?.maps.own.isDirty(chunk) === true) this.chunks.push(chunk)
    this.push(token, isDurable)
    if (this.tokens.length >= LATE_MAX) this.hurry()
    else this.timer ??= this.clock.schedule(LATE_MS, () => this.hurry())
  }

  /** Whoever waits here is needed. */
  hurry(): void {
    this.isDue = this.tokens.length > 0
    if (this.isDue && !this.isRunning) void this.run()
  }

  private push(token: number, isDurable: boolean): void {
    this.tokens.push(token)
    if (!isDurable) this.needsFlush = true
  }

  private async run(): Promise<void> {
    this.isRunning = true
    while (this.isDue) {
      const { chunks, tokens, needsFlush } = this
      this.isDue = false
      this.needsFlush = false
      this.timer?.cancel()
      this.timer = undefined
      this.chunks = []
      this.tokens = []
      let error: RmrError | undefined
      try {
        if (needsFlush) await this.member.jobs.flush()
        await this.member.clearDurably(chunks)
      } catch (thrown) {
        error = RmrError.from(thrown)
      }
      for (const token of tokens) this.events.onCleared(token, error)
      this.events.onRoundEnd()
    }
    this.isRunning = false
  }
}
