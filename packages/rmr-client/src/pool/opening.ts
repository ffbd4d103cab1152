/**
 * Opening a pool (rules F1, F2, F5, V5, R4): from a list of members to an effective opening view.
 *
 * First everybody is asked, and nothing is changed: a pool that cannot start is not taken from the
 * client that serves it. Then all that are there are opened in one epoch; what they answer decides
 * V*, who may be normal, and what the last client left in doubt. Who is in doubt suspects itself;
 * then the opening view is made durable on all that it names.
 */
import type {
  LastIoEntry,
  LineageClaim,
  ListedRange,
  MemberEntry,
  MutationRange,
  OpenAnswer,
  OpenKnowledge,
  PoolMetadata,
  RestartClass,
  StartDecision,
  View,
} from "@rmr/core"
import {
  assert,
  compareViews,
  decideReturner,
  has,
  nextEpoch,
  openingNormalThrough,
  RECOVERY_RANGES_MAX,
  RmrError,
  reconcileLastIo,
  suspectedBy,
} from "@rmr/core"
import { newer } from "./assembling.js"
import {
  decideOpening,
  type ForcedReport,
  forcedRecord,
  type OpeningDecision,
  reportForced,
} from "./forced-opening.js"
import { joined, NO_MUTATION } from "./joined-ranges.js"
import type { Leg } from "./leg.js"
import { NO_MAP_VERSION, type PoolContext, RECORD_ROOM } from "./pool-context.js"
import { answerOf, numberOf, type Present } from "./present.js"
import { chosenSide, claimOfWitness, isOfSide } from "./sides.js"
import { membersOf, withReport } from "./view-record.js"

/** What the opened members know, and what follows from it. */
export interface Opening {
  readonly epoch: number
  readonly decision: Extract<StartDecision, { decide: "start" }>
  /** The record to propose; its normal set is all that may be, and may shrink. */
  readonly record: PoolMetadata
  readonly restarts: readonly RestartClass[]
  /** Where it was forced, and was not a start like any other. */
  readonly forced: ForcedReport | undefined
}

/** A member, what its OPEN answered. */
interface Opened extends Present {
  readonly knowledge: OpenKnowledge
  /** What became of its store since this client opened it last. */
  readonly restart: RestartClass
}

/** A client that has the pool already, and opens it anew (R8). */
export interface Holding {
  /** The highest epoch that this client has asked for. */
  readonly epoch: number
  /** The history that it works in: no other one concerns it (R7). */
  readonly claim: LineageClaim
  /** From here on members may refuse what is said in an earlier epoch. */
  readonly onOpening: (epoch: number) => void
  /** What it sent and did not resolve; it is listed first. */
  readonly carried: () => readonly MutationRange[]
}

/** F2, V5: opens all that are there, or says what is waited for and changes nothing. */
export async function openMembers(
  context: PoolContext,
  legs: readonly (Leg | undefined)[],
  holding?: Holding,
): Promise<Opening> {
  const answering = await queryAll(context, legs)
  const present = partOf(context, answering, holding)
  // Whoever has the pool never forces anything: an admin has said so of one opening, and not of it.
  const isForced = context.isForced && holding === undefined
  const asked = decideOpening(context.poolName, present, isForced)
  requireFree(context, present)
  // Epochs of another history, too: its members may come back to this one.
  const highest = answering.map((one) => epochOf(one))
  if (holding !== undefined) {
    requireHolding(context, present, holding)
    highest.push(holding.epoch)
  }
  let epoch = nextEpoch(highest)
  for (let attempt = 0; ; attempt++) {
    holding?.onOpening(epoch)
    const opened = await openAll(context, present, epoch)
    if (Array.isArray(opened)) {
      const decision = decideOpening(context.poolName, opened, isForced)
      requireSameForce(asked, decision)
      return conclude({ context, legs, opened, epoch, decision }, holding?.carried() ?? [])
    }
    // F4: whoever has the pool and is refused has it no more.
    if (attempt === ATTEMPTS_MAX || holding !== undefined) throw opened.error
    // Somebody else opens at the same time: wait a random while, then go above it.
    await pause(context, context.env.random.below(BACKOFF_MS) + 1)
    epoch = Math.max(epoch, opened.epoch) + 1
  }
}

const ATTEMPTS_MAX = 5
const BACKOFF_MS = 200

function pause({ env }: PoolContext, ms: number): Promise<void> {
  return new Promise((resolve) => {
    env.clock.schedule(ms, resolve)
  })
}

function epochOf({ leg, record, openEpoch }: Present): number {
  return Math.max(record.mapVersion.epoch, leg.report?.seen.epoch ?? 0, openEpoch)
}

