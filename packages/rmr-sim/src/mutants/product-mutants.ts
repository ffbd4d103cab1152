/**
 * The product with one rule taken out, as edits of its source: what hunts are worth is which of
 * these they notice.
 *
 * An edit names the file, the text that is there and the text that takes its place. It is applied
 * to a copy (mutant-tree.ts); the product itself knows nothing of being simulated. A test makes
 * sure that every edit still finds its text, so that none rots away unseen.
 */

export interface SourceEdit {
  /** From `packages/`. */
  readonly file: string
  readonly find: string
  readonly replace: string
}

export interface ProductMutant extends SourceEdit {
  /** The rule or promise, then what is done instead. */
  readonly name: string
  /** Where what one rule lets through another one refuses: that one is taken out as well. */
  readonly also?: readonly SourceEdit[]
  /** Where it takes one schedule to show it: the plot or faults that lead there, and no others. */
  readonly plot?: string
}

const CORE = "rmr-core/src"
const CLIENT = "rmr-client/src"
const SERVER = "rmr-server/src"
const STORE = "brmr-store/src"

const OF_ANY_VIEW: SourceEdit = {
  file: `${CORE}/rules/fence.ts`,
  find: '  if (compareViews(request.view, member.joinedView) < 0) return "stale-view"\n',
  replace: "",
}
const OF_ANY_SESSION: SourceEdit = {
  file: `${CORE}/rules/fence.ts`,
  find: '  if (request.sessionGeneration < member.sessionGeneration) return "stale-view"\n',
  replace: "",
}

/** R4: what was hot is listed by the opening view as well, and by that marked for the absent. */
const HOT_IS_NOT_LISTED: SourceEdit = {
  file: `${SERVER}/commands/opening.ts`,
  find: "  for (const extent of hotAtOpen) {\n",
  replace: "  for (const extent of hotAtOpen.slice(0, 0)) {\n",
}
/** R6: what is elected is marked for the absent. */
const ELECTED_IS_NOT_MARKED: SourceEdit = {
  file: `${SERVER}/commands/recovery.ts`,
  find: "    maps.markFor(pool.member.markedFor, first, chunkCount, RANK_REAL)\n",
  replace: "",
}
/** The target of a copy looks at its view once more when it comes to write … */
const COPY_OF_ANY_VIEW: SourceEdit = {
  file: `${SERVER}/sync/copier.ts`,
  find: "if (!isSameView || !data.entries.beginWrite(chunk, isDirty)) {",
  replace: "if (!data.entries.beginWrite(chunk, isDirty)) {",
}
/** … and views, openings and joinings drop all that are under way. */
const COPIES_LIVE_ON: readonly SourceEdit[] = [
  {
    file: `${SERVER}/commands/views.ts`,
    find: "  // S2: what is being copied was read in another view.\n  data.entries.endAll(0)\n",
    replace: "",
  },
  {
    file: `${SERVER}/pool/server-pool.ts`,
    find: "      data.entries.endAll(0)\n",
    replace: "",
  },
]

const VIEWS: readonly ProductMutant[] = [
  {
    name: "V1: a view counts when one of its members has it",
    plot: "loseSessions,killNode,cutLeg",
    file: `${CLIENT}/pool/view-changer.ts`,
    find: "if (failed.length === 0) {",
    replace: "if (failed.length < slotsOf(normal).length) {",
  },
  {
    name: "V2: listed ranges are not marked for the absent",
    file: `${SERVER}/pool/view-step.ts`,
    find: "    if (absent === 0) {\n",
    replace: "    if (absent >= 0) {\n",
  },
  {
    name: "V3: a grow may begin with mutations in flight, and IO goes on meanwhile",
    file: `${CLIENT}/pool/joining.ts`,
    find: "if (await engine.freezeWhenQuiet(QUIET_MS)) return",
    replace: "if (!engine.core.isEnded) return",
  },
  {
    name: "V5: whoever is there may start the pool",
    plot: "returnOfTheStale",
    file: `${CORE}/rules/start.ts`,
    find: "if (missingCount >= minNormal) {",
    replace: "if (missingCount >= 32) {",
  },
  {
    name: "F1: the epoch of an OPEN is kept in memory only",
    plot: "dieWhileOpening,takeOver,killNode",
    file: `${SERVER}/pool/member.ts`,
    find: "    await this.jobs.commit([this.stateCell(next)])\n    this.stateNow = next",
    replace: "    this.stateNow = next",
  },
  {
    name: "F2: a client that starts begins with the first epoch, whatever was before",
    file: `${CORE}/rules/fence.ts`,
    find: "  return seenEpochs.reduce((highest, epoch) => Math.max(highest, epoch), 0) + 1\n",
    replace: "  return seenEpochs.reduce((lowest, epoch) => Math.min(lowest, epoch), 1)\n",
    also: [
      {
        file: `${CORE}/rules/fence.ts`,
        find: '  if (asked.epoch > stored.epoch) return "adopt"\n',
        replace:
          '  if (asked.epoch !== stored.epoch || asked.nonce !== stored.nonce) return "adopt"\n',
      },
    ],
  },
  {
    name: "F1: an OPEN is answered before what was admitted has ended",
    plot: "takeOverUnderFire",
    file: `${SERVER}/commands/opening.ts`,
    find: '    await pool.drain("open")\n',
    replace: "",
  },
  {
    name: "F3, W5: requests of an earlier epoch are carried out, whatever they came on",
    file: `${CORE}/rules/fence.ts`,
    find: '  if (isFenced(member, request)) return "fenced"\n',
    replace: "",
    also: [OF_ANY_VIEW, OF_ANY_SESSION],
  },
  {
    name: "F4: who is told that it is fenced goes on",
    file: `${CLIENT}/pool/client-pool.ts`,
    find: "  private onFenced(): void {\n",
    replace: "  private onFenced(): void {\n    if (this.name.length > 0) return\n",
  },
]

