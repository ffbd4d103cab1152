/**
 * What the world can do wrong, as one class with a closed list of codes.
 *
 * Match on `error.code`, never on the class or the message. Every code has a fixed wire status, so
 * that a refusal on one machine is the same refusal on another, and one sentence that says what it
 * means. Numbers are never reused; a new code takes the next one.
 */

/**
 * `status` is the u16 that stands for the code in messages and completion batches; 0 is success.
 */
export const ERROR_CODES = {
  "bad-message": { status: 1, meaning: "the bytes of a message do not form a valid one" },
  "bad-version": { status: 2, meaning: "no protocol or format version in common" },
  unsupported: { status: 3, meaning: "a capability that this side does not declare" },
  "invalid-argument": { status: 4, meaning: "a parameter outside its stated range" },
  "invalid-range": {
    status: 5,
    meaning: "an offset or length that is misaligned or out of bounds",
  },
  unreachable: { status: 6, meaning: "nobody answered at that address within the deadline" },
  "link-lost": { status: 7, meaning: "the session went down before the reply arrived" },
  closed: { status: 8, meaning: "the object was closed by this side" },
  deadline: { status: 9, meaning: "the wait was longer than its deadline" },
  busy: { status: 10, meaning: "somebody else has it open or in use" },
  held: { status: 11, meaning: "another client holds the pool and is alive" },
  fenced: { status: 12, meaning: "a client with a higher epoch has taken the pool over" },
  "not-open": { status: 13, meaning: "the request is of an epoch this store has not opened" },
  "stale-view": {
    status: 14,
    meaning: "the request is of a view older than this member's joining",
  },
  draining: { status: 15, meaning: "admitted requests are being finished before the next step" },
  "not-normal": { status: 16, meaning: "this member is not in the pool's normal set" },
  "no-leg": { status: 17, meaning: "no usable leg until the deadline" },
  "no-clean-copy": { status: 18, meaning: "no reachable member has this chunk clean" },
  lost: { status: 19, meaning: "every copy of this chunk is gone" },
  "media-error": { status: 20, meaning: "the medium could not read or write these bytes" },
  "io-error": { status: 21, meaning: "the store failed the operation" },
  "no-space": { status: 22, meaning: "the medium is full" },
  corrupt: { status: 23, meaning: "durable bytes fail their checksum or contradict each other" },
  mismatch: { status: 24, meaning: "parameters that must be equal on both sides differ" },
  "name-clash": { status: 25, meaning: "two pools share a name, a group id or a member id" },
  "not-found": { status: 26, meaning: "no such pool, member, session or store" },
  exists: { status: 27, meaning: "it exists already" },
  "split-brain": { status: 28, meaning: "this member belongs to another history of the pool" },
  deleted: { status: 29, meaning: "this store was removed from the pool" },
  "too-small": { status: 30, meaning: "the store is smaller than the pool's mapped size" },
  unauthorized: { status: 31, meaning: "the peer does not know the pool's secret" },
  "out-of-memory": { status: 32, meaning: "the bounded payload memory has no room" },
  internal: { status: 33, meaning: "a defect of this program; please report it" },
} as const

export type ErrorCode = keyof typeof ERROR_CODES

/** The status of success in messages and completion batches. */
export const STATUS_OK = 0

const CODES_BY_STATUS: ReadonlyMap<number, ErrorCode> = new Map(
  (Object.keys(ERROR_CODES) as ErrorCode[]).map((code) => [ERROR_CODES[code].status, code]),
)

export function statusOf(code: ErrorCode): number {
  return ERROR_CODES[code].status
}

/** The code for a wire status, or undefined where this version knows no such status. */
export function codeOfStatus(status: number): ErrorCode | undefined {
  return CODES_BY_STATUS.get(status)
}

export interface RmrErrorOptions {
  /** What was caught underneath. */
  readonly cause?: unknown
}

export class RmrError extends Error {
  override readonly name = "RmrError"
  readonly code: ErrorCode
  /** The message without the code in front. */
  readonly detail: string

  constructor(code: ErrorCode, detail: string, options: RmrErrorOptions = {}) {
    super(`${code}: ${detail}`, options)
    this.code = code
    this.detail = detail
  }

  /** Makes an `RmrError` of anything that was thrown; what is one already stays itself. */
  static from(thrown: unknown, fallback: ErrorCode = "internal"): RmrError {
    if (thrown instanceof RmrError) return thrown
    const detail = thrown instanceof Error ? thrown.message : String(thrown)
    return new RmrError(fallback, detail, { cause: thrown })
  }

  /** The error that a status in a message or batch stands for. */
  static ofStatus(status: number, detail: string): RmrError {
    const code = codeOfStatus(status)
    if (code === undefined) {
      return new RmrError("bad-message", `unknown status ${status}: ${detail}`)
    }
    return new RmrError(code, detail)
  }
}
