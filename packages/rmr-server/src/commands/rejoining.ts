/**
 * REJOIN_POOL and the commands of a map update: how a member comes back (rules W5, M3, R5, V4).
 *
 * ```
 *   client ─ REJOIN ─► joiner     drained; told of the view in force, and of its history
 *          ─ MAP_READY ─► joiner  suspects what it may have alone
 *          ─ MAP_SEND ─► source ─ SEND_MAP_BUF …, MAP_BUF_DONE ─► joiner     IO goes on
 *          ─ MAP_DONE ─► joiner, normal members   all of it durable
 *          ─ MAP_SEND ─► source   the last delta, while IO stands still; then the grow
 * ```
 */
import type { CommandOf, MapVersion, MemberEntry, PoolMetadata } from "@rmr/core"
import {
  compareViews,
  decideOpen,
  isRolledBack,
  RANK_IN_FLIGHT,
  RANK_REAL,
  RmrError,
} from "@rmr/core"
import { slotOfMember } from "../pool/member.js"
import { type MemberVolume, markOwn, resizeVolume } from "../pool/member-volume.js"
import type { ServerPool } from "../pool/server-pool.js"
import { absentSlot } from "../rejoin/map-receiver.js"
import {
  type Answer,
  deletedIn,
  type Handler,
  refusal,
  requireHolder,
  requireVolume,
} from "./answer.js"
import { requireNotLarger, requireUnused, rowOfHistory, takeHistory } from "./histories.js"

export const rejoinPool: Handler<"rejoin-pool"> = (pool, command, caller) =>
  pool.serially(async () => {
    const { member, admission } = pool
    const { epoch } = command.mapVersion
    const { nonce } = command.body
    if (nonce !== caller.nonce) {
      throw new RmrError("mismatch", "the request names another process than its session")
    }
    const record = command.payload
    requireThisPool(pool, record)
    // Epochs are of one history: those of another end nobody's pool (F4, R7).
    const row = rowOfHistory(pool, command)
    const stored = { epoch: member.state.epoch, nonce: member.state.nonce }
    const decision = decideOpen(stored, { epoch, nonce })
    if (row !== "same") requireUnused(pool, row, epoch, nonce)
    else if (decision === "fenced") throw refusal(pool, "fenced", epoch)
    requireVolume(pool)
    const entry = requireItsRecord(pool, record)
    requireNotLarger(pool, record, row)
    pool.updates.rejoin(record)
    admission.isDraining = true
    admission.isOpen = false
    if (decision === "adopt") {
      await member.changeState({ epoch, nonce, holderHost: caller.hostName })
      pool.takeUp()
    }
    await pool.drain("rejoin")
    await makeRoom(pool, record)
    if (row !== "same") {
      await takeHistory(pool, record, entry, row)
      pool.takeUp()
    }
    await learn(pool, record, entry)
    admission.isDraining = false
    admission.isOpen = true
    admission.sessionGeneration = command.sessionGeneration
    pool.noteHeard()
    return { result: { report: pool.report() }, payload: undefined }
  })

/**
 * V4: from here on an older view cannot make it normal, and its marks about others count for
 * nothing. V4b: a store that was set back lacks nobody knows what.
 */
async function learn(
  { member }: ServerPool,
  { mapVersion, normal }: PoolMetadata,
  entry: MemberEntry,
): Promise<void> {
  const { volume, state } = member
  if (volume !== undefined && isRolledBack(state, entry)) {
    volume.maps.fillOwn()
    await member.saveMaps()
    // From here on it counts on from what the others know of it.
    const incarnation = Math.max(state.incarnation, entry.incarnation) + 1
    await member.changeState({ incarnation })
  }
  await member.raiseSeen(mapVersion.lineage, mapVersion, normal)
}

function requireThisPool({ member, name }: ServerPool, { poolUuid }: PoolMetadata): void {
  if (poolUuid === member.identity.poolUuid) return
  throw new RmrError("mismatch", `the record is of another pool than ${name} here`)
}

/** The record is of this store, and names the member absent. */
function requireItsRecord(pool: ServerPool, record: PoolMetadata): MemberEntry {
  const { member } = pool
  const { identity } = member
  const slot = slotOfMember(record, member.memberId)
  const entry = record.members[slot]
  if (entry === undefined || entry.storeUuid !== identity.storeUuid) {
    throw deletedIn(pool, record)
  }
  if (slot !== member.ownSlot) {
    throw new RmrError("mismatch", `member ${member.memberId} has another slot in that view`)
  }
  absentSlot(record, member.memberId)
  if (record.chunkSizeBytes !== identity.chunkSizeBytes) {
    throw new RmrError("mismatch", `the volume has chunks of ${identity.chunkSizeBytes} bytes here`)
  }
  return entry
}

