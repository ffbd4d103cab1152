/**
 * One device out of what several members say about it, and whether it is new or known.
 *
 * Members may differ in what they can do: the device can do what all can. They may not differ in
 * size. They may differ in whether a device is mapped on them: who was out of the view when it was
 * mapped has not heard of it, and is told now. What a member missed of the volume the view record
 * says, and nothing else.
 *
 * | row | what the members say | what they are told |
 * |---|---|---|
 * | new | none is mapped | MAP |
 * | known | some are mapped | these REMAP, the others MAP |
 * | closed | one has no open store | nothing: it is refused |
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
  const isKnown = members.some(({ parameters }) => parameters.lifecycle === "mapped")
  const row = isKnown ? "known" : "new"
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
