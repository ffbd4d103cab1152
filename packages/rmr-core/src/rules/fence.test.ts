/** Rules F1, F2, F3, F5 and W5. */
import {
  type Admission,
  decideHeld,
  decideOpen,
  judgeProposal,
  judgeRequest,
  nextEpoch,
  type RequestStamp,
} from "./fence.js"

const member: Admission = {
  epoch: 3,
  nonce: "n",
  isOpen: true,
  isNormal: true,
  isDraining: false,
  joinedView: { epoch: 3, version: 5 },
  currentView: { epoch: 3, version: 7 },
  sessionGeneration: 1,
}
const request: RequestStamp = {
  epoch: 3,
  nonce: "n",
  view: { epoch: 3, version: 6 },
  sessionGeneration: 1,
}

describe("OPEN", () => {
  it("F1 takes a higher epoch, knows its holder again, and refuses everybody else", () => {
    expect(decideOpen({ epoch: 3, nonce: "a" }, { epoch: 4, nonce: "b" })).toBe("adopt")
    expect(decideOpen({ epoch: 3, nonce: "a" }, { epoch: 3, nonce: "a" })).toBe("again")
    expect(decideOpen({ epoch: 3, nonce: "a" }, { epoch: 3, nonce: "b" })).toBe("fenced")
    expect(decideOpen({ epoch: 3, nonce: "a" }, { epoch: 2, nonce: "a" })).toBe("fenced")
  })

  it("F2 the next epoch is above every one that was seen", () => {
    expect(nextEpoch([])).toBe(1)
    expect(nextEpoch([2, 7, 3])).toBe(8)
  })

  it("F5 a living holder is taken over only on demand; a silent one by its own host", () => {
    const holder = (silentMs: number) => ({ host: "a", silentMs })
    expect(decideHeld(undefined, "b", false, 1000)).toBe("open")
    expect(decideHeld(holder(10), "a", false, 1000)).toBe("held")
    expect(decideHeld(holder(2000), "a", false, 1000)).toBe("open")
    expect(decideHeld(holder(2000), "b", false, 1000)).toBe("held")
    expect(decideHeld(holder(10), "b", true, 1000)).toBe("open")
  })
})

describe("a request", () => {
  it.each<[string, Partial<Admission>, Partial<RequestStamp>, string]>([
    [
      "F3 of a lower epoch is fenced, even by a member that is not open",
      { isOpen: false },
      { epoch: 2 },
      "fenced",
    ],
    ["F3 of the same epoch by another process is fenced", {}, { nonce: "m" }, "fenced"],
    ["F3 of a higher epoch is not open here", {}, { epoch: 4, nonce: "m" }, "not-open"],
    ["F3 to a process that answered no OPEN is not open", { isOpen: false }, {}, "not-open"],
    ["W5 waits while the member drains", { isDraining: true }, {}, "draining"],
    ["W5 is refused by a member out of the view", { isNormal: false }, {}, "not-normal"],
    ["W5 on a session that was given up is stale", {}, { sessionGeneration: 0 }, "stale-view"],
    [
      "W5 of a view before the joining is stale (RT-14)",
      {},
      { view: { epoch: 3, version: 4 } },
      "stale-view",
    ],
    ["W5 of the view before the current one is good (RT-15)", {}, {}, "admit"],
    [
      "W5 of a view that the member does not have cannot be effective",
      {},
      { view: { epoch: 3, version: 8 } },
      "not-open",
    ],
  ])("%s", (_, memberChange, requestChange, verdict) => {
    expect(judgeRequest({ ...member, ...memberChange }, { ...request, ...requestChange })).toBe(
      verdict,
    )
  })
})

describe("a view change", () => {
  const at = (version: number) => ({ epoch: 3, version })
  const admission = { epoch: 3, nonce: "n", isOpen: true, seen: at(7), durable: at(5) }
  const of = (epoch: number, version: number, nonce = "n") =>
    judgeProposal(admission, { epoch, version, nonce })

  it("V4 is persisted iff newer than the disk and not older than what the member was told", () => {
    expect(of(3, 8)).toBe("persist")
    expect(of(3, 6)).toBe("superseded")
    expect(of(2, 9)).toBe("fenced")
    expect(of(3, 9, "m")).toBe("fenced")
    expect(of(4, 1)).toBe("not-open")
  })

  it("V4 a view known by hearsay only is persisted when it comes (RT-51)", () => {
    expect(of(3, 7)).toBe("persist")
    expect(of(3, 5)).toBe("have")
  })

  it("V4 an older proposal does not reach a joiner that was told of a newer one (RT-37)", () => {
    const joiner = { ...admission, durable: at(2) }
    expect(judgeProposal(joiner, { ...at(6), nonce: "n" })).toBe("superseded")
  })

  it("F3 a restarted process persists nothing before it was opened", () => {
    const proposal = { epoch: 3, version: 8, nonce: "n" }
    expect(judgeProposal({ ...admission, isOpen: false }, proposal)).toBe("not-open")
  })
})
