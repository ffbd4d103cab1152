/** How a read chooses among legs, by each policy. */
import { memberId, type Session } from "@rmr/core"
import {
  EngineLeg,
  READ_POLICIES,
  READ_RUN_BYTES,
  ReadBalance,
  type ReadPolicy,
} from "./engine-leg.js"

const ALL = 0b111
/** Only whether there is one counts here. */
const SESSION = {} as Session

interface Shape {
  readonly inFlight?: number
  readonly readMs?: number
  readonly dirtyHint?: number
  readonly isDown?: boolean
}

function legsOf(shapes: readonly Shape[]): EngineLeg[] {
  return shapes.map(({ inFlight = 0, readMs = 0, dirtyHint = 0, isDown = false }, slot) => {
    const leg = new EngineLeg(slot, memberId(slot + 1))
    leg.inFlight = inFlight
    leg.readMs = readMs
    leg.dirtyHint = dirtyHint
    leg.session = isDown ? undefined : SESSION
    return leg
  })
}

/** How many of so many reads each leg gets, of which each is a run. */
function share(
  policy: ReadPolicy,
  legs: readonly (EngineLeg | undefined)[],
  count: number,
  candidates: number = ALL,
): number[] {
  const balance = new ReadBalance(policy, 0)
  const shares = legs.map(() => 0)
  for (let nth = 0; nth < count; nth++) {
    const leg = balance.choose(legs, candidates, 1)
    if (leg !== undefined) shares[leg.slot]!++
  }
  return shares
}

describe.each(READ_POLICIES)("%s", (policy) => {
  it("takes turns among legs that are as good as each other", () => {
    const shares = share(policy, legsOf([{}, {}, {}]), 300)
    // Who is asked now and then may be somebody whose turn it is not.
    expect(Math.min(...shares)).toBeGreaterThanOrEqual(policy === "latency" ? 98 : 100)
  })

  it("R-reads: asks nobody but members of the view that are up", () => {
    const legs = legsOf([{ inFlight: 9, readMs: 9, dirtyHint: 9 }, {}, { isDown: true }])
    expect(share(policy, legs, 100, 0b101)).toEqual([100, 0, 0])
    expect(share(policy, legs, 100, 0b100)).toEqual([0, 0, 0])
    expect(share(policy, [undefined, ...legs.slice(1)], 100, 0b101)).toEqual([0, 0, 0])
  })

  it("asks who lacks nothing before who lacks something, however quick that one is", () => {
    const quick = { inFlight: 0, readMs: 1, dirtyHint: 1 }
    const slow = { inFlight: 50, readMs: 50 }
    expect(share(policy, legsOf([quick, slow, quick]), 200)).toEqual([0, 200, 0])
  })

  it("takes turns where all lack something", () => {
    const shares = share(
      policy,
      legsOf([{ dirtyHint: 1 }, { dirtyHint: 900 }, { isDown: true }]),
      90,
    )
    expect(Math.min(shares[0]!, shares[1]!)).toBeGreaterThanOrEqual(policy === "latency" ? 44 : 45)
    expect(shares[2]).toBe(0)
  })
})

describe("each policy by its measure", () => {
  it("round-robin gives the turn of who is down to all others alike", () => {
    const legs = legsOf([{}, {}, { isDown: true }, {}])
    expect(share("round-robin", legs, 300, 0b1111)).toEqual([100, 100, 0, 100])
  })

  it("round-robin looks at neither what is in flight nor at latency", () => {
    const legs = legsOf([{ inFlight: 90, readMs: 90 }, { readMs: 3 }, { inFlight: 1 }])
    expect(share("round-robin", legs, 300)).toEqual([100, 100, 100])
  })

  it("round-robin keeps small reads together, a run of bytes for each leg in turn", () => {
    const legs = legsOf([{}, {}])
    const balance = new ReadBalance("round-robin", READ_RUN_BYTES)
    const slots = (bytes: number, count: number): (number | undefined)[] =>
      Array.from({ length: count }, () => balance.choose(legs, ALL, bytes)?.slot)
    const run = READ_RUN_BYTES / 4
    expect(slots(run, 12)).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0])
    // A run that is too short for a read ends before it.
    expect(slots(run * 3, 3)).toEqual([1, 0, 1])
    expect(slots(READ_RUN_BYTES * 16, 4)).toEqual([0, 1, 0, 1])
  })

  it("least-inflight asks who has the least under way, whatever its latency was", () => {
    const legs = legsOf([{ inFlight: 2 }, { inFlight: 1, readMs: 90 }, { inFlight: 3 }])
    expect(share("least-inflight", legs, 300)).toEqual([0, 300, 0])
  })

  it("least-inflight spreads reads that stay under way", () => {
    const legs = legsOf([{ inFlight: 4 }, {}, {}])
    const balance = new ReadBalance("least-inflight", 0)
    for (let nth = 0; nth < 8; nth++) {
      const leg = balance.choose(legs, ALL, 1)
      if (leg !== undefined) leg.inFlight++
    }
    expect(legs.map(({ inFlight }) => inFlight)).toEqual([4, 4, 4])
  })

  it("latency asks the quickest, and another now and then: it may have become quick", () => {
    const legs = legsOf([{ readMs: 5 }, { readMs: 1, inFlight: 90 }, { readMs: 3 }])
    const shares = share("latency", legs, 64 * 30)
    expect(shares[1]).toBeGreaterThanOrEqual(63 * 30)
    expect(shares[0]! + shares[2]!).toBeGreaterThan(0)
    expect(shares[0]).toBeGreaterThan(0)
    expect(shares[2]).toBeGreaterThan(0)
  })

  it("latency asks all others now and then, also by small reads of two legs", () => {
    const legs = legsOf([{ readMs: 1 }, { readMs: 5 }])
    const balance = new ReadBalance("latency", READ_RUN_BYTES)
    let count = 0
    for (let nth = 0; nth < 64 * 20; nth++) {
      if (balance.choose(legs, ALL, READ_RUN_BYTES / 16)?.slot === 1) count++
    }
    expect(count).toBe(10)
  })
})
