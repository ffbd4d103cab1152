/**
 * Clears: chunks that have their bytes now, and become clean once that is durable (rules S4, P4).
 *
 * Bytes first, then the clear, then the chunk counts as clean: in memory as on disk. One flush and
 * one commit serve all chunks that wait when they begin; what is added meanwhile makes the next
 * round. Whoever added a chunk holds its lock until it is told.
 *
 * A copy that nobody waits for may be late: several of them make one round, so that foreground IO
 * has a disk that is flushed less often (S11). The wait is short, and over as soon as anybody needs
 * one of the chunks.
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
  private timer: Timer | undefined
  private readonly clock: Clock

  constructor(clock: Clock, member: Member, events: ClearsEvents) {
    this.clock = clock
    this.member = member
    this.events = events
  }

  /** The dirty chunks among these belong to `token`. */
  add(token: number, first: ChunkNumber, count: number): void {
    const own = this.member.volume?.maps.own
    const end = first + count
    let chunk: number = own?.nextDirty(first, end) ?? -1
    while (chunk >= 0) {
      this.chunks.push(chunk as ChunkNumber)
      chunk = chunk + 1 < end ? (own?.nextDirty(chunk + 1, end) ?? -1) : -1
    }
    this.tokens.push(token)
    this.hurry()
  }

  /** The same for a copy that nobody waits for. */
  addLate(token: number, chunk: ChunkNumber): void {
    if (this.member.volume?.maps.own.isDirty(chunk) === true) this.chunks.push(chunk)
    this.tokens.push(token)
    if (this.tokens.length >= LATE_MAX) this.hurry()
    else this.timer ??= this.clock.schedule(LATE_MS, () => this.hurry())
  }

  /** Whoever waits here is needed. */
  hurry(): void {
    this.isDue = this.tokens.length > 0
    if (this.isDue && !this.isRunning) void this.run()
  }

  private async run(): Promise<void> {
    this.isRunning = true
    while (this.isDue) {
      const { chunks, tokens } = this
      this.isDue = false
      this.timer?.cancel()
      this.timer = undefined
      this.chunks = []
      this.tokens = []
      let error: RmrError | undefined
      try {
        await this.member.jobs.flush()
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
