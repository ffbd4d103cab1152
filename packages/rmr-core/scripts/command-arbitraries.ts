/** Arbitrary valid commands and answers, for every kind; see wire-arbitraries.ts. */
import fc from "fast-check"
import { ERROR_CODES, type ErrorCode } from "../src/errors.js"
import { groupIdOfName } from "../src/group-id.js"
import { IO_BYTES_MAX, VOLUME_BYTES_MAX } from "../src/limits.js"
import { NO_VIEW, type PoolMetadata, ZERO_UUID } from "../src/rules/pool-metadata.js"
import { type Command, type CommandKind, type CommandTypes, specOf } from "../src/wire/command.js"
import type { RequestEnvelope } from "../src/wire/command-spec.js"
import type { Offer } from "../src/wire/negotiation.js"
import type { Reply } from "../src/wire/reply.js"
import {
  ascii,
  chunkRanges,
  lastIoEntries,
  mapPages,
  mapStates,
  mapVersion,
  member,
  nonZero,
  noVersion,
  openKnowledge,
  optionalUuid,
  optionalView,
  poolMetadata,
  poolName,
  rangeIn,
  report,
  u8,
  u32,
  u53,
  uuid,
  view,
  viewUpTo,
  volumeBytes,
} from "./wire-arbitraries.js"

/** A request of a kind: body, payload, and what of the envelope follows from them. */
type Request<K extends CommandKind> = Pick<CommandTypes[K], "body" | "payload"> & {
  readonly envelope?: Partial<RequestEnvelope>
}
type Answer<K extends CommandKind> = {
  readonly result: CommandTypes[K]["result"]
  readonly payload: CommandTypes[K]["resultPayload"]
}

const nothing = fc.constant({})
const update = u32
const phase = fc.constantFrom("pages" as const, "delta" as const, "last-delta" as const)

const offer: fc.Arbitrary<Offer> = fc
  .record({
    versions: fc.tuple(fc.integer({ min: 1, max: 255 }), fc.integer({ min: 1, max: 255 })),
    features: u32,
    mask: u32,
    software: fc.string({ unit: "grapheme", maxLength: 12 }),
  })
  .map(({ versions, features, mask, software }) => ({
    versionMin: Math.min(...versions),
    versionMax: Math.max(...versions),
    features,
    requiredFeatures: (features & mask) >>> 0,
    software: Buffer.byteLength(software) <= 64 ? software : "",
  }))

/** A record, and an envelope that names it. */
function withRecord<Body, Value>(
  make: (metadata: PoolMetadata) => fc.Arbitrary<{ body: Body; payload: Value }>,
): fc.Arbitrary<{ body: Body; payload: Value; envelope: Partial<RequestEnvelope> }> {
  return poolMetadata.chain((metadata) =>
    make(metadata).map((request) => ({
      ...request,
      envelope: { groupId: metadata.groupId, mapVersion: metadata.mapVersion },
    })),
  )
}

const joinPool: fc.Arbitrary<Request<"join-pool">> = fc.oneof(
  withRecord((metadata) => {
    const entry = metadata.members.find((candidate) => candidate !== undefined)!
    const { minNormal, chunkSizeBytes, queueDepth, mappedSizeBytes, poolUuid } = metadata
    return fc.record({ startsDirty: fc.boolean(), nonce: uuid }).map((choice) => ({
      payload: metadata,
      body: {
        mode: "create" as const,
        memberId: entry.memberId,
        storeUuid: entry.storeUuid,
        poolName: metadata.poolName,
        minNormal,
        chunkSizeBytes,
        queueDepth,
        mappedSizeBytes,
        poolUuid,
        ...choice,
      },
    }))
  }),
  fc
    .record({
      memberId: member,
      minNormal: fc.integer({ min: 0, max: 8 }),
      chunkSizeBytes: fc.constantFrom(0, 4096, 131072, 16 * 1024 * 1024),
      queueDepth: fc.integer({ min: 0, max: 4096 }),
      mappedSizeBytes: fc.integer({ min: 0, max: VOLUME_BYTES_MAX }),
      poolUuid: optionalUuid,
      storeUuid: optionalUuid,
      nonce: uuid,
      poolName,
    })
    .map((parameters) => ({
      body: { mode: "assemble" as const, startsDirty: false, ...parameters },
      payload: undefined,
      envelope: { groupId: groupIdOfName(parameters.poolName) },
    })),
)