const MUTATIONS: readonly ProductMutant[] = [
  {
    name: "W1: overlapping mutations are in flight together",
    file: `${CLIENT}/io/mutation-flow.ts`,
    find: "if (rows.overlaps(row, other)) count++",
    replace: "if (count < 0) count++",
  },
  {
    name: "W2: a mutation is not marked for who is absent",
    file: `${SERVER}/io/request-core.ts`,
    find: "    if (status === STATUS_OK && table.isMutation(row)) this.markForAbsent(row)\n",
    replace: "",
  },
  {
    name: "W3: acknowledged when one member has done it",
    file: `${CLIENT}/io/mutation-flow.ts`,
    find: "if (rows.done[row] === view.normal && isSubset(rows.sentTo[row]!, view.normal)) {",
    replace: "if (rows.done[row] !== 0) {",
  },
  {
    name: "W5: requests of before the joining are carried out, whatever they came on",
    plot: "leftOnTheSessionBefore",
    ...OF_ANY_VIEW,
    also: [OF_ANY_SESSION],
  },
  {
    name: "W7: an answer that comes late counts for whoever has the io unit now",
    plot: "answeredTooLate",
    file: `${CLIENT}/io/engine-wire.ts`,
    find: "rows.kinds[row] !== KIND_FREE && rows.serials[row] === submissions.serials[submission]",
    replace: "rows.kinds[row] !== KIND_FREE",
  },
  {
    name: "W5: what was refused when it waited counts as recorded",
    plot: "openOverCopies",
    file: `${SERVER}/io/copy-waits.ts`,
    find: "        sequence: table.sequences[row]!,\n",
    replace: "        sequence: table.sequences[row]! + 1,\n",
  },
  {
    name: "W6: nobody suspects what was given up",
    plot: "givenUpHalfWay",
    file: `${SERVER}/pool/view-step.ts`,
    find: "markedChunks += markOwn(volume, range.offset, range.length, RANK_IN_FLIGHT)",
    replace: "markedChunks += 0",
  },
  {
    name: "R-reads: a dirty chunk is read as it is",
    file: `${SERVER}/io/reads.ts`,
    find: "    if (!own.isEmpty) {\n",
    replace: "    if (own.chunkCount < 0) {\n",
  },
]

const FLUSHES: readonly ProductMutant[] = [
  {
    name: "I2: extents cool long before what they hold is stable",
    file: `${SERVER}/pool/hot-extents.ts`,
    find: "this.sequences[slot]! <= sequence\n",
    replace: "this.sequences[slot]! <= sequence + 1000\n",
  },
  {
    name: "I3: mutations are admitted beyond what the intent log has room for",
    plot: "fillTheLog",
    file: `${SERVER}/io/mutations.ts`,
    find: "    if (hot.admits(epoch, sequence, first, count)) return true\n",
    replace: "    if (count > 0) return true\n",
  },
  {
    name: "I4: a joiner becomes normal without a flush",
    plot: "powerAfterReturn",
    file: `${SERVER}/commands/views.ts`,
    find: "  if (!isGrow || !updates.receiver.isFlushed) await member.jobs.flush()\n",
    replace: "",
    also: [
      {
        file: `${SERVER}/commands/rejoining.ts`,
        find: "    await member.jobs.flush()\n    updates.receiver.noteFlushed(update)\n",
        replace: "    updates.receiver.noteFlushed(update)\n",
      },
    ],
  },
  {
    name: "I5: a flush is good when one member has flushed",
    plot: "dieAfterFlush",
    file: `${CLIENT}/io/flush-flow.ts`,
    find: "!isFlushed(rows.done[row]!, this.core.view)",
    replace: "rows.done[row] === 0",
  },
  {
    name: "RT-44: a flush succeeds though nobody in the view has the bytes",
    plot: "awayInTurn",
    file: `${CORE}/rules/recovery.ts`,
    find: 'return absent === 0 ? "callers" : "pool"',
    replace: 'return "callers"',
  },
  {
    name: "I5: no flush fails when who lost its cache is elected",
    plot: "awayInTurn",
    file: `${CLIENT}/pool/election.ts`,
    find: "if (plan.cacheLostChunks > 0)",
    replace: "if (plan.cacheLostChunks < 0)",
  },
  {
    name: "S9: a commit is not flushed where the disk knows no forced writes",
    plot: "cutPowerOfNode,killAll,cutLeg",
    file: `${STORE}/meta-io.ts`,
    find: "return isForced || status !== STATUS_OK ? status : this.io.flush(failures)",
    replace: "return failures < 0 ? this.io.flush(failures) : status",
  },
]