/**
 * G2: the volume has grown meanwhile. A store that has no room for that stays out, and says so. A
 * growth that only this member has heard of never came into force, and is taken back.
 */
async function makeRoom({ member }: ServerPool, { mappedSizeBytes }: PoolMetadata): Promise<void> {
  const { store, volume } = member
  if (mappedSizeBytes > store.sizeBytes) {
    try {
      await store.grow(mappedSizeBytes)
    } catch (thrown) {
      const { detail } = RmrError.from(thrown)
      const words = `the volume has grown to ${mappedSizeBytes} bytes, and ${detail}`
      throw new RmrError("too-small", words, { cause: thrown })
    }
  }
  if (volume !== undefined) resizeVolume(volume, mappedSizeBytes)
}

export const mapReady: Handler<"map-ready"> = (pool, command, caller) =>
  pool.serially(async () => {
    requireHolder(pool, command, caller)
    const { volume, data } = requireVolume(pool)
    const { member, updates } = pool
    if (pool.state.state === "normal") {
      throw new RmrError("invalid-argument", "a member that is normal lacks no marks")
    }
    const record = updates.recordOf(command.mapVersion)
    // R5: what was in flight here may be known to nobody else. What is stable was resolved (I2).
    for (const { offset, length, epoch, sequence } of volume.lastIo.entries()) {
      if (epoch === data.stableEpoch && sequence <= data.stableSequence) continue
      markOwn(volume, offset, length, RANK_IN_FLIGHT)
    }
    await member.saveMaps()
    updates.receiver.begin(command.body.update, record, member.memberId, volume)
    return { result: countsOf(volume), payload: undefined }
  })

export const mapSend: Handler<"map-send"> = async (pool, command, caller) => {
  requireHolder(pool, command, caller)
  requireVolume(pool)
  requireView(pool, command.mapVersion)
  const { update, receiver, phase } = command.body
  const result = await pool.senderOf(update, receiver).send(phase)
  return { result, payload: undefined }
}

export const sendMapBuf: Handler<"send-map-buf"> = (pool, command, caller) => {
  requirePeer(pool, command, caller.isPeer)
  const { update } = command.body
  pool.updates.receiver.take(update, command.mapVersion, command.body, command.payload)
  return NOTHING
}

export const mapBufDone: Handler<"map-buf-done"> = (pool, command, caller) => {
  requirePeer(pool, command, caller.isPeer)
  const { body, payload, mapVersion } = command
  pool.updates.receiver.endPhase(body.update, mapVersion, body.phase, body, payload)
  return NOTHING
}

export const mapDone: Handler<"map-done"> = (pool, command, caller) =>
  pool.serially(async (): Promise<Answer<"map-done">> => {
    requireHolder(pool, command, caller)
    const { volume } = requireVolume(pool)
    const { update } = command.body
    const { member, updates, admission } = pool
    if (admission.isNormal) {
      requireView(pool, command.mapVersion)
      await member.saveMaps()
      return { result: countsOf(volume), payload: undefined }
    }
    updates.receiver.requireUnderWay(update, command.mapVersion)
    await member.saveMaps()
    // I4: who becomes normal has on stable storage what it says it has.
    await member.jobs.flush()
    updates.receiver.noteFlushed(update)
    return { result: countsOf(volume), payload: undefined }
  })

export const mapDisable: Handler<"map-disable"> = (pool, command, caller) => {
  requireHolder(pool, command, caller)
  pool.updates.end(command.body.update)
  return NOTHING
}

const NOTHING = { result: {}, payload: undefined }

/** Normal, and in this view. */
function requireView({ member, admission }: ServerPool, asked: MapVersion): void {
  const { view } = member
  if (admission.isNormal && compareViews(view, asked) === 0) return
  throw new RmrError("stale-view", `this member has view ${view.epoch}.${view.version}`)
}

function countsOf({ maps }: MemberVolume): Answer<"map-ready">["result"] {
  const dirtyChunks = maps.own.count
  return { dirtyChunks, suspectChunks: dirtyChunks - maps.own.countOf(RANK_REAL) }
}

function requirePeer(
  pool: ServerPool,
  { senderMemberId }: CommandOf<"send-map-buf"> | CommandOf<"map-buf-done">,
  isPeer: boolean,
): void {
  if (!isPeer) throw new RmrError("invalid-argument", "map pages come from a storage node")
  requireVolume(pool)
  if (senderMemberId !== pool.member.memberId) return
  throw new RmrError("mismatch", `member ${senderMemberId} is this one`)
}
