/**
 * Refusals: what a decoder answers for bytes that are not a valid message.
 *
 * A decoder never throws for bad bytes. The one for IO, which runs for every request, answers a
 * small number and allocates nothing; all others answer a `Refused`, which also says where. Either
 * becomes an `RmrError` only when somebody needs one.
 *
 * Numbers are never reused, so that a trace of one version can be read by another.
 */
import { assert } from "../assert.js"
import { type ErrorCode, RmrError } from "../errors.js"

export const REFUSALS = {
  short: { number: 1, words: "it is shorter than its layout" },
  long: { number: 2, words: "it is longer than its layout" },
  type: { number: 3, words: "its type is not one that is expected here" },
  version: { number: 4, words: "it is of another version of the protocol" },
  flags: { number: 5, words: "it has flags that are unknown or do not belong to it" },
  reserved: { number: 6, words: "reserved bytes are not zero" },
  checksum: { number: 7, words: "its checksum does not match its bytes" },
  "payload-bytes": { number: 8, words: "its payload has another length than it says" },
  "payload-checksum": { number: 9, words: "its payload does not match its checksum" },
  value: { number: 10, words: "a value is outside its range" },
  unsafe: { number: 11, words: "an integer is larger than 2^53-1" },
  text: { number: 12, words: "a text is not what its field may hold" },
  count: { number: 13, words: "it lists more or fewer entries than it may" },
  view: { number: 14, words: "it does not name a lineage, an epoch or a view as it must" },
  range: { number: 15, words: "its offset and length are not a range of a volume" },
  chunks: { number: 16, words: "its chunk range is not that of its offset and length" },
  members: { number: 17, words: "its members are not valid, ascending and unique" },
  sequence: { number: 18, words: "its sequence or stable number cannot be" },
  sender: { number: 19, words: "its sender may not send it" },
  status: { number: 20, words: "its status is unknown or does not fit the rest" },
  group: { number: 21, words: "its group id is not the hash of its pool name" },
  contradiction: { number: 22, words: "its fields contradict each other" },
  command: { number: 23, words: "its command is unknown or not the expected one" },
  unit: { number: 24, words: "its io unit is outside the pool's queue depth" },
} as const

export type RefusalReason = keyof typeof REFUSALS

/** 0 for a message that is accepted, else a number of `REFUSALS`. */
export type Refusal = number

export const ACCEPTED: Refusal = 0

/** The error that a refusal of the IO codec stands for. */
export function refusalError(refusal: Refusal): RmrError {
  const reason = reasonOf(refusal)
  return new RmrError(codeOf(reason), REFUSALS[reason].words)
}

/** The reason behind a number that a decoder has answered. */
export function reasonOf(refusal: Refusal): RefusalReason {
  const reason = REASONS_BY_NUMBER.get(refusal)
  assert(reason !== undefined, `${refusal} is the number of a refusal`)
  return reason
}

/** What every other decoder answers instead of a message. */
export class Refused {
  readonly reason: RefusalReason
  /** Which message and field, from the outside in: `map-send.body.receiver`. */
  readonly where: string

  constructor(reason: RefusalReason, where = "") {
    this.reason = reason
    this.where = where
  }

  get refusal(): Refusal {
    return REFUSALS[this.reason].number
  }

  /** The same refusal, seen from one level further out. */
  in(outer: string): Refused {
    return new Refused(this.reason, this.where === "" ? outer : `${outer}.${this.where}`)
  }

  toError(): RmrError {
    const { words } = REFUSALS[this.reason]
    return new RmrError(codeOf(this.reason), this.where === "" ? words : `${this.where}: ${words}`)
  }
}

const REASONS_BY_NUMBER: ReadonlyMap<Refusal, RefusalReason> = new Map(
  (Object.keys(REFUSALS) as RefusalReason[]).map((reason) => [REFUSALS[reason].number, reason]),
)

function codeOf(reason: RefusalReason): ErrorCode {
  return reason === "version" ? "bad-version" : "bad-message"
}
