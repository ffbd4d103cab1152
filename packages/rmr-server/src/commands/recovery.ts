/** Commands of recovery, and what a member tells about itself (rules R4, R5, R6, V4, S9). */
import type { ChunkRange, CommandOf, ElectStep } from "@rmr/core"
import {
  CHUNK_REAL,
  CHUNK_SUSPECT_CACHE_LOST,
  type ChunkNumber,
  compareViews,
  NO_CHUNK,
  RANK_IN_FLIGHT,
  RANK_REAL,
  RmrError,
  statusOf,
} from "@rmr/core"
import { type MemberVolume, markOwn } from "../pool/member-volume.js"
import type { ServerPool } from "../pool/server-pool.js"
import { type Handler, requireHolder, requireVolume } from "./answer.js"
import { mendChunk } from "./mending.js"

export const lastIoToMap: Handler<"last-io-to-map"> = (pool, command, caller) =>
  pool.serially(async () => {
    requireHolder(pool, command, caller)
    const { volume } = requireVolume(pool)
    const { geometry, lastIo } = volume
    const entries = command.body.mode === "own" ? lastIo.entries() : command.payload
    let markedChunks = 0
    for (const { offset, length } of entries) {
      if (offset + length > geometry.mappedSizeBytes) {
        throw new RmrError("invalid-range", "an entry is not inside the volume")
      }
      markedChunks += markOwn(volume, offset, length, RANK_IN_FLIGHT)
    }
    await pool.member.saveMaps()
    return { result: { markedChunks }, payload: undefined }
  })

export const readLastIo: Handler<"read-last-io"> = (pool, command, caller) => {
  const { volume, data } = requireVolume(pool)
  const entries = volume.lastIo.entries()
  if (!caller.isPeer) {
    requireHolder(pool, command, caller)
    return { result: {}, payload: entries }
  }
  const applied = entries.filter(
    ({ unit, epoch, sequence }) => !data.table.isUnderWay(unit, epoch, sequence),
  )
  return { result: {}, payload: applied }
}

const ELECTED_STEPS: ReadonlySet<ElectStep> = new Set(["clear", "accept", "mend"])

export const elect: Handler<"elect"> = (pool, command, caller) =>
  pool.serially(async () => {
    requireHolder(pool, command, caller)
    const { volume } = requireVolume(pool)
    requireView(pool, command)
    const { step, elected, ranges } = command.body
    for (const range of ranges) requireChunks(volume, range)
    if (ELECTED_STEPS.has(step) && elected !== pool.member.memberId) {
      throw new RmrError("mismatch", `member ${pool.member.memberId} was not elected`)
    }
    if (step === "mend") {
      for (const { firstChunk } of ranges) await mendChunk(pool, volume, firstChunk as ChunkNumber)
      return { result: { changedChunks: ranges.length }, payload: undefined }
    }
    let changedChunks = 0
    for (const range of ranges) changedChunks += await stepOf(pool, volume, step, range)
    await pool.member.saveMaps()
    return { result: { changedChunks }, payload: undefined }
  })

async function stepOf(
  pool: ServerPool,
  volume: MemberVolume,
  step: CommandOf<"elect">["body"]["step"],
  { firstChunk, chunkCount }: ChunkRange,
): Promise<number> {
  const { maps } = volume
  const first = firstChunk as ChunkNumber
  const end = firstChunk + chunkCount
  if (step === "mark") {
    maps.markFor(pool.member.markedFor, first, chunkCount, RANK_REAL)
    return chunkCount
  }
  const chosen: ChunkNumber[] = []
  for (let chunk = maps.own.nextDirty(first, end); chunk !== NO_CHUNK; ) {
    if (isChosenBy(step, maps.own.byteOf(chunk))) chosen.push(chunk)
    chunk = chunk + 1 < end ? maps.own.nextDirty(chunk + 1, end) : NO_CHUNK
  }
  if (step !== "yield") {
    // Its bytes count from now on, so they are on stable storage first (S4).
    await pool.member.jobs.flush()
    await pool.member.clearDurably(chosen)
  } else {
    for (const chunk of chosen) maps.markOwn(chunk, 1, RANK_REAL)
  }
  return chosen.length
}

