/**
 * Opening a store for a pool: what its last life left, and what follows from that (rules R2, R3).
 *
 * A store that is new gets an identity and nothing else: it knows the pool's name and waits for a
 * client that creates the pool. One that has a record is read as a whole; what is damaged becomes
 * the worst it could have said (Q24). After an unclean end every chunk that was hot is suspected,
 * durably, before the restart counts as dealt with and before anybody is answered.
 */
import type {
  Env,
  MemberId,
  MemberState,
  PoolMetadata,
  RestartClass,
  SavedLastIo,
  SavedPoolMetadata,
  Store,
  StoreIdentity,
} from "@rmr/core"
import {
  type CellCodec,
  IDENTITY_CELL,
  LAST_IO_CELL,
  LastIo,
  newMemberState,
  POOL_METADATA_CELL,
  RANK_REAL,
  Refused,
  RmrError,
  randomUuid,
  STATE_CELL,
  ZERO_UUID,
} from "@rmr/core"
import { HotExtents } from "./hot-extents.js"
import { absentOf, Member, slotOfMember } from "./member.js"
import { geometryOf, type MemberVolume, markListed, suspectExtent } from "./member-volume.js"
import { PoolMaps } from "./pool-maps.js"
import type { StoreJobs } from "./store-jobs.js"

/** What an admin says a store is for. */
export interface MemberConfig {
  readonly poolName: string
  readonly memberId: MemberId
  readonly chunkSizeBytes: number
  readonly queueDepth: number
}

/**
 * Fails with `mismatch` where the store is another pool's or member's, or was made for another
 * geometry, `corrupt` where what says whose it is cannot be read or contradicts itself, `too-small`
 * where the volume does not fit, `invalid-argument` where its intent log is too small for the pool.
 * Nothing has changed then.
 */
export async function openMember(env: Env, jobs: StoreJobs, config: MemberConfig): Promise<Member> {
  const { store } = jobs
  const identity = await readCell(store, IDENTITY_CELL)
  if (identity === undefined) return newMember(env, jobs, config)
  requireOwner(identity, config)
  const state = await readCell(store, STATE_CELL)
  if (state === undefined) throw new RmrError("corrupt", "the store has no state cell")
  const saved = await readCell(store, POOL_METADATA_CELL)
  if (saved !== undefined) requireRecordFits(store, identity, saved.metadata)
  const loaded = saved === undefined ? undefined : await loadVolume(jobs, identity, state, saved)
  const next: MemberState = {
    ...state,
    incarnation: state.incarnation + 1,
    lifecycle: state.lifecycle === "closed" ? "open" : state.lifecycle,
  }
  const member = new Member({ jobs, identity, state: next, saved, volume: loaded })
  await jobs.commit([member.stateCell(next), { kind: "last-io", index: 0, bytes: undefined }])
  if (loaded !== undefined) await member.saveMaps()
  await jobs.settleRestart()
  return member
}

/** Chunks of one pool that are copied at a time … */
export const COPIES_MAX = 64
/** … and extents of copies that are kept to spare; a copy that finds none waits. */
const COPIES_HOT = 16

/** What decides how many hot extents are kept to spare. */
export type HotNeeds = Pick<MemberConfig, "queueDepth" | "chunkSizeBytes">

/** How many hot extents the store may have before it asks for a flush, and its spare slots (I3). */
export function hotExtentsOf(store: Store, config: HotNeeds): HotExtents {
  const { hotExtentsMax, hotExtentsSoft, extentBytes } = store.geometry
  const { queueDepth, chunkSizeBytes } = config
  const perIo = Math.ceil(store.ioBytesMax / extentBytes) + 1
  const forMutations = queueDepth * perIo
  const forCopies = COPIES_HOT * Math.max(1, chunkSizeBytes / extentBytes)
  const spare = forMutations + forCopies
  const fenceLimit = hotExtentsMax - spare
  if (fenceLimit < 1) {
    const needs = `${queueDepth} io units and ${COPIES_HOT} copies need ${spare} to spare`
    const has = `the store's intent log has ${hotExtentsMax} extents of ${extentBytes} bytes`
    throw new RmrError("invalid-argument", `${has}; ${needs}: create it with more`)
  }
  const softLimit = Math.min(hotExtentsSoft, fenceLimit)
  const copyLimit = fenceLimit + forCopies
  return new HotExtents({ extentsMax: hotExtentsMax, softLimit, fenceLimit, copyLimit })
}

/** What a member tracks from its first record on. */
export function newVolume(
  store: Store,
  identity: StoreIdentity,
  record: PoolMetadata,
): MemberVolume {
  const geometry = geometryOf(record, store)
  const ownSlot = slotOfMember(record, identity.memberId)
  return {
    geometry,
    ownSlot,
    maps: new PoolMaps(ownSlot, identity.memberId, geometry.chunkCount),
    lastIo: new LastIo(record.queueDepth),
    hot: hotExtentsOf(store, record),
  }
}

async function newMember(env: Env, jobs: StoreJobs, config: MemberConfig): Promise<Member> {
  const { poolName, memberId, chunkSizeBytes, queueDepth } = config
  hotExtentsOf(jobs.store, config)
  const identity: StoreIdentity = {
    poolName,
    memberId,
    chunkSizeBytes,
    queueDepth,
    poolUuid: ZERO_UUID,
    storeUuid: randomUuid(env),
    mappedSizeBytes: 0,
  }
  const state = { ...newMemberState("open"), incarnation: 1 }
  const member = new Member({ jobs, identity, state, saved: undefined, volume: undefined })
  await jobs.commit([
    { kind: "identity", index: 0, bytes: IDENTITY_CELL.encode(identity) },
    member.stateCell(state),
  ])
  await jobs.settleRestart()
  return member
}

