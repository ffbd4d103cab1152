/** Negotiation: PROTOCOL.md 2. */
import fc from "fast-check"
import { RmrError } from "../errors.js"
import {
  FEATURES,
  hasFeature,
  negotiate,
  type Offer,
  ownOffer,
  refuseOffer,
} from "./negotiation.js"
import { Refused } from "./refusal.js"

const DIGEST = FEATURES["digest-read"]
const CHECKSUM = FEATURES["payload-checksum"]

function offer(change: Partial<Offer>): Offer {
  return {
    versionMin: 1,
    versionMax: 1,
    features: 0,
    requiredFeatures: 0,
    software: "b 2.0",
    ...change,
  }
}

type Row = readonly [row: string, what: string, ours: Partial<Offer>, theirs: Partial<Offer>]

const AGREED: readonly (readonly [...Row, version: number, features: number])[] = [
  ["N4", "one version each", {}, {}, 1, 0],
  ["N4", "the highest common version", { versionMax: 4 }, { versionMax: 3 }, 3, 0],
  ["N4", "ranges that touch", { versionMax: 2 }, { versionMin: 2, versionMax: 9 }, 2, 0],
  ["N4", "features of both", { features: 7 }, { features: 0x8000_0006 }, 1, 6],
  ["N4", "the top bit", { features: 0x8000_0000 }, { features: 0x8000_0000 }, 1, 0x8000_0000],
  [
    "N4",
    "what each requires, and the other has",
    { features: 3, requiredFeatures: 1 },
    { features: 3, requiredFeatures: 2 },
    1,
    3,
  ],
]

const REFUSED: readonly (readonly [...Row, code: string, words: string])[] = [
  [
    "N1",
    "the other is newer",
    {},
    { versionMin: 2, versionMax: 3 },
    "bad-version",
    "this side speaks version 1, the other versions 2 to 3 (b 2.0)",
  ],
  [
    "N1",
    "the other is older and has no name",
    { versionMin: 5, versionMax: 6 },
    { versionMax: 4, software: "" },
    "bad-version",
    "this side speaks versions 5 to 6, the other versions 1 to 4 (unnamed)",
  ],
  [
    "N2",
    "they need what we lack",
    {},
    { features: DIGEST | (1 << 9), requiredFeatures: DIGEST | (1 << 9) },
    "unsupported",
    "the other side (b 2.0) needs what this side lacks: digest-read, feature bit 9",
  ],
  [
    "N3",
    "we need what they lack",
    { features: CHECKSUM, requiredFeatures: CHECKSUM },
    {},
    "unsupported",
    "this side needs what the other side (b 2.0) lacks: payload-checksum",
  ],
  [
    "N1 before N2",
    "no version, and features too",
    {},
    { versionMin: 2, versionMax: 2, features: 1, requiredFeatures: 1 },
    "bad-version",
    "this side speaks version 1, the other version 2 (b 2.0)",
  ],
]

describe("negotiate", () => {
  it.each(AGREED)("%s: %s", (_row, _what, ours, theirs, version, features) => {
    expect(negotiate(offer(ours), offer(theirs))).toEqual({ version, features })
    expect(negotiate(offer(theirs), offer(ours))).toEqual({ version, features })
  })

  it.each(REFUSED)("%s: %s", (_row, _what, ours, theirs, code, words) => {
    const answer = negotiate(offer(ours), offer(theirs))
    expect(answer).toBeInstanceOf(RmrError)
    expect(answer).toMatchObject({ code, detail: words })
  })

  it("comes to the same on both sides, for any two offers", () => {
    const any = fc
      .record({
        a: fc.integer({ min: 1, max: 6 }),
        b: fc.integer({ min: 1, max: 6 }),
        bits: fc.nat(15),
        need: fc.nat(15),
      })
      .map(({ a, b, bits, need }) =>
        offer({
          versionMin: Math.min(a, b),
          versionMax: Math.max(a, b),
          features: bits,
          requiredFeatures: bits & need,
        }),
      )
    fc.assert(
      fc.property(any, any, (ours, theirs) => {
        const here = negotiate(ours, theirs)
        const there = negotiate(theirs, ours)
        if (here instanceof RmrError) expect(there).toMatchObject({ code: here.code })
        else {
          expect(there).toEqual(here)
          expect(here.version).toBeGreaterThanOrEqual(Math.max(ours.versionMin, theirs.versionMin))
          expect(ours.requiredFeatures & ~here.features).toBe(0)
          expect(theirs.requiredFeatures & ~here.features).toBe(0)
        }
      }),
      { seed: 2, numRuns: 3000 },
    )
  })
})

describe("an offer", () => {
  it("of this code agrees with itself, and has what it requires", () => {
    const own = ownOffer("rmr 0.0.0", ["payload-checksum"])
    expect(refuseOffer(own)).toBeUndefined()
    const agreement = negotiate(own, ownOffer("rmr 0.0.0"))
    if (agreement instanceof RmrError) throw agreement
    expect(agreement.version).toBe(1)
    expect(hasFeature(agreement, "payload-checksum")).toBe(true)
    expect(hasFeature({ version: 1, features: 0 }, "digest-read")).toBe(false)
  })

  it("that contradicts itself is refused", () => {
    expect(refuseOffer(offer({ versionMin: 2 }))).toEqual(
      new Refused("contradiction", "versionMin"),
    )
    expect(refuseOffer(offer({ features: 1, requiredFeatures: 3 }))).toEqual(
      new Refused("contradiction", "requiredFeatures"),
    )
  })

  it("has features with a bit each", () => {
    const bits = Object.values(FEATURES)
    expect(new Set(bits).size).toBe(bits.length)
    for (const bit of bits) expect(Math.log2(bit) % 1).toBe(0)
  })
})