/** What is real is cleared only where an admin has said that it is lost everywhere (F6). */
function isChosenBy(step: ElectStep, byte: number): boolean {
  if (step === "accept") return true
  return step === "clear" ? byte !== CHUNK_REAL : byte === CHUNK_SUSPECT_CACHE_LOST
}

/** How long this takes says how quick the store is: its state is written again, durably. */
export const storeCheck: Handler<"store-check"> = async (pool) => {
  if (pool.lastFailure === undefined) await pool.checkStore()
  const { volume } = pool.member
  return {
    result: {
      report: pool.report(),
      hotExtents: volume?.hot.count ?? 0,
      lastStatus: pool.lastFailure === undefined ? 0 : statusOf(pool.lastFailure.code),
      isFlushWanted: volume?.hot.isFlushWanted ?? false,
    },
    payload: undefined,
  }
}

export const mdSend: Handler<"md-send"> = (pool, command) => {
  const { record } = pool
  const { known } = command.body
  if (record === undefined) throw new RmrError("not-found", `no record of pool ${pool.name} here`)
  const isUnchanged =
    known.lineage === record.mapVersion.lineage && compareViews(known, record.mapVersion) === 0
  return { result: { isUnchanged }, payload: isUnchanged ? undefined : record }
}

export const sendMdBuf: Handler<"send-md-buf"> = (pool, command) =>
  pool.serially(async () => {
    const { mapVersion, normal, poolUuid } = command.payload
    if (poolUuid !== pool.member.identity.poolUuid) {
      throw new RmrError("mismatch", "the record is of another pool")
    }
    await raiseSeen(pool, mapVersion.lineage, mapVersion, normal)
    const { seen, seenNormal } = pool.member.state
    return { result: { seen, seenNormal }, payload: undefined }
  })

export const mapSetVer: Handler<"map-set-ver"> = (pool, command) =>
  pool.serially(async () => {
    const { seen, seenNormal } = command.body
    await raiseSeen(pool, command.mapVersion.lineage, seen, seenNormal)
    const { state } = pool.member
    return { result: { seen: state.seen, seenNormal: state.seenNormal }, payload: undefined }
  })

/** V4: a view that somebody has persisted; one of another history says nothing about this one. */
async function raiseSeen(
  pool: ServerPool,
  lineage: string,
  view: { readonly epoch: number; readonly version: number },
  normal: number,
): Promise<void> {
  const { state } = pool.member
  if (state.seen.epoch !== 0 && state.lineage !== lineage) {
    throw new RmrError("split-brain", `this member is of history ${state.lineage}`)
  }
  await pool.member.raiseSeen(lineage, view, normal)
}

export const mapGetVer: Handler<"map-get-ver"> = (pool) => {
  const { seen, normalThrough, incarnation, seenNormal } = pool.member.state
  const { joinedView } = pool.admission
  return {
    result: { seen, normalThrough, joinedView, incarnation, seenNormal },
    payload: undefined,
  }
}

export const mapCheck: Handler<"map-check"> = (pool) => {
  const own = pool.member.volume?.maps.own
  const real = own?.countOf(RANK_REAL) ?? 0
  const dirtyChunks = own?.count ?? 0
  return {
    result: {
      dirtyChunks,
      suspectChunks: dirtyChunks - real,
      lostChunks: 0,
      isNormal: pool.state.state === "normal",
    },
    payload: undefined,
  }
}

/** The view on its disk; or, while it returns, the one that it is about to join (R5). */
function requireView(pool: ServerPool, { mapVersion }: CommandOf<"elect">): void {
  if (compareViews(mapVersion, pool.member.view) === 0) return
  if (pool.updates.receiver.isOf(mapVersion)) return
  const { epoch, version } = pool.member.view
  throw new RmrError("stale-view", `this member has view ${epoch}.${version}`)
}

function requireChunks({ geometry }: MemberVolume, { firstChunk, chunkCount }: ChunkRange): void {
  if (firstChunk + chunkCount <= geometry.chunkCount) return
  throw new RmrError("invalid-range", `the volume has ${geometry.chunkCount} chunks`)
}