const RECOVERY: readonly ProductMutant[] = [
  {
    name: "R3: an unclean open does not suspect its own hot extents",
    file: `${SERVER}/pool/member-volume.ts`,
    find: "if (after !== CHUNK_CLEAN) maps.markOwn(",
    replace: "if (after < 0) maps.markOwn(",
  },
  {
    name: "R3: an unclean open does not mark its hot extents for the absent",
    plot: "dieWithoutTheAbsent",
    file: `${SERVER}/pool/member-volume.ts`,
    find: "    if (markByteAfterRestart(own) === CHUNK_REAL) {\n",
    replace: "    if (markByteAfterRestart(own) < 0) {\n",
    also: [HOT_IS_NOT_LISTED, ELECTED_IS_NOT_MARKED],
  },
  {
    name: "R4: nobody suspects what the last client left half done",
    file: `${CORE}/rules/recovery.ts`,
    find: "const suspects = wholeAt === normal ? 0 : recordedBy",
    replace: "const suspects = 0",
  },
  {
    name: "R5: a joiner does not suspect what was in flight at it",
    plot: "awayWithTheLastWrite",
    file: `${SERVER}/commands/rejoining.ts`,
    find: "      markOwn(volume, offset, length, RANK_IN_FLIGHT)\n    }\n",
    replace: "    }\n",
  },
  {
    name: "R6: the lowest member is elected, whatever it lost",
    plot: "dieWhileSyncing,dieWithoutTheAbsent",
    file: `${CORE}/rules/recovery.ts`,
    find: "byte !== CHUNK_REAL && rankOfByte(byte) < electedRank",
    replace: "byte !== CHUNK_REAL && elected < 0",
  },
  {
    name: "R6: who really lacks a chunk can be elected",
    file: `${CORE}/rules/recovery.ts`,
    find: "} else if (byte !== CHUNK_REAL && rankOfByte(byte) < electedRank) {",
    replace: "} else if (rankOfByte(byte) < electedRank) {",
  },
]

const MAPS: readonly ProductMutant[] = [
  {
    name: "M2: marks of an earlier absence are still valid",
    plot: "awayInTurn",
    file: `${CORE}/rules/marks.ts`,
    find: "return compareViews(stamp, normalThroughInStar) > 0",
    replace: "return compareViews(stamp, normalThroughInStar) > Number.NEGATIVE_INFINITY",
  },
  {
    name: "M2: marks are void although they are of this absence",
    file: `${CORE}/rules/marks.ts`,
    find: "return compareViews(stamp, normalThroughInStar) > 0",
    replace: "return compareViews(stamp, normalThroughInStar) > 1",
  },
  {
    name: "M3: what a member knows of itself is wiped when a map update begins",
    file: `${SERVER}/rejoin/map-receiver.ts`,
    find: "    const { chunkCount } = volume.geometry\n    const view",
    replace:
      "    const { chunkCount } = volume.geometry\n" +
      "    volume.maps.own.clearRange(0 as never, chunkCount)\n    const view",
  },
  {
    name: "M3: what was marked during the map update is not sent",
    file: `${SERVER}/rejoin/map-receiver.ts`,
    find: "      update.volume.maps.mergeOwn(marks)\n",
    replace: '      if (update.phase === "pages") update.volume.maps.mergeOwn(marks)\n',
  },
  {
    name: "V4b: a store that was set back is taken for what it says",
    plot: "setBack",
    file: `${CORE}/rules/marks.ts`,
    find: "return order < 0 || claim.incarnation < entry.incarnation",
    replace: "return order === Number.NEGATIVE_INFINITY || claim.incarnation < 0",
  },
]

