/**
 * Negotiation: which version and which features two sides speak on a session.
 *
 * Both send an offer (HELLO, and its answer), and both compute the agreement from the same two
 * offers: the highest version that both have, and the features that both have. Nobody decides for
 * the other, so the result needs no third message. A feature is *required* by a side that cannot
 * work without it.
 *
 * A feature here changes what may be sent. What only changes how well a side does its work is not
 * one.
 */
import { RmrError } from "../errors.js"
import { SOFTWARE_BYTES_MAX } from "../limits.js"
import { integer, reserved, U32 } from "./field-types.js"
import { PROTOCOL_VERSION } from "./header.js"
import { type Struct, struct } from "./layout.js"
import { Refused } from "./refusal.js"
import { utf8Tail } from "./tails.js"

/** Bits of `features`, with what they allow. Bits are never reused. */
export const FEATURES = {
  /** Sync reads may ask for a digest instead of bytes (IO_DIGEST, S7). */
  "digest-read": 1,
  /**
   * Payload checksums are computed and verified; needed where the transport does not
   * (payloadChecked).
   */
  "payload-checksum": 2,
} as const

export type Feature = keyof typeof FEATURES

/** What one side can do and what it needs. */
export interface Offer {
  readonly versionMin: number
  readonly versionMax: number
  readonly features: number
  readonly requiredFeatures: number
  /** Name and version of the program: for people who look for the side that must be updated. */
  readonly software: string
}

/** The frozen layout of HELLO and its answer. */
export const OFFER: Struct<Offer> = struct<Offer>(
  "offer",
  12,
  [
    ["versionMin", 0, integer("u8", 1, 1, 255), "the lowest version that the sender speaks"],
    ["versionMax", 1, integer("u8", 1, 1, 255), "the highest version that the sender speaks"],
    ["reserved", 2, reserved(2), "must be zero"],
    ["features", 4, U32, "features that it has, a bit each"],
    ["requiredFeatures", 8, U32, "those of them without which it cannot work"],
  ],
  ["software", 12, utf8Tail(SOFTWARE_BYTES_MAX), "name and version of the program"],
)

/** Undefined for an offer that makes sense by itself. */
export function refuseOffer(offer: Offer): Refused | undefined {
  if (offer.versionMin > offer.versionMax) return new Refused("contradiction", "versionMin")
  const extra = offer.requiredFeatures & ~offer.features
  return extra === 0 ? undefined : new Refused("contradiction", "requiredFeatures")
}

/** What this code offers. */
export function ownOffer(software: string, required: readonly Feature[] = []): Offer {
  let features = 0
  for (const feature of Object.keys(FEATURES) as Feature[]) features |= FEATURES[feature]
  let requiredFeatures = 0
  for (const feature of required) requiredFeatures |= FEATURES[feature]
  return {
    versionMin: PROTOCOL_VERSION,
    versionMax: PROTOCOL_VERSION,
    features,
    requiredFeatures,
    software,
  }
}

export interface Agreement {
  readonly version: number
  /** The features that both have. */
  readonly features: number
}

/**
 * The agreement, or why there is none. First match wins; `ours` and `theirs` only decide who is
 * called what in the words: exchanged, the agreement is the same.
 *
 * | row | when | answer |
 * |---|---|---|
 * | N1 | no version in both ranges | `bad-version`, both ranges named |
 * | N2 | they require what we lack | `unsupported`, the features named |
 * | N3 | we require what they lack | `unsupported`, the features named |
 * | N4 | else | the highest common version, the common features |
 */
export function negotiate(ours: Offer, theirs: Offer): Agreement | RmrError {
  const version = Math.min(ours.versionMax, theirs.versionMax)
  if (version < ours.versionMin || version < theirs.versionMin) {
    return new RmrError(
      "bad-version",
      `this side speaks ${versionsOf(ours)}, the other ${versionsOf(theirs)} (${nameOf(theirs)})`,
    )
  }
  const weLack = theirs.requiredFeatures & ~ours.features
  if (weLack !== 0) {
    return new RmrError(
      "unsupported",
      `the other side (${nameOf(theirs)}) needs what this side lacks: ${featureNames(weLack)}`,
    )
  }
  const theyLack = ours.requiredFeatures & ~theirs.features
  if (theyLack !== 0) {
    return new RmrError(
      "unsupported",
      `this side needs what the other side (${nameOf(theirs)}) lacks: ${featureNames(theyLack)}`,
    )
  }
  return { version, features: (ours.features & theirs.features) >>> 0 }
}

export function hasFeature(agreement: Agreement, feature: Feature): boolean {
  return (agreement.features & FEATURES[feature]) !== 0
}

function versionsOf({ versionMin, versionMax }: Offer): string {
  return versionMin === versionMax
    ? `version ${versionMin}`
    : `versions ${versionMin} to ${versionMax}`
}

function nameOf(offer: Offer): string {
  return offer.software === "" ? "unnamed" : offer.software
}

/** Names of the bits, ascending; a bit without a name is one of a later version. */
function featureNames(bits: number): string {
  const names: string[] = []
  for (let bit = 0; bit < 32; bit++) {
    if (((bits >>> bit) & 1) === 0) continue
    const feature = (Object.keys(FEATURES) as Feature[]).find(
      (candidate) => FEATURES[candidate] === (1 << bit) >>> 0,
    )
    names.push(feature ?? `feature bit ${bit}`)
  }
  return names.join(", ")
}
