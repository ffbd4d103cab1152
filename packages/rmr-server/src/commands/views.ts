/** MAP_ADD: the carrier of a view change, and of marks without one (rules V1, V2, V4, W3, W6). */
import type { CommandOf, PoolMetadata } from "@rmr/core"
import { assert, judgeProposal, RANK_REAL, RmrError, TAKEN_BACK_MAX } from "@rmr/core"
import { type Member, slotOfMember } from "../pool/member.js"
import { type MemberVolume, resizeVolume } from "../pool/member-volume.js"
import type { ServerPool } from "../pool/server-pool.js"
import { stepToView, type ViewStep } from "../pool/view-step.js"
import {
  type Answer,
  type Caller,
  deletedIn,
  type Handler,
  refusal,
  requireVolume,
} from "./answer.js"

export const mapAdd: Handler<"map-add"> = (pool, command, caller) =>
  command.body.purpose === "missed"
    ? markMissed(pool, command, caller)
    : pool.serially(() => changeView(pool, command, caller))

/** W3: others have done what this member missed; its marks for the absent become facts. */
async function markMissed(
  pool: ServerPool,
  command: CommandOf<"map-add">,
  caller: Caller,
): Promise<Answer<"map-add">> {
  const { volume } = requireVolume(pool)
  const { mapVersion, sessionGeneration, body } = command
  const refused = pool.admission.judgeView(mapVersion, sessionGeneration, caller.nonce)
  if (refused !== undefined) throw refusal(pool, refused, mapVersion.epoch)
  const { geometry, maps } = volume
  let markedChunks = 0
  for (const { offset, length } of body.missed) {
    if (offset + length > geometry.mappedSizeBytes) {
      throw new RmrError("invalid-range", "a missed range is not inside the volume")
    }
    const count = geometry.chunkSpan(offset, length)
    maps.markFor(pool.member.markedFor, geometry.chunkOf(offset), count, RANK_REAL)
    markedChunks += count
  }
  await pool.member.saveMaps()
  return answerOf(pool, markedChunks, [])
}

async function changeView(
  pool: ServerPool,
  command: CommandOf<"map-add">,
  caller: Caller,
): Promise<Answer<"map-add">> {
  const { volume, data } = requireVolume(pool)
  const { member, admission } = pool
  const record = command.payload
  assert(record !== undefined, "a view change that was decoded has its record")
  const { mapVersion } = record
  const verdict = judgeProposal(
    {
      epoch: admission.epoch,
      nonce: admission.nonce,
      isOpen: admission.isOpen,
      seen: member.state.seen,
      durable: member.view,
    },
    { ...mapVersion, nonce: caller.nonce },
  )
  if (verdict === "fenced" || verdict === "not-open") {
    throw refusal(pool, verdict, mapVersion.epoch)
  }
  pool.noteHeard()
  if (verdict !== "persist") return answerOf(pool, 0, [])
  requireThisPool(pool, record)
  requireHistory(pool, record, command.body.purpose)
  const isJoining = !admission.isNormal
  if (isJoining && command.body.purpose === "grow") requireUpdated(pool, command)
  await endGivenUp(pool, command, record)
  // S2: what is being copied was read in another view.
  data.entries.endAll(0)
  if (isJoining) await makeFirm(pool, volume, command.body.purpose === "grow")
  if (record.mappedSizeBytes > volume.geometry.mappedSizeBytes) {
    resizeVolume(volume, record.mappedSizeBytes)
    await member.saveMaps()
  }
  const step = stepToView(member, volume, record, data.table)
  if (isJoining) volume.lastIo.clear()
  try {
    await member.persistView(record, step.markings)
  } catch (thrown) {
    const error = RmrError.from(thrown)
    pool.fail(error)
    throw error
  }
  pool.takeUp()
  data.deliver()
  return answerOf(pool, step.markedChunks, step.takenBack)
}