const SYNC: readonly ProductMutant[] = [
  {
    name: "S1: a copy is written without the lock of its chunk",
    file: `${SERVER}/sync/copier.ts`,
    find: "LOCK_SYNC_WRITE, chunk, 1)) resolve()",
    replace: "LOCK_SYNC_WRITE, chunk, 1) || copy >= 0) resolve()",
  },
  {
    name: "S2: a peer is served in whatever view it asks",
    plot: "copiesOfBefore",
    file: `${SERVER}/io/data-path.ts`,
    find: "if (!admission.isOfThisView(io)) return STALE_VIEW",
    replace: "if (io.epoch < 0) return STALE_VIEW",
    // A member asks those of its own view only: what it brings home counts only in that view.
    also: [COPY_OF_ANY_VIEW, ...COPIES_LIVE_ON],
  },
  {
    name: "S2: a peer is served what is dirty here",
    file: `${SERVER}/io/reads.ts`,
    find: "else if (!isClean) this.core.finish(row, NO_CLEAN_COPY)",
    replace: "else if (first < 0) this.core.finish(row, NO_CLEAN_COPY)",
  },
  {
    name: "S2: what was copied in an earlier view is written",
    plot: "copiesOfBefore",
    ...COPY_OF_ANY_VIEW,
    also: COPIES_LIVE_ON,
  },
  {
    name: "S3: a partial mutation of a dirty chunk does not wait for the copy",
    plot: "changeWhileSyncing,dieWhileSyncing",
    file: `${SERVER}/io/mutations.ts`,
    find: "      if (geometry.covers(offset, length, chunk)) continue\n",
    replace: "      if (geometry.covers(offset, length, chunk) || chunk >= 0) continue\n",
  },
  {
    name: "S4: a chunk counts as clean before its bytes are durable",
    plot: "aloneWithoutPower",
    file: `${SERVER}/io/clears.ts`,
    find: "        if (needsFlush) await this.member.jobs.flush()\n",
    replace: "",
  },
  {
    name: "S4: a copy beside foreground IO is not forced, and not flushed",
    plot: "powerBehindCopies",
    file: `${SERVER}/sync/chunk-parts.ts`,
    find: "    const flags = isForced ? BLOCK_FUA : 0\n",
    replace: "    const flags = isForced ? 0 & BLOCK_FUA : 0\n",
  },
  {
    name: "S9: a copy does not bring what its source remembers of it",
    plot: "copyOfTheUnresolved",
    file: `${SERVER}/sync/copier.ts`,
    find: "      for (const entry of brought.lastIo) {\n",
    replace: "      for (const entry of brought.lastIo.slice(0, 0)) {\n",
  },
  {
    name: "S9: a copy of a part of a write counts as all of it",
    plot: "copyOfTheUnresolved",
    file: `${SERVER}/sync/copier.ts`,
    find: "volume.lastIo.adopt(entry, this.isInside(entry, chunk))",
    replace: "volume.lastIo.adopt(entry, entry.unit >= 0)",
  },
  {
    name: "G1: what a store grows by is not zeroed",
    file: `${STORE}/file-store.ts`,
    find: "    await this.metadata.zeroNew(this.file, this.dataStart, this.sizeBytes, sizeBytes)\n",
    replace: "",
  },
]

const HISTORIES: readonly ProductMutant[] = [
  {
    name: "F6: a start by force begins no history of its own",
    plot: "goOnWithout",
    file: `${CLIENT}/pool/forced-opening.ts`,
    find: "lineage: randomUuid(env), epoch, version }",
    replace: "lineage: record.mapVersion.lineage, epoch, version }",
  },
  {
    name: "R7: who went beyond the fork counts as one that stayed behind",
    plot: "goOnWithout",
    file: `${CORE}/rules/lineage.ts`,
    find: "compareViews(returner.seen, ourFork.fork) <= 0\n",
    replace: "compareViews(ourFork.fork, ourFork.fork) <= 0\n",
  },
  {
    name: "R7: who gives its history up keeps what it calls clean",
    plot: "goOnWithout",
    file: `${SERVER}/commands/histories.ts`,
    find: "  volume.maps.fillOwn()\n",
    replace: "",
  },
  {
    name: "R7: a history is given up whatever epoch it had come to",
    plot: "goOnWithout",
    file: `${CLIENT}/pool/resolving.ts`,
    find: "  await raiseEpoch(resolution, leg)\n",
    replace: "",
  },
]

export const PRODUCT_MUTANTS: readonly ProductMutant[] = [
  ...VIEWS,
  ...MUTATIONS,
  ...FLUSHES,
  ...RECOVERY,
  ...MAPS,
  ...SYNC,
  ...HISTORIES,
]