const mapAdd: fc.Arbitrary<Request<"map-add">> = fc.oneof(
  withRecord((metadata) =>
    fc
      .record({
        base: fc.oneof(viewUpTo(metadata.mapVersion), fc.constant(NO_VIEW)),
        purpose: fc.constantFrom("open", "shrink", "grow", "change"),
      })
      .map(({ base, purpose }) => {
        const { epoch, version } = metadata.mapVersion
        const isSame = base.epoch === epoch && base.version === version
        return {
          body: { base: isSame ? NO_VIEW : base, purpose, missed: [] },
          payload: metadata,
        }
      }),
  ),
  fc
    .uniqueArray(
      fc.record({
        sequence: u53.map((value) => Math.max(1, value)),
        range: rangeIn(VOLUME_BYTES_MAX, IO_BYTES_MAX),
      }),
      { minLength: 1, maxLength: 16, selector: ({ sequence }) => sequence },
    )
    .map((seeds) => ({
      body: {
        base: NO_VIEW,
        purpose: "missed" as const,
        missed: seeds
          .map(({ sequence, range }) => ({ sequence, ...range }))
          .sort((a, b) => a.sequence - b.sequence),
      },
      payload: undefined,
    })),
)

const mapClear: fc.Arbitrary<Request<"map-clear">> = mapVersion.chain((version) =>
  fc.record({ joinedView: viewUpTo(version), ranges: chunkRanges }).map((body) => ({
    body,
    payload: undefined,
    envelope: { mapVersion: version },
  })),
)

const enablePool: fc.Arbitrary<Request<"enable-pool">> = mapVersion.chain((version) =>
  fc
    .record({
      mode: fc.constantFrom("start", "resume", "rejoin", "maintenance"),
      joinedView: viewUpTo(version),
    })
    .map(({ mode, joinedView }) => ({
      body: { mode, joinedView: mode === "maintenance" ? NO_VIEW : joinedView },
      payload: undefined,
      envelope: { mapVersion: version },
    })),
)

const poolInfo: fc.Arbitrary<Request<"pool-info">> = fc
  .record({
    mode: fc.constantFrom("create", "assemble", "disassemble", "delete"),
    memberId: member,
    isDirty: fc.boolean(),
    storeUuid: uuid,
  })
  .map(({ mode, isDirty, ...rest }) => ({
    body: {
      operation: mode === "create" || mode === "assemble" ? "add" : "remove",
      mode,
      isDirty: isDirty && mode === "create",
      ...rest,
    },
    payload: undefined,
  }))

const hold: fc.Arbitrary<Request<"hold">> = mapVersion.chain((version) =>
  fc
    .record({ stableEpoch: fc.integer({ min: 0, max: version.epoch }), stableSequence: u53 })
    .map(({ stableEpoch, stableSequence }) => ({
      body: { stableEpoch, stableSequence: stableEpoch === 0 ? 0 : stableSequence },
      payload: undefined,
      envelope: { mapVersion: version },
    })),
)

const sendMdBuf: fc.Arbitrary<Request<"send-md-buf">> = withRecord((metadata) => {
  const members = metadata.members.flatMap((entry) => (entry === undefined ? [] : [entry.memberId]))
  return fc
    .constantFrom(...members)
    .map((persistedBy) => ({ body: { persistedBy }, payload: metadata }))
})

const rejoinPool: fc.Arbitrary<Request<"rejoin-pool">> = withRecord((metadata) =>
  fc.record({ nonce: uuid, lineage: optionalUuid }).map(({ nonce, lineage }) => {
    const { epoch, version } = metadata.mapVersion
    const isNone = lineage === metadata.mapVersion.lineage || lineage === ZERO_UUID
    const given = isNone ? NO_VIEW : { epoch, version }
    const abandonedLineage = isNone ? ZERO_UUID : lineage
    return { body: { nonce, abandonedLineage, abandonedView: given }, payload: metadata }
  }),
)

/** A body without a payload that ties nothing to the envelope. */
function plain<K extends CommandKind>(
  body: fc.Arbitrary<CommandTypes[K]["body"]>,
): fc.Arbitrary<Request<K>> {
  return body.map((value) => ({ body: value, payload: undefined })) as fc.Arbitrary<Request<K>>
}

