/** JOIN_POOL, ENABLE_POOL and LEAVE_POOL: how a member takes part in a pool (rules W5, V5, G1). */
import type { CommandOf, MemberState, PoolMetadata, StoreIdentity } from "@rmr/core"
import { compareViews, RmrError, VOLUME_BLOCK_BYTES } from "@rmr/core"
import { slotOfMember } from "../pool/member.js"
import { newVolume } from "../pool/open-member.js"
import type { ServerPool } from "../pool/server-pool.js"
import { type Caller, type Handler, requireHolder, requireSound, requireVolume } from "./answer.js"

export const joinPool: Handler<"join-pool"> = (pool, command) =>
  pool.serially(async () => {
    requireParameters(pool, command)
    if (command.body.mode === "assemble") {
      return { result: { report: pool.report() }, payload: pool.record }
    }
    await create(pool, command)
    // The record came with the request, and an exchange's payload goes one way.
    return { result: { report: pool.report() }, payload: undefined }
  })

export const enablePool: Handler<"enable-pool"> = (pool, command, caller) =>
  pool.serially(async () => {
    requireHolder(pool, command, caller)
    requireVolume(pool)
    const { mode, joinedView } = command.body
    if (mode === "maintenance") {
      await pool.drain("maintenance")
      pool.admission.isDraining = false
      return { result: { report: pool.report() }, payload: undefined }
    }
    requireSameView(pool, command)
    if (mode === "resume") {
      await pool.drain("rejoin")
      pool.admission.isDraining = false
    }
    pool.admission.joinedView = joinedView
    pool.admission.sessionGeneration = command.sessionGeneration
    const event = { start: "started", resume: "resumed", rejoin: "rejoined" } as const
    pool.updates.receiver.end("view-grown")
    pool.move("normal", event[mode])
    return { result: { report: pool.report() }, payload: undefined }
  })

export const leavePool: Handler<"leave-pool"> = (pool, command, caller) =>
  pool.serially(async () => {
    const { mode, memberId } = command.body
    if (memberId !== pool.member.memberId) {
      throw new RmrError("mismatch", `this is member ${pool.member.memberId}, not ${memberId}`)
    }
    if (mode === "delete") {
      requireDeleted(pool, command, caller)
      pool.deletedIn = command.mapVersion
    }
    // A session that ends is no reason to stop: only the holder of the pool may send everybody
    // home.
    if (caller.isPeer || caller.nonce !== pool.admission.nonce) return NOTHING
    await pool.drain("leaving")
    pool.admission.isDraining = false
    pool.admission.isOpen = false
    pool.heardMs = undefined
    return NOTHING
  })

/** G1: room comes before a view that needs it. Of an empty store nobody is the holder yet (G3). */
export const growStore: Handler<"grow-store"> = (pool, command, caller) =>
  pool.serially(async () => {
    if (pool.record !== undefined) requireHolder(pool, command, caller)
    requireSound(pool)
    const { store } = pool.member
    const { sizeBytes } = command.body
    if (sizeBytes === 0 || sizeBytes % VOLUME_BLOCK_BYTES !== 0) {
      throw new RmrError("invalid-argument", `no volume has ${sizeBytes} bytes`)
    }
    if (sizeBytes > store.sizeBytes) await store.grow(sizeBytes)
    return { result: { sizeBytes: store.sizeBytes }, payload: undefined }
  })

/** G4: it is the holder who says so, and in a view that this member is not in. */
function requireDeleted(
  pool: ServerPool,
  { mapVersion }: CommandOf<"leave-pool">,
  caller: Caller,
): void {
  const isHolder = !caller.isPeer && caller.nonce === pool.admission.nonce
  if (isHolder && compareViews(mapVersion, pool.member.view) > 0) return
  throw new RmrError("invalid-argument", "a member is deleted by a view change first")
}

const NOTHING = { result: {}, payload: undefined }

