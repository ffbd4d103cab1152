/** QUERY, OPEN and HOLD: who has the pool, and who takes it (rules F1, F2, F5). */
import type { HotRange, MemberState, ViewNumber } from "@rmr/core"
import {
  compareViews,
  decideHeld,
  decideOpen,
  type HolderSighting,
  NEVER_HEARD,
  RmrError,
} from "@rmr/core"
import type { ServerPool } from "../pool/server-pool.js"
import { type Handler, refusal, requireHolder, requireSound } from "./answer.js"

export const query: Handler<"query"> = (pool) => {
  const silentMs = pool.holderSilentMs
  const { holderHost } = pool.member.state
  return {
    result: {
      report: pool.report(),
      holderSilentMs:
        silentMs === undefined ? NEVER_HEARD : Math.min(silentMs | 0, NEVER_HEARD - 1),
      isHeld: isHeld(pool, ""),
      holderHost,
    },
    payload: pool.record,
  }
}

export const open: Handler<"open"> = (pool, command, caller) =>
  pool.serially(async () => {
    const { epoch } = command.mapVersion
    const { isTakeover, hostName } = command.body
    const { member, admission } = pool
    const stored = { epoch: member.state.epoch, nonce: member.state.nonce }
    const decision = decideOpen(stored, { epoch, nonce: caller.nonce })
    if (decision === "fenced") throw refusal(pool, "fenced", epoch)
    // Whoever asks has been here with an earlier try: that is no other holder (F5).
    const isOwn = stored.nonce === command.body.nonce
    if (decision === "adopt" && !isOwn && !isTakeover && isHeld(pool, hostName)) {
      const host = member.state.holderHost
      throw new RmrError("held", `${host} holds pool ${pool.name} and is alive; take it over`)
    }
    requireSound(pool)
    const record = pool.record
    if (record === undefined) {
      throw new RmrError("not-found", `this member has no record of pool ${pool.name}; create it`)
    }
    pool.updates.receiver.end("map-disable")
    const wasOpen = admission.isOpen
    admission.isDraining = true
    admission.isOpen = false
    if (decision === "adopt") {
      const { nonce } = command.body
      await adopt(pool, { epoch, nonce, holderHost: hostName }, wasOpen)
    }
    await pool.drain("open")
    admission.isDraining = false
    admission.isOpen = true
    admission.sessionGeneration = command.sessionGeneration
    pool.noteHeard()
    return {
      result: { report: pool.report() },
      payload: {
        metadata: record,
        lastIo: member.volume?.lastIo.entries() ?? [],
        hotRanges: hotRangesOf(pool),
      },
    }
  })

/** F1: the epoch is durable first. Where the store cannot keep it, whoever has the pool has it. */
async function adopt(
  pool: ServerPool,
  holder: Pick<MemberState, "epoch" | "nonce" | "holderHost">,
  wasOpen: boolean,
): Promise<void> {
  const { member, admission } = pool
  try {
    await member.changeState(holder)
  } catch (thrown) {
    admission.isDraining = false
    admission.isOpen = wasOpen
    throw thrown
  }
  pool.takeUp()
}

export const hold: Handler<"hold"> = (pool, command, caller) => {
  requireHolder(pool, command, caller)
  const { volume } = pool.member
  if (isOfItsView(pool, command.mapVersion)) {
    pool.dataPath?.noteStableNumber(command.body.stableEpoch, command.body.stableSequence)
    pool.cool()
  }
  return {
    result: {
      hotExtents: volume?.hot.count ?? 0,
      isFlushWanted: volume?.hot.isFlushWanted ?? false,
    },
    payload: undefined,
  }
}

/**
 * I2, I4: the stable number speaks of the normal members of a view. Who is not one, or has not
 * heard of that view, was perhaps not asked to flush.
 */
function isOfItsView({ admission, member }: ServerPool, view: ViewNumber): boolean {
  return admission.isNormal && compareViews(view, member.view) <= 0
}

/** F5: the clock only spares accidents; safety is the epoch. */
function isHeld(pool: ServerPool, askingHost: string): boolean {
  const silentMs = pool.holderSilentMs
  const host = pool.member.state.holderHost
  const holder: HolderSighting | undefined =
    silentMs === undefined || host === "" ? undefined : { host, silentMs }
  return decideHeld(holder, askingHost, false, pool.world.holderMs) === "held"
}

/** More neighbours than this are told as one range, so that the answer stays small. */
const RANGES_MAX = 4096

/** R3: what was hot at an unclean opening, neighbours joined. */
function hotRangesOf(pool: ServerPool): readonly HotRange[] {
  const { member } = pool
  const { volume, restart, hotAtOpen } = member
  if (volume === undefined) return []
  const { geometry } = volume
  if (hotAtOpen === "unreadable") return [{ offset: 0, length: geometry.mappedSizeBytes }]
  if (restart === "none") return []
  const ranges: { offset: number; length: number }[] = []
  for (const extent of hotAtOpen) {
    const offset = geometry.extentOffset(extent)
    const length = geometry.extentSizeOf(extent)
    const before = ranges.at(-1)
    if (before !== undefined && before.offset + before.length === offset) before.length += length
    else ranges.push({ offset, length })
  }
  if (ranges.length <= RANGES_MAX) return ranges
  const first = ranges[0]!
  const last = ranges.at(-1)!
  return [{ offset: first.offset, length: last.offset + last.length - first.offset }]
}