/**
 * W6: a mutation that was given up may still wait here, for a lock or a copy, or be on its way on a
 * session before this one. Nobody carries it out once the view that lists it is persisted (RT-53).
 */
async function endGivenUp(
  pool: ServerPool,
  { sessionGeneration }: CommandOf<"map-add">,
  { ranges }: PoolMetadata,
): Promise<void> {
  const { admission } = pool
  if (!ranges.some(({ kind }) => kind === "uncertain")) return
  admission.sessionGeneration = Math.max(admission.sessionGeneration, sessionGeneration)
  const wasDraining = admission.isDraining
  try {
    await pool.endIo()
  } finally {
    admission.isDraining = wasDraining
  }
}

/**
 * I4: who becomes normal has on stable storage what it says it has. In a map update it has flushed
 * already, and has written nothing since. M3: nor is it normal on its disk before all marks are
 * there: those that one commit takes go with the record, more before it.
 */
async function makeFirm(
  { member, updates }: ServerPool,
  { maps }: MemberVolume,
  isGrow: boolean,
): Promise<void> {
  if (!isGrow || !updates.receiver.isFlushed) await member.jobs.flush()
  if (!maps.fitsOneCommit) await member.saveMaps()
}

/** M3: who joins has been told all that it missed before the view that it joins. */
function requireUpdated(pool: ServerPool, { body }: CommandOf<"map-add">): void {
  if (pool.updates.receiver.isDoneFor(body.base)) return
  throw new RmrError("stale-view", "this member has not been told all that it missed")
}

function requireThisPool(pool: ServerPool, record: PoolMetadata): void {
  const { member } = pool
  const slot = slotOfMember(record, member.memberId)
  const entry = record.members[slot]
  if (entry === undefined || entry.storeUuid !== member.identity.storeUuid) {
    throw deletedIn(pool, record)
  }
  if (slot !== member.ownSlot) {
    throw new RmrError("mismatch", `member ${member.memberId} has another slot in that view`)
  }
  if ((record.normal & (1 << slot)) === 0) {
    throw new RmrError("invalid-argument", "a view is proposed to its normal members only")
  }
  const isSamePool =
    record.poolUuid === member.identity.poolUuid &&
    record.chunkSizeBytes === member.identity.chunkSizeBytes
  if (!isSamePool) throw new RmrError("mismatch", "the record is of another pool")
  requireSize(member, record)
}

/** F6: only an opening begins another history, and whoever opened this member has seen its own. */
function requireHistory(
  { member }: ServerPool,
  { mapVersion }: PoolMetadata,
  purpose: CommandOf<"map-add">["body"]["purpose"],
): void {
  const { lineage } = member.state
  if (purpose === "open" || mapVersion.lineage === lineage) return
  const words = `this member is of history ${lineage}, the view of ${mapVersion.lineage}`
  throw new RmrError("split-brain", words)
}

/** G1: a volume grows into room that the store has, and never shrinks. */
function requireSize({ volume, store }: Member, { mappedSizeBytes }: PoolMetadata): void {
  const sizeBytes = volume?.geometry.mappedSizeBytes ?? 0
  if (mappedSizeBytes < sizeBytes) {
    throw new RmrError("mismatch", `the volume has ${sizeBytes} bytes here, not ${mappedSizeBytes}`)
  }
  if (mappedSizeBytes <= store.sizeBytes) return
  const has = `the store has room for ${store.sizeBytes} bytes`
  throw new RmrError("too-small", `${has}, the volume needs ${mappedSizeBytes}`)
}

function answerOf(
  pool: ServerPool,
  markedChunks: number,
  all: ViewStep["takenBack"],
): Answer<"map-add"> {
  const { member } = pool
  const takenBack = all.slice(0, TAKEN_BACK_MAX)
  const isMoreTakenBack = all.length > takenBack.length
  const { seen } = member.state
  return {
    result: { seen, durable: member.view, markedChunks, isMoreTakenBack, takenBack },
    payload: undefined,
  }
}
