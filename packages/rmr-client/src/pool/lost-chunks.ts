/**
 * A lost chunk, accepted as it is (reading Q23).
 *
 * Nobody of the view has anything of it that is good, so reads of it fail, and only an overwrite of
 * all of it, or an admin who takes what is left, ends that. What is left is the copy of one member,
 * with zeroes where it cannot be read. Whoever is absent is marked first: it takes that over, too.
 */
import type { ChunkNumber, MemberId, PoolMetadata } from "@rmr/core"
import { CHUNK_REAL, RmrError, slotsOf } from "@rmr/core"
import { electStep } from "./election.js"
import type { Leg } from "./leg.js"
import { readOwnMap } from "./map-reading.js"
import type { RecordChange } from "./membership.js"
import type { PoolContext } from "./pool-context.js"
import { absentIdsOf } from "./view-record.js"

export interface Acceptance {
  readonly context: PoolContext
  readonly legs: readonly (Leg | undefined)[]
  readonly chunk: number
  /** Whose copy; the first normal member's where nobody says. */
  readonly from: MemberId | undefined
  /** Also where an absent member may have it. */
  readonly acceptsLoss: boolean
}

/**
 * Made while IO stands still. Fails with `invalid-range` for no chunk, `not-found` where it is not
 * lost, and `no-clean-copy` where somebody absent may have it.
 */
export function acceptedChunk(acceptance: Acceptance): RecordChange {
  return { edit: (record) => record, check: (record) => accept(acceptance, record) }
}

async function accept(
  { context, legs, chunk, from, acceptsLoss }: Acceptance,
  record: PoolMetadata,
): Promise<void> {
  const { mapVersion, normal, chunkSizeBytes, mappedSizeBytes } = record
  const chunkCount = Math.ceil(mappedSizeBytes / chunkSizeBytes)
  if (!Number.isSafeInteger(chunk) || chunk < 0 || chunk >= chunkCount) {
    throw new RmrError("invalid-range", `the volume has chunks 0 to ${chunkCount - 1}`)
  }
  const reading = { context, legs, mapVersion, normal, chunkCount }
  const maps = await Promise.all(slotsOf(normal).map((slot) => readOwnMap(reading, slot)))
  if (maps.some((map) => map.byteOf(chunk as ChunkNumber) !== CHUNK_REAL)) {
    throw new RmrError("not-found", `chunk ${chunk} is not lost: a member has it, or may have it`)
  }
  const absentIds = absentIdsOf(record)
  if (absentIds.length > 0 && !acceptsLoss) {
    const words = `member ${absentIds.join(", ")} is absent and may have chunk ${chunk}`
    throw new RmrError("no-clean-copy", `${words}; bring it back, or accept the loss`)
  }
  const slot = slotsOf(normal).find((one) => from === undefined || legs[one]?.memberId === from)
  if (slot === undefined) throw new RmrError("not-found", `member ${from} is not normal`)
  const ranges = [{ firstChunk: chunk, chunkCount: 1 }]
  await Promise.all(slotsOf(normal).map((to) => electStep(reading, to, "mark", slot, ranges)))
  await electStep(reading, slot, "mend", slot, ranges)
  await electStep(reading, slot, "accept", slot, ranges)
}