/** Whoever speaks to this member knows the pool by the same numbers, or learns why not. */
function requireParameters(pool: ServerPool, { body }: CommandOf<"join-pool">): void {
  const { identity } = pool.member
  const known = pool.record ?? identity
  const asked: readonly [string, number | string, number | string][] = [
    ["member", body.memberId, identity.memberId],
    ["chunk size", body.chunkSizeBytes, known.chunkSizeBytes],
    ["queue depth", body.queueDepth, known.queueDepth],
    ["pool uuid", body.poolUuid, identity.poolUuid],
    ["store uuid", body.storeUuid, identity.storeUuid],
  ]
  if (body.poolName !== pool.name) {
    throw new RmrError("name-clash", `${body.poolName} and ${pool.name} have one group id`)
  }
  for (const [what, theirs, ours] of asked) {
    const isSaid = typeof theirs === "number" ? theirs !== 0 : !/^0*$/.test(theirs)
    const isKnown = typeof ours === "number" ? ours !== 0 : !/^0*$/.test(ours)
    if (isSaid && isKnown && theirs !== ours) {
      throw new RmrError("mismatch", `${what} is ${ours} here, not ${theirs}`)
    }
  }
}

/** A new member: it keeps the record that names it, and waits for the view that makes it normal. */
async function create(pool: ServerPool, command: CommandOf<"join-pool">): Promise<void> {
  const record = command.payload
  const { member } = pool
  if (record === undefined) throw new RmrError("bad-message", "create comes with a record")
  if (pool.record !== undefined) {
    // The client did not hear the answer and says it again.
    if (isSameRecord(pool.record, record)) return
    throw new RmrError("exists", `this member has a record of pool ${pool.name} already`)
  }
  if (pool.state.state !== "registered") {
    throw new RmrError("busy", `the member is ${pool.state.state}`)
  }
  requireRoom(pool, record)
  const identity: StoreIdentity = {
    ...member.identity,
    poolUuid: record.poolUuid,
    mappedSizeBytes: record.mappedSizeBytes,
    queueDepth: record.queueDepth,
  }
  const volume = newVolume(member.store, identity, record)
  if (command.body.startsDirty) volume.maps.fillOwn()
  const isNormal = (record.normal & (1 << volume.ownSlot)) !== 0
  const { mapVersion, normal } = record
  const state: MemberState = {
    ...member.state,
    lineage: mapVersion.lineage,
    seen: mapVersion,
    seenNormal: normal,
    normalThrough: isNormal ? mapVersion : member.state.normalThrough,
  }
  const markings = record.ranges.map(() => "none" as const)
  await member.create(identity, state, { metadata: record, markings }, volume)
  pool.takeUp()
  pool.move("created", "join-create")
}

function isSameRecord(ours: PoolMetadata, theirs: PoolMetadata): boolean {
  return (
    ours.poolUuid === theirs.poolUuid &&
    ours.mapVersion.lineage === theirs.mapVersion.lineage &&
    compareViews(ours.mapVersion, theirs.mapVersion) === 0
  )
}

function requireRoom(pool: ServerPool, record: PoolMetadata): void {
  const { member } = pool
  const slot = slotOfMember(record, member.memberId)
  const entry = record.members[slot]
  if (entry === undefined || entry.storeUuid !== member.identity.storeUuid) {
    throw new RmrError(
      "mismatch",
      `the record does not name the store of member ${member.memberId}`,
    )
  }
  if (record.chunkSizeBytes !== member.identity.chunkSizeBytes) {
    const { chunkSizeBytes } = member.identity
    throw new RmrError("mismatch", `the store was made for chunks of ${chunkSizeBytes} bytes`)
  }
  if (record.mappedSizeBytes === 0) {
    throw new RmrError("invalid-argument", "a pool is created with the size of its volume")
  }
  if (record.mappedSizeBytes > member.store.sizeBytes) {
    const has = `the store has room for ${member.store.sizeBytes} bytes`
    throw new RmrError("too-small", `${has}, the volume needs ${record.mappedSizeBytes}`)
  }
}

function requireSameView(pool: ServerPool, command: CommandOf<"enable-pool">): void {
  const { mapVersion } = command
  const { view } = pool.member
  if (compareViews(mapVersion, view) === 0) return
  const has = `this member has view ${view.epoch}.${view.version}`
  throw new RmrError("stale-view", `${has}, not ${mapVersion.epoch}.${mapVersion.version}`)
}