async function queryAll(
  context: PoolContext,
  legs: readonly (Leg | undefined)[],
): Promise<Present[]> {
  const present: Present[] = []
  await Promise.all(
    legs.map(async (leg) => {
      if (leg?.isUp !== true) return
      try {
        const { commandMs } = context.times
        const reply = await leg.ask("query", NO_MAP_VERSION, {}, undefined, commandMs, RECORD_ROOM)
        leg.report = reply.result.report
        const { isHeld, holderHost } = reply.result
        const heldBy = isHeld ? holderHost : undefined
        const { payload: record, openEpoch } = reply
        if (record !== undefined) present.push({ leg, record, heldBy, openEpoch })
      } catch (thrown) {
        // Of a leg that works the data path says what becomes of it.
        if (leg.state.state === "normal") return
        leg.move("failed", "refused", RmrError.from(thrown).message)
      }
    }),
  )
  return present.sort((a, b) => a.leg.slot - b.leg.slot)
}

/**
 * V5, R7: those that take part in this start: of one history, or of one that it was forked from,
 * and not beyond that. For a client that has the pool, somebody who was forced off its own history
 * is another client that has taken it (F4).
 */
function partOf(
  context: PoolContext,
  answering: readonly Present[],
  holding: Holding | undefined,
): readonly Present[] {
  if (answering.length === 0) return answering
  const side = holding?.claim ?? chosenSide(context, answering)
  const isForcedOff = (one: Present): boolean =>
    decideReturner(side, claimOfWitness(one)).decide === "descendant"
  if (holding !== undefined && answering.some(isForcedOff)) {
    throw new RmrError("fenced", `pool ${context.poolName} was started elsewhere by force`)
  }
  const part = answering.filter((one) => isOfSide(side, claimOfWitness(one)))
  const [first] = part
  if (first === undefined) return part
  const own = part.filter(({ record }) => record.mapVersion.lineage === side.lineage)
  const newest = (own.length > 0 ? own : part).map(({ record }) => record).reduce(newer)
  return part.filter((one) => isStoreOf(one.record, one) && isStoreOf(newest, one))
}

/**
 * V5, G3: only the store that the record names speaks for a member; not the one that was replaced,
 * which has a record of its own.
 */
function isStoreOf({ members }: PoolMetadata, { leg }: Present): boolean {
  const entry = members[leg.slot]
  return entry?.memberId === leg.memberId && entry.storeUuid === leg.report?.storeUuid
}

/** F6: what is forced is what was found when nothing had changed yet, and no other start. */
function requireSameForce(asked: OpeningDecision, decision: OpeningDecision): void {
  if (decision.forced === undefined) return
  if (asked.forced !== undefined && asked.start.normal === decision.start.normal) return
  throw new RmrError("no-leg", "members have gone while the pool was opened; try again")
}

/**
 * F2, F5: asked before anybody is opened, since one member that lets itself be opened fences the
 * client that the others still hold the pool for.
 */
function requireFree(
  { isTakeover, registry, poolName }: PoolContext,
  present: readonly Present[],
): void {
  if (isTakeover) return
  for (const { heldBy } of present) {
    // A client that died on this very host is forgotten after a while: its members decide.
    if (heldBy === undefined || heldBy === registry.hostName) continue
    throw new RmrError("held", `${heldBy} holds pool ${poolName} and is alive; take it over`)
  }
}

/**
 * F4: another client has opened the pool since, whether it is still there or not. What this one
 * acknowledged may have been overwritten, and it must not write again.
 */
function requireHolding(
  { poolName }: PoolContext,
  present: readonly Present[],
  { epoch, claim }: Holding,
): void {
  const other = present.find(
    ({ openEpoch, record }) => openEpoch > epoch && record.mapVersion.lineage === claim.lineage,
  )
  if (other === undefined) return
  const words = `another client has opened epoch ${other.openEpoch} of pool ${poolName}`
  throw new RmrError("fenced", words)
}

async function openAll(
  context: PoolContext,
  present: readonly Present[],
  epoch: number,
): Promise<Opened[] | { readonly error: RmrError; readonly epoch: number }> {
  const { nonce, times, isTakeover, registry } = context
  const opened: Opened[] = []
  let refused: { readonly error: RmrError; readonly epoch: number } | undefined
  let held: RmrError | undefined
  await Promise.all(
    present.map(async ({ leg, record }) => {
      const version = { lineage: record.mapVersion.lineage, epoch, version: 0 }
      const body = { nonce, isTakeover, hostName: registry.hostName }
      leg.io.sessionGeneration++
      try {
        const reply = await leg.ask("open", version, body, undefined, times.commandMs, OPEN_ROOM)
        const { report } = reply.result
        const restart = leg.isOpening(report) ? "none" : report.restart
        leg.noteOpened(report)
        const knowledge = reply.payload
        const known = { leg, record: knowledge.metadata, heldBy: undefined, openEpoch: epoch }
        opened.push({ ...known, knowledge, restart })
      } catch (thrown) {
        const error = RmrError.from(thrown)
        if (error.code === "fenced") refused = { error, epoch }
        else if (error.code === "held") held = error
        else leg.move("failed", "refused", error.message)
      }
    }),
  )
  if (held !== undefined) throw held
  return refused ?? opened.sort((a, b) => a.leg.slot - b.leg.slot)
}