export const REQUESTS: { readonly [K in CommandKind]: fc.Arbitrary<Request<K>> } = {
  hello: plain(offer),
  query: plain(nothing),
  open: mapVersion.chain((version) =>
    fc.record({ nonce: uuid, isTakeover: fc.boolean(), hostName: ascii(1, 255) }).map((body) => ({
      body,
      payload: undefined,
      envelope: { mapVersion: { ...version, version: 0 } },
    })),
  ),
  hold,
  "join-pool": joinPool,
  "rejoin-pool": rejoinPool,
  "enable-pool": enablePool,
  "leave-pool": plain(
    fc.record({ mode: fc.constantFrom("disassemble", "delete"), memberId: member }),
  ),
  "pool-info": poolInfo,
  "grow-store": plain(fc.record({ sizeBytes: volumeBytes })),
  "map-ready": plain(fc.record({ update })),
  "map-send": plain(fc.record({ update, phase, receiver: member })),
  "send-map-buf": fc.record({
    body: fc.record({ update, bufferNumber: u32, phase }),
    payload: mapPages(1, 8),
  }),
  "map-buf-done": fc.record({
    body: fc.record({ update, bufferCount: u32, phase, maps: mapStates(1) }),
    payload: mapPages(0, 8),
  }),
  "map-done": plain(fc.record({ update })),
  "map-disable": plain(fc.record({ update })),
  "read-map-buf": plain(
    fc.record({ firstPage: fc.integer({ min: 0, max: 2 ** 25 - 1 }), memberId: member }),
  ),
  "map-check": plain(nothing),
  "map-get-ver": plain(nothing),
  "map-set-ver": plain(
    fc.record({ seen: view, seenNormal: fc.integer({ min: 1, max: 255 }), persistedBy: member }),
  ),
  "map-add": mapAdd,
  "map-clear": mapClear,
  "last-io-to-map": fc.oneof(
    lastIoEntries(4096, 1).map((payload) => ({ body: { mode: "listed" as const }, payload })),
    fc.constant({ body: { mode: "own" as const }, payload: [] }),
  ),
  "read-last-io": plain(nothing),
  elect: plain(
    fc.record({
      step: fc.constantFrom("mark", "clear", "yield"),
      elected: member,
      ranges: chunkRanges,
    }),
  ),
  "store-check": plain(nothing),
  "send-md-buf": sendMdBuf,
  "md-send": plain(fc.record({ known: fc.oneof(mapVersion, fc.constant(noVersion)) })),
  "send-discard": plain(
    fc
      .record({ memberId: member, storeUuid: uuid, forgottenStoreUuid: uuid })
      .filter(({ storeUuid, forgottenStoreUuid }) => storeUuid !== forgottenStoreUuid),
  ),
  "discard-clear-flag": plain(fc.record({ memberId: member, storeUuid: uuid })),
  user: plain(fc.record({ data: fc.uint8Array({ maxLength: 440 }) })),
}

/** An answer without a payload. */
function plainAnswer<K extends CommandKind>(
  result: fc.Arbitrary<CommandTypes[K]["result"]>,
): fc.Arbitrary<Answer<K>> {
  return result.map((value) => ({ result: value, payload: undefined })) as fc.Arbitrary<Answer<K>>
}

const optionalRecord = fc.option(poolMetadata, { nil: undefined })
const seen = fc.record({ seen: optionalView, seenNormal: u8 })
const ownMap = fc.record({ dirtyChunks: u53, suspectChunks: u53 })

