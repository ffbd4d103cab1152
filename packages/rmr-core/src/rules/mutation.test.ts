/** Rules W3, W4, I5 and F4. */
import { setOf } from "./member-set.js"
import {
  answerWithoutCopy,
  decideMutation,
  isFlushed,
  type MutationProgress,
  meaningOfAnswer,
  progressAfterView,
  takesBackDone,
  unanswered,
} from "./mutation.js"
import {
  CHUNK_CLEAN,
  CHUNK_REAL,
  CHUNK_SUSPECT_CACHE_LOST,
  CHUNK_SUSPECT_IN_FLIGHT,
} from "./rank.js"

const A = setOf(0)
const B = setOf(1)
const C = setOf(2)
const view = (normal: number) => ({ epoch: 1, version: 6, normal })
const sent: MutationProgress = { sentTo: A | B, done: 0, missed: 0, carriedOut: 0, missedMarked: 0 }

describe("a mutation", () => {
  it("W3 one success is not enough while another member of the view has not answered", () => {
    expect(decideMutation({ ...sent, done: A }, view(A | B), 0)).toMatchObject({
      decide: "wait",
      forAnswers: B,
    })
    expect(decideMutation({ ...sent, done: A | B }, view(A | B), 0)).toEqual({
      decide: "acknowledge",
    })
  })

  it("W3 a member that was put out counts only if its view remembers the range (RT-5)", () => {
    expect(decideMutation({ ...sent, done: A }, view(A), B)).toMatchObject({ forViewWithout: B })
    const carried = { ...sent, done: A, carriedOut: B }
    expect(decideMutation(carried, view(A), B)).toEqual({ decide: "acknowledge" })
  })

  it("W3 success on a member that is out of the view is no success", () => {
    const outside = { ...sent, done: B, missed: A, carriedOut: B }
    expect(decideMutation(outside, view(A), B)).toEqual({ decide: "fail-uncertain" })
  })

  it("W4 missed by all fails, and the range stays uncertain", () => {
    const progress = { ...sent, missed: A | B }
    expect(decideMutation(progress, view(A | B), 0)).toEqual({ decide: "fail-uncertain" })
  })

  it("W3 who missed it must mark the absent for real before the acknowledgement (RT-38)", () => {
    const half = { ...sent, done: A, missed: B }
    expect(decideMutation(half, view(A | B), 0)).toEqual({ decide: "acknowledge" })
    expect(decideMutation(half, view(A | B), C)).toMatchObject({ decide: "wait", forMarks: B })
    const marked = { ...half, missedMarked: B }
    expect(decideMutation(marked, view(A | B), C)).toEqual({ decide: "acknowledge" })
  })

  it("W3 done is taken back by who has lost the bytes until the view changes (RT-48)", () => {
    const half = { ...sent, sentTo: A | B | C, done: A | B }
    const after = progressAfterView(half, view(A | B), true, A)
    expect(after).toMatchObject({ done: B, missed: A, carriedOut: C })
    const alone = progressAfterView({ ...sent, done: A }, view(A), true, A)
    expect(decideMutation(alone, view(A), B)).toEqual({ decide: "fail-uncertain" })
  })

  it("W3 marks for the absent are asked for again once more are absent (RT-52)", () => {
    const [D, four] = [setOf(3), setOf(0, 1, 3)]
    const marked = { ...sent, sentTo: four, done: A | D, missed: B, missedMarked: B }
    expect(decideMutation(marked, view(four), C)).toEqual({ decide: "acknowledge" })
    const after = progressAfterView(marked, view(A | B), true, 0)
    expect(decideMutation(after, view(A | B), C | D)).toMatchObject({ forMarks: B })
  })

  it("V2 who leaves by a view that does not list the range is still waited for", () => {
    expect(progressAfterView({ ...sent, done: A }, view(A), false, 0).carriedOut).toBe(0)
  })

  it("W2 a chunk that is only suspect is no reason to be counted as missed (RT-46)", () => {
    expect(answerWithoutCopy(CHUNK_REAL)).toBe("no-clean-copy")
    expect(answerWithoutCopy(CHUNK_SUSPECT_IN_FLIGHT)).toBe("hold")
    expect(answerWithoutCopy(CHUNK_SUSPECT_CACHE_LOST)).toBe("hold")
  })

  it("V2 done is taken back by who lacks the bytes, not by who only suspects them (RT-59)", () => {
    expect([CHUNK_CLEAN, CHUNK_SUSPECT_IN_FLIGHT].map(takesBackDone)).toEqual([false, false])
    expect([CHUNK_REAL, CHUNK_SUSPECT_CACHE_LOST].map(takesBackDone)).toEqual([true, true])
  })

  it("names who has not answered", () => {
    expect(unanswered({ ...sent, missed: A })).toEqual([1])
  })
})

describe("an answer", () => {
  it("F4 fenced ends the client; it is never taken for a leg that failed (RT-4)", () => {
    expect(meaningOfAnswer("fenced")).toBe("ends-client")
  })

  it("W2 a media error is an answer, a lost link is none", () => {
    expect(meaningOfAnswer("ok")).toBe("done")
    expect(meaningOfAnswer("media-error")).toBe("missed")
    expect(meaningOfAnswer("link-lost")).toBe("unanswered")
    expect(meaningOfAnswer("stale-view")).toBe("unanswered")
  })
})

it("I5 a flush needs every normal member of the view in force at its end", () => {
  expect(isFlushed(A, view(A | B))).toBe(false)
  expect(isFlushed(A | C, view(A))).toBe(true)
})
