/**
 * The two decisions that are made for every IO: may a node carry it out, may a client acknowledge
 * it.
 *
 * No bound is set on them alone: they are to vanish beside the microsecond that an IO may cost in
 * JavaScript altogether. What they allocate is measured, because nothing on the data path may.
 */
import {
  type Admission,
  decideMutation,
  judgeRequest,
  type MutationProgress,
  type RequestStamp,
  setOf,
  type View,
} from "@rmr/core"
import { allocatedPerOperation, type Bench, keep, millionsPerSecond, times } from "./bench.js"

const OPERATIONS = 5_000_000

const member: Admission = {
  epoch: 3,
  nonce: 77,
  isOpen: true,
  isNormal: true,
  isDraining: false,
  joinedView: { epoch: 3, version: 1 },
  currentView: { epoch: 3, version: 9 },
  sessionGeneration: 1,
}

/** Requests under two views, so that the compiler cannot decide once for all. */
const requests: readonly RequestStamp[] = [8, 9].map((version) => ({
  epoch: 3,
  nonce: 77,
  view: { epoch: 3, version },
  sessionGeneration: 1,
}))

const view: View = { epoch: 3, version: 9, normal: setOf(0, 1, 2) }

/**
 * Mutations that all legs have answered, one of them by a miss. Before the last answer there is
 * nothing to decide, so the data path does not ask.
 */
const mutations: readonly MutationProgress[] = [setOf(0, 1), setOf(0, 1, 2)].map((done) => ({
  sentTo: setOf(0, 1, 2),
  done,
  missed: setOf(0, 1, 2) & ~done,
  carriedOut: 0,
  missedMarked: 0,
}))

function judge(count: number): void {
  let admitted = 0
  for (let at = 0; at < count; at++) {
    if (judgeRequest(member, requests[at & 1] as RequestStamp) === "admit") admitted++
  }
  if (admitted !== count) throw new Error("the bench measures the wrong path")
  keep(admitted)
}

function decide(count: number): void {
  let acknowledged = 0
  for (let at = 0; at < count; at++) {
    const { decide } = decideMutation(mutations[at & 1] as MutationProgress, view, 0)
    if (decide === "acknowledge") acknowledged++
  }
  if (acknowledged !== count) throw new Error("the bench measures the wrong path")
  keep(acknowledged)
}

function speed(name: string, work: (count: number) => void): Bench {
  return {
    name,
    unit: "M/s",
    better: "more",
    run: (scale) => {
      const count = times(OPERATIONS, scale)
      return millionsPerSecond(count, () => work(count))
    },
  }
}

function garbage(name: string, work: (count: number) => void): Bench {
  return {
    name: `${name}, allocated`,
    unit: "B/op",
    better: "less",
    must: 1,
    run: (scale) => allocatedPerOperation(times(OPERATIONS / 10, scale), work),
  }
}

export const benches: readonly Bench[] = [
  speed("judge a request (F3, W5)", judge),
  garbage("judge a request (F3, W5)", judge),
  speed("decide an answered mutation (W3)", decide),
  garbage("decide an answered mutation (W3)", decide),
]