const OPEN_ROOM = 256 * 1024

interface Concluding {
  readonly context: PoolContext
  readonly legs: readonly (Leg | undefined)[]
  readonly opened: readonly Opened[]
  readonly epoch: number
  readonly decision: OpeningDecision
}

/** With the answers of all that were opened: the opening view, its suspicions made durable. */
async function conclude(
  { context, legs, opened, epoch, decision }: Concluding,
  carried: readonly MutationRange[],
): Promise<Opening> {
  const answers = opened.map(({ leg, knowledge }) => answerOf(leg, knowledge.metadata))
  const { start, forced } = decision
  const { star, normal, limit } = start
  const base = recordOfStar(opened, star)
  const absent = membersOf(base) & ~normal
  const tables: (readonly LastIoEntry[] | undefined)[] = []
  for (const { leg, knowledge } of opened) tables[leg.slot] = knowledge.lastIo
  const listed = reconcileLastIo(tables, normal, absent)
  await suspectAll(context, opened, listed, normal, epoch)
  const members = base.members.map((entry, slot) =>
    openingEntry(entry, slot, { star, limit, epoch }, answers, legs[slot]),
  )
  const { lineage } = base.mapVersion
  const plain: PoolMetadata = {
    ...base,
    members,
    normal,
    mapVersion: { lineage, epoch, version: star.version + 1 },
    ranges: openingRanges(opened, base, listed, normal, carried),
  }
  const inside = opened.filter(({ leg }) => has(normal, leg.slot))
  const restarts = inside.map(({ restart }) => restart)
  if (forced === undefined) return { epoch, decision: start, record: plain, restarts, forced }
  const record = forcedRecord({ context, forced, record: plain, base })
  const report = await reportForced(context, record, base, opened, forced.row === "stale")
  return { epoch, decision: start, record, restarts, forced: report }
}

/** The record of V*; where it was only told of, the newest that is here. */
function recordOfStar(opened: readonly Opened[], star: View): PoolMetadata {
  const [first] = opened
  assert(first !== undefined, "a start has somebody present")
  const holder = opened.find(
    ({ knowledge }) => compareViews(knowledge.metadata.mapVersion, star) === 0,
  )
  if (holder !== undefined) return holder.knowledge.metadata
  return opened.map(({ knowledge }) => knowledge.metadata).reduce(newer, first.knowledge.metadata)
}

function openingEntry(
  entry: MemberEntry | undefined,
  slot: number,
  { star, limit, epoch }: { readonly star: View; readonly limit: number; readonly epoch: number },
  answers: readonly OpenAnswer[],
  leg: Leg | undefined,
): MemberEntry | undefined {
  if (entry === undefined) return undefined
  const through = openingNormalThrough(slot, star, limit, answers)
  const version = star.version + 1
  return withReport({ ...entry, normalThrough: numberOf(through) }, leg, { epoch, version })
}

/** R4: who recorded what others did not suspects it, durably. */
async function suspectAll(
  context: PoolContext,
  opened: readonly Opened[],
  listed: readonly ListedRange[],
  normal: number,
  epoch: number,
): Promise<void> {
  await Promise.all(
    opened.map(async ({ leg, record, knowledge }) => {
      if (!has(normal, leg.slot)) return
      const units = new Set(suspectedBy(listed, leg.slot).map(({ unit }) => unit))
      if (units.size === 0) return
      const entries = knowledge.lastIo.filter(({ unit }) => units.has(unit))
      const version = { lineage: record.mapVersion.lineage, epoch, version: 0 }
      const body = { mode: "listed" as const }
      await leg.ask("last-io-to-map", version, body, entries, context.times.commandMs)
    }),
  )
}

/**
 * R4: what an opening view lists, for marks by V2. What a living client waits for comes first, so
 * that members can take it back by its index.
 */
function openingRanges(
  opened: readonly Opened[],
  base: PoolMetadata,
  listed: readonly ListedRange[],
  normal: number,
  carried: readonly MutationRange[],
): readonly MutationRange[] {
  const ofUnits = listed.map(({ unit, offset, length, epoch, sequence }): MutationRange => {
    const name = sequence === 0 ? NO_MUTATION : { unit, epoch, sequence }
    return { kind: "unresolved", offset, length, ...name }
  })
  const hot = opened
    .filter(({ leg }) => has(normal, leg.slot))
    .flatMap(({ knowledge }) => knowledge.hotRanges)
    .map((range): MutationRange => ({ kind: "unresolved", ...range, ...NO_MUTATION }))
  const ofStar = base.ranges.map((range) => ({ ...range, kind: "unresolved" as const }))
  const all = [...carried, ...ofUnits, ...ofStar]
  const room = base.queueDepth + RECOVERY_RANGES_MAX - all.length
  if (room > 0) return [...all, ...joined(hot, room)]
  return [...carried, ...joined([...ofUnits, ...ofStar, ...hot], RECOVERY_RANGES_MAX)]
}
