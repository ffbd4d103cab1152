/** Words and wire numbers: one each, in both directions. */
import { ERROR_CODES, type ErrorCode, RmrError, statusOf } from "../errors.js"
import { RANGE_KINDS } from "../rules/pool-metadata.js"
import { SERVER_POOL_STATES } from "../states/server-pool-state.js"
import { STORE_LIFECYCLE_STATES } from "../states/store-lifecycle.js"
import { REFUSALS, type RefusalReason, Refused, refusalError } from "./refusal.js"
import {
  isKnownStatus,
  MEMBER_ROLE_NUMBERS,
  outcomeOfStatus,
  RANGE_KIND_NUMBERS,
  RESTART_NUMBERS,
  SERVER_POOL_STATE_NUMBERS,
  STORE_LIFECYCLE_NUMBERS,
  statusOfOutcome,
} from "./status.js"

describe("statuses", () => {
  it("are those of errors.ts, and 0 is ok", () => {
    expect(statusOfOutcome("ok")).toBe(0)
    expect(outcomeOfStatus(0)).toBe("ok")
    for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) {
      expect(statusOfOutcome(code)).toBe(statusOf(code))
      expect(outcomeOfStatus(statusOf(code))).toBe(code)
      expect(isKnownStatus(statusOf(code))).toBe(true)
    }
    expect(outcomeOfStatus(60_000)).toBeUndefined()
    expect(isKnownStatus(60_000)).toBe(false)
  })
})

describe("numbers of words", () => {
  it.each<readonly [string, Readonly<Record<string, number>>, readonly string[]]>([
    ["server pool states", SERVER_POOL_STATE_NUMBERS, SERVER_POOL_STATES],
    ["store states", STORE_LIFECYCLE_NUMBERS, STORE_LIFECYCLE_STATES],
    ["restart classes", RESTART_NUMBERS, ["none", "process", "cache-lost"]],
    ["roles", MEMBER_ROLE_NUMBERS, ["data", "maintenance"]],
    ["kinds of ranges", RANGE_KIND_NUMBERS, RANGE_KINDS],
  ])("%s: one for each word, from 1", (_what, numbers, words) => {
    expect(Object.keys(numbers).sort()).toEqual([...words].sort())
    expect(new Set(Object.values(numbers)).size).toBe(words.length)
    expect(Math.min(...Object.values(numbers))).toBe(1)
  })
})

describe("refusals", () => {
  const reasons = Object.keys(REFUSALS) as RefusalReason[]

  it("have a number each, and become a typed error with their words", () => {
    expect(new Set(reasons.map((reason) => REFUSALS[reason].number)).size).toBe(reasons.length)
    for (const reason of reasons) {
      const { number, words } = REFUSALS[reason]
      const error = refusalError(number)
      expect(error).toBeInstanceOf(RmrError)
      expect(error.code).toBe(reason === "version" ? "bad-version" : "bad-message")
      expect(error.detail).toBe(words)
    }
  })

  it("say where, from the outside in", () => {
    const refused = new Refused("value", "receiver").in("body").in("map-send")
    expect(refused.where).toBe("map-send.body.receiver")
    expect(refused.refusal).toBe(REFUSALS.value.number)
    expect(refused.toError().message).toBe(
      "bad-message: map-send.body.receiver: a value is outside its range",
    )
    expect(new Refused("short").in("open").toError().message).toBe(
      "bad-message: open: it is shorter than its layout",
    )
  })
})