/**
 * The pool's geometry is fixed when the pool is created and known to every member. A configuration
 * that says another one is about another pool, or is a mistake that its admin should hear of.
 */
function requireOwner(identity: StoreIdentity, config: MemberConfig): void {
  if (identity.poolName !== config.poolName || identity.memberId !== config.memberId) {
    const owner = `member ${identity.memberId} of pool ${identity.poolName}`
    const asked = `member ${config.memberId} of pool ${config.poolName}`
    throw new RmrError("mismatch", `the store is that of ${owner}, not of ${asked}`)
  }
  const numbers: readonly [string, number, number][] = [
    ["a chunk size", identity.chunkSizeBytes, config.chunkSizeBytes],
    ["a queue depth", identity.queueDepth, config.queueDepth],
  ]
  for (const [what, ours, asked] of numbers) {
    if (ours === asked) continue
    const has = `the store was made for ${what} of ${ours}, the configuration says ${asked}`
    throw new RmrError("mismatch", `${has}: configure ${ours}, or give it an empty store`)
  }
}

/** What the record says of the store is what the store says of itself, and fits it (G3, G5). */
function requireRecordFits(store: Store, identity: StoreIdentity, record: PoolMetadata): void {
  const entry = record.members[slotOfMember(record, identity.memberId)]
  if (entry === undefined) {
    throw new RmrError("corrupt", "the record on the store does not name its own member")
  }
  const isSame =
    entry.storeUuid === identity.storeUuid &&
    record.poolUuid === identity.poolUuid &&
    record.chunkSizeBytes === identity.chunkSizeBytes &&
    record.queueDepth === identity.queueDepth
  if (!isSame) throw new RmrError("corrupt", "the record on the store is about another store")
  if (record.mappedSizeBytes <= store.sizeBytes) return
  const has = `the store has room for ${store.sizeBytes} bytes`
  const needs = `the volume has ${record.mappedSizeBytes}`
  throw new RmrError("too-small", `${has}, ${needs}: enlarge it, or give the member another store`)
}

async function loadVolume(
  jobs: StoreJobs,
  identity: StoreIdentity,
  state: MemberState,
  { metadata, markings }: SavedPoolMetadata,
): Promise<MemberVolume> {
  const { store } = jobs
  const geometry = geometryOf(metadata, store)
  const ownSlot = slotOfMember(metadata, identity.memberId)
  const { memberId } = identity
  const { maps, damaged } = await PoolMaps.load(store, ownSlot, memberId, geometry.chunkCount)
  const lastIo = new LastIo(metadata.queueDepth)
  const hot = hotExtentsOf(store, metadata)
  const volume: MemberVolume = { geometry, ownSlot, maps, lastIo, hot }
  const absent = absentOf(metadata)
  for (const slot of damaged) {
    const member = metadata.members[slot]
    if (member === undefined || (absent & (1 << slot)) === 0) continue
    maps.rebirth(slot, member.memberId, metadata.mapVersion, geometry.chunkCount)
    maps.about(slot)?.fill(RANK_REAL)
  }
  for (const [nth, range] of metadata.ranges.entries()) {
    const marking = markings[nth]
    if (marking === "real" || marking === "suspected") {
      markListed(volume, range, absent, marking === "real")
    }
  }
  suspectAfterRestart(store, volume, metadata)
  if (store.restart === "none") await loadLastIo(store, volume, state, metadata)
  return volume
}

/** R3: every chunk that was hot at an unclean end is suspected, and marked for the absent. */
function suspectAfterRestart(store: Store, volume: MemberVolume, record: PoolMetadata): void {
  const { hotAtOpen, restart } = store
  if (hotAtOpen === "unreadable") {
    // That is no clean end, whatever else is known of it (Q24).
    suspectEverything(volume, record, restart === "none" ? "process" : restart)
    return
  }
  for (const extent of hotAtOpen) {
    volume.hot.noteDurable(extent)
    if (restart !== "none") suspectExtent(volume, extent, absentOf(record), restart)
  }
}

/**
 * Q6: trusted only if the life that wrote it is the one that ended cleanly before this. Where it is
 * damaged nobody knows what was in flight, so everything is suspected, as with the intent log.
 */
async function loadLastIo(
  store: Store,
  volume: MemberVolume,
  state: MemberState,
  record: PoolMetadata,
): Promise<void> {
  let saved: SavedLastIo | undefined
  try {
    saved = await readCell(store, LAST_IO_CELL)
  } catch (thrown) {
    if (RmrError.from(thrown).code !== "corrupt") throw thrown
    suspectEverything(volume, record, "process")
    return
  }
  if (saved === undefined || saved.incarnation !== state.incarnation) return
  const refused = volume.lastIo.load(saved.entries, volume.geometry)
  if (refused !== undefined) suspectEverything(volume, record, "process")
}

function suspectEverything(
  volume: MemberVolume,
  record: PoolMetadata,
  restart: RestartClass,
): void {
  for (let extent = 0; extent < volume.geometry.extentCount; extent++) {
    suspectExtent(volume, extent, absentOf(record), restart)
  }
}

/** The cell's value; undefined where there is none. Damage is not hidden. */
async function readCell<Value>(store: Store, codec: CellCodec<Value>): Promise<Value | undefined> {
  const bytes = await store.readCell(codec.kind, 0)
  if (bytes === undefined) return undefined
  const value = codec.decode(bytes)
  if (!(value instanceof Refused)) return value
  throw new RmrError("corrupt", `cell ${value.toError().detail}`)
}
