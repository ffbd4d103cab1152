/**
 * The lines of one path, and whether anybody is still there (T10).
 *
 * A link that is there for what is said and for beats, and one line per lane, so that a large
 * payload holds up its own lane alone. Both ends send a beat on the link several times in the
 * silence that they allow; looks are counted and not milliseconds, so that a process that was
 * stopped for a while first sees what has arrived meanwhile. A device answers for a process that
 * does not run any more, so only what the process itself has sent counts.
 */
import type { Clock, Lane, SessionLimits, Timer } from "@rmr/core"
import { LANE_CONTROL, LANE_IO, LANE_SYNC, RmrError } from "@rmr/core"
import type { Line } from "./line.js"
import type { Verbs } from "./verbs.js"
import { POST_WORD } from "./verbs-table.js"
import { WORD_BEAT } from "./words.js"

export const CHANNEL_LINK = 0
export const CHANNEL_COUNT = 4

const LANES: readonly Lane[] = [LANE_IO, LANE_SYNC, LANE_CONTROL]
const LOOKS_PER_SILENCE = 8
/** The last look may come a whole interval late, and still be in time. */
const SILENT_LOOKS_MAX = 6
/** Beats that nobody takes must not pile up. */
const UNSENT_BEATS_MAX = 4
/** Nor anything else that is told in a word. */
const UNSENT_WORDS_MAX = 32

export function channelOf(lane: Lane): number {
  return 1 + lane
}

export class Lines {
  readonly wanted: readonly number[]
  private readonly verbs: Verbs
  private readonly lines: (Line | undefined)[] = []
  private timer: Timer | undefined
  private heardCount = 0
  private silentLooks = 0
  /** Of each channel: what its line waited for at the last look, and looks since when. */
  private readonly waits = new Int32Array(CHANNEL_COUNT)
  private readonly stuckLooks = new Int32Array(CHANNEL_COUNT)
  private isOver = false

  constructor(verbs: Verbs, limits: SessionLimits) {
    this.verbs = verbs
    const lanes = LANES.filter((lane) => limits.credits[lane] > 0)
    this.wanted = [CHANNEL_LINK, ...lanes.map(channelOf)]
    for (let channel = 0; channel < CHANNEL_COUNT; channel++) this.lines.push(undefined)
  }

  add(line: Line): void {
    this.lines[line.channel] = line
  }

  at(channel: number): Line | undefined {
    return this.lines[channel]
  }

  /** It is there before any other. */
  get link(): Line {
    return this.lines[CHANNEL_LINK]!
  }

  get all(): readonly Line[] {
    return this.lines.filter((line) => line !== undefined)
  }

  get missing(): readonly number[] {
    return this.wanted.filter((channel) => this.lines[channel] === undefined)
  }

  get areConnected(): boolean {
    return this.wanted.every((channel) => this.lines[channel]?.isConnected === true)
  }

  /** From now on both ends are looked after. */
  watch(clock: Clock, silenceMs: number, onSilent: (cause: RmrError) => void): void {
    const look = (): void => {
      if (this.isOver) return
      this.timer = clock.schedule(silenceMs / LOOKS_PER_SILENCE, look)
      this.look()
      if (this.silentLooks >= SILENT_LOOKS_MAX) {
        onSilent(new RmrError("link-lost", "the other side fell silent"))
      } else if (this.stuckLooks.some((looks) => looks >= SILENT_LOOKS_MAX)) {
        onSilent(new RmrError("link-lost", "the other side's device takes or gives nothing"))
      }
    }
    this.timer = clock.schedule(silenceMs / LOOKS_PER_SILENCE, look)
  }

  /** False where the other side takes none of those that it was told. */
  get takesWords(): boolean {
    return this.link.postCount - this.link.sentCount <= UNSENT_WORDS_MAX
  }

  /** The other side is told it, behind what was posted on the link before. */
  sayWord(word: number): void {
    const { link } = this
    this.verbs.posts.add(link.number, POST_WORD, 0, 0, -1, 0, 0, word, 0, 0, 0, false, true)
    link.postCount++
    this.verbs.postsAdded()
  }

  end(): void {
    this.isOver = true
    this.timer?.cancel()
    for (const line of this.lines) line?.end()
  }

  private look(): void {
    let heardCount = 0
    for (const line of this.lines) {
      if (line === undefined) continue
      heardCount += line.heardCount
      const { channel, waitsFor } = line
      const isStuck = waitsFor !== 0 && waitsFor === this.waits[channel]
      this.stuckLooks[channel] = isStuck ? this.stuckLooks[channel]! + 1 : 0
      this.waits[channel] = waitsFor
    }
    this.silentLooks = heardCount === this.heardCount ? this.silentLooks + 1 : 0
    this.heardCount = heardCount
    const link = this.lines[CHANNEL_LINK]
    if (link === undefined || link.postCount - link.sentCount > UNSENT_BEATS_MAX) return
    this.sayWord(WORD_BEAT)
  }
}
