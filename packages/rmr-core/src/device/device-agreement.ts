/**
 * One device out of what several members say about it, and whether it is new or known.
 *
 * Members may differ in what they can do: the device can do what all can. They may not differ in
 * size, and not in whether a device is mapped on them: a store that remembers a mapping which its
 * peers do not know has missed something, and nobody but an admin can say what.
 *
 * | row | what the members say | `map` does |
 * |---|---|---|
 * | new | none is mapped | MAP |
 * | known | all are mapped | REMAP |
 * | mixed | some are mapped | refused; `unmap` brings them to one state |
 * | closed | one has no open store | refused |
 */
import { RmrError } from "../errors.js"
import type { DeviceParameters } from "./device-command.js"

/** What one member answered. */
export interface MemberParameters {
  /** For messages. */
  readonly memberId: number
  readonly parameters: DeviceParameters
}

export interface DeviceAgreement {
  readonly row: "new" | "known"
  /** Sizes are equal, limits the smallest, alignment the largest, write-back if anybody has it. */
  readonly parameters: DeviceParameters
}

/** `expectedBytes`: the size that the caller insists on, or 0. */
export function agreeOnDevice(
  members: readonly MemberParameters[],
  expectedBytes: number,
): DeviceAgreement | RmrError {
  const [first] = members
  if (first === undefined) return new RmrError("no-leg", "no member has answered")
  const closed = members.filter(({ parameters }) => parameters.lifecycle === "closed")
  if (closed.length > 0) {
    return new RmrError("not-found", `no open store on ${idsOf(closed)}; add one first`)
  }
  const { sizeBytes } = first.parameters
  const other = members.filter(({ parameters }) => parameters.sizeBytes !== sizeBytes)
  if (other.length > 0) {
    const sizes = members.map(({ memberId, parameters }) => `${memberId}: ${parameters.sizeBytes}`)
    return new RmrError("mismatch", `members differ in size (${sizes.join(", ")} bytes)`)
  }
  if (expectedBytes !== 0 && expectedBytes !== sizeBytes) {
    const sizes = `${sizeBytes} bytes, not the ${expectedBytes} that were asked for`
    return new RmrError("mismatch", `the pool has ${sizes}`)
  }
  const mapped = members.filter(({ parameters }) => parameters.lifecycle === "mapped")
  if (mapped.length !== 0 && mapped.length !== members.length) {
    return new RmrError(
      "mismatch",
      `only ${idsOf(mapped)} has the device mapped; unmap it, then map it again`,
    )
  }
  const row = mapped.length === 0 ? "new" : "known"
  return { row, parameters: members.reduce(combine, first.parameters) }
}

function combine(all: DeviceParameters, { parameters: one }: MemberParameters): DeviceParameters {
  return {
    sizeBytes: all.sizeBytes,
    blockBytes: Math.max(all.blockBytes, one.blockBytes),
    ioBytesMax: Math.min(all.ioBytesMax, one.ioBytesMax),
    optimalBytes: Math.max(all.optimalBytes, one.optimalBytes),
    queueDepth: Math.min(all.queueDepth, one.queueDepth),
    lifecycle: all.lifecycle,
    hasWriteBack: all.hasWriteBack || one.hasWriteBack,
    canUnmap: all.canUnmap && one.canUnmap,
  }
}

function idsOf(members: readonly MemberParameters[]): string {
  const ids = members.map(({ memberId }) => memberId)
  return ids.length === 1 ? `member ${ids[0]}` : `members ${ids.join(", ")}`
}
