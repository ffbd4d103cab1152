/**
 * What RTRS can be told, and what it is without.
 */
import type { Env, Lease, Memory } from "@rmr/core"
import { assert } from "@rmr/core"

export interface RtrsOptions {
  readonly env: Env
  /** All arenas are registered with each device that is used, for this process alone. */
  readonly memory: Memory
  /** Awake after a turn, for the next one. Default: as long as the thread does. */
  readonly lingerUs?: number
}

export interface RtrsDialOptions {
  /** Of the session, for the other side: visible ASCII without slashes and dots. */
  readonly name: string
  readonly deadlineMs: number
  /** Queue pairs for IO. Default 1; the other side has one for each of its processors. */
  readonly lineCount?: number
  /** Who is not heard of for so long is lost; beats go out six times in it. Default 30 s. */
  readonly silenceMsMax?: number
  /** A request that is not answered for so long loses the session. Default 30 s. */
  readonly answerMsMax?: number
  /** Once, when it is over; why is in the errors of its requests. */
  readonly onDown?: () => void
}

/** A part of a lease, which is held until the request is over. */
export interface RtrsPayload {
  readonly lease: Lease
  readonly at: number
  readonly bytes: number
}

export const LOOKS_PER_SILENCE = 6
export const SILENCE_MS_DEFAULT = 30_000
export const ANSWER_MS_DEFAULT = 30_000
const LINES_MAX = 128

/** All queue pairs of a session, with the first. */
export function linesOf({ lineCount = 1, silenceMsMax = 1, deadlineMs }: RtrsDialOptions): number {
  const isCount = Number.isInteger(lineCount) && lineCount >= 1 && lineCount <= LINES_MAX
  assert(isCount, `lineCount is in 1…${LINES_MAX}`)
  assert(silenceMsMax > 0 && deadlineMs > 0, "somebody may answer")
  return 1 + lineCount
}