export const ANSWERS: { readonly [K in CommandKind]: fc.Arbitrary<Answer<K>> } = {
  hello: plainAnswer(offer),
  query: fc.record({
    result: fc.record({
      report,
      holderSilentMs: u32,
      isHeld: fc.boolean(),
      holderHost: ascii(0, 255),
    }),
    payload: optionalRecord,
  }),
  open: fc.record({ result: fc.record({ report }), payload: openKnowledge }),
  hold: plainAnswer(fc.record({ hotExtents: u32, isFlushWanted: fc.boolean() })),
  "join-pool": fc.record({ result: fc.record({ report }), payload: optionalRecord }),
  "rejoin-pool": plainAnswer(fc.record({ report })),
  "enable-pool": plainAnswer(fc.record({ report })),
  "leave-pool": plainAnswer(nothing),
  "pool-info": plainAnswer(nothing),
  "grow-store": plainAnswer(fc.record({ sizeBytes: volumeBytes })),
  "map-ready": plainAnswer(ownMap),
  "map-send": plainAnswer(fc.record({ bufferCount: u32 })),
  "send-map-buf": plainAnswer(nothing),
  "map-buf-done": plainAnswer(nothing),
  "map-done": plainAnswer(ownMap),
  "map-disable": plainAnswer(nothing),
  "read-map-buf": fc.record({
    result: fc.record({ nextPage: fc.integer({ min: 0, max: 2 ** 25 }), isLast: fc.boolean() }),
    payload: mapPages(0, 1),
  }),
  "map-check": plainAnswer(
    fc.record({
      dirtyChunks: u53,
      suspectChunks: u53,
      lostChunks: u53,
      isNormal: fc.boolean(),
    }),
  ),
  "map-get-ver": plainAnswer(
    fc.record({
      seen: optionalView,
      normalThrough: optionalView,
      joinedView: optionalView,
      incarnation: u53,
      seenNormal: u8,
    }),
  ),
  "map-set-ver": plainAnswer(seen),
  "map-add": fc
    .record({
      seen: view,
      isOnDisk: fc.boolean(),
      markedChunks: u53,
      ranges: fc.oneof(
        fc.uniqueArray(fc.nat({ max: 255 }), { maxLength: 8 }),
        fc.uniqueArray(fc.nat({ max: 4095 }), { minLength: 200, maxLength: 200 }),
      ),
      isMore: fc.boolean(),
    })
    .map(({ seen, isOnDisk, markedChunks, ranges, isMore }) => ({
      result: {
        seen,
        durable: isOnDisk ? seen : NO_VIEW,
        markedChunks,
        isMoreTakenBack: isMore && ranges.length === 200,
        takenBack: ranges.sort((a, b) => a - b).map((range) => ({ range })),
      },
      payload: undefined,
    })),
  "map-clear": plainAnswer(nothing),
  "last-io-to-map": plainAnswer(fc.record({ markedChunks: u53 })),
  "read-last-io": fc.record({ result: nothing, payload: lastIoEntries(4096) }),
  elect: plainAnswer(fc.record({ changedChunks: u53 })),
  "store-check": plainAnswer(
    fc.record({
      report,
      hotExtents: u32,
      lastStatus: fc.integer({ min: 0, max: Object.keys(ERROR_CODES).length }),
      isFlushWanted: fc.boolean(),
    }),
  ),
  "send-md-buf": plainAnswer(seen),
  "md-send": optionalRecord.map((payload) => ({
    result: { isUnchanged: payload === undefined },
    payload,
  })),
  "send-discard": plainAnswer(fc.record({ markedChunks: u53 })),
  "discard-clear-flag": plainAnswer(nothing),
  user: fc.record({
    result: fc.record({ userStatus: fc.integer() }),
    payload: fc.uint8Array({ maxLength: 200 }),
  }),
}

/** Any valid request of a kind. */
export function commandOf<K extends CommandKind>(kind: K): fc.Arbitrary<Command> {
  const spec = specOf(kind)
  const isNameless = spec.names === "none"
  return fc
    .record({
      request: REQUESTS[kind] as fc.Arbitrary<Request<CommandKind>>,
      groupId: u32,
      version: mapVersion,
      isUnknown: fc.boolean(),
      generation: u32,
      sender: member,
      isFromNode: fc.boolean(),
    })
    .map(({ request, groupId, version, isUnknown, generation, sender, isFromNode }) => {
      const fromNode = spec.from === "node" || (spec.from === "either" && isFromNode)
      const mayBeUnknown = spec.names === "known" && isUnknown
      return {
        kind,
        groupId: isNameless ? 0 : groupId,
        mapVersion: isNameless || mayBeUnknown ? noVersion : version,
        sessionGeneration: isNameless ? 0 : generation,
        senderMemberId: fromNode && !isNameless ? sender : 0,
        ...request.envelope,
        body: request.body,
        payload: request.payload,
      } as Command
    })
}

const codes = Object.keys(ERROR_CODES) as ErrorCode[]

/** Any valid answer to a kind: half of them refusals. */
export function replyTo<K extends CommandKind>(kind: K): fc.Arbitrary<Reply> {
  const isNameless = specOf(kind).names === "none"
  return fc
    .record({
      answer: ANSWERS[kind] as fc.Arbitrary<Answer<CommandKind>>,
      refusal: fc.option(fc.constantFrom(...codes), { nil: undefined }),
      detail: fc.string({ unit: "grapheme", maxLength: 30 }),
      groupId: u32,
      memberId: member,
      version: fc.oneof(mapVersion, fc.constant(noVersion)),
      openEpoch: fc.oneof(nonZero, fc.constant(0)),
    })
    .map(({ answer, refusal, detail, groupId, memberId, version, openEpoch }) => {
      const envelope = isNameless
        ? { groupId: 0, memberId: 0, mapVersion: noVersion, openEpoch: 0 }
        : { groupId, memberId, mapVersion: version, openEpoch }
      const rest =
        refusal === undefined ? { outcome: "ok", ...answer } : { outcome: refusal, detail }
      return { kind, ...envelope, ...rest } as Reply
    })
}
