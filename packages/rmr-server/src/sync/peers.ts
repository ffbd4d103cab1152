/**
 * Peers: a member's ties to the other members of its pool, for fetching what it lacks.
 *
 * A storage node is a client of its peers (upstream: the sync pool). It joins with SYNC, asks in
 * the view that it is normal in itself, and is refused at once by whoever cannot serve that (S2). A
 * peer is dialed when it is needed.
 */

import type { IoOwner, Link, LinkRegistry } from "@rmr/client"
import type {
  CommandKind,
  CommandOf,
  Env,
  GroupId,
  LastIoEntry,
  Lease,
  LogFields,
  LogLevel,
  MapVersion,
  MemberEntry,
  MemberId,
  Memory,
  ReplyOf,
  Timer,
  Uuid,
} from "@rmr/core"
import {
  ACCEPTED,
  type Checksum,
  type ChunkGeometry,
  decodeIoReply,
  encodeIo,
  FLAG_SYNC,
  IO_DIGEST,
  IoRecord,
  IoReplyRecord,
  LANE_SYNC,
  lastIoOf,
  NO_LEASE,
  NO_SLOT,
  OP_SYNC_READ,
  PAYLOAD_BACK,
  REPLY_DIGEST,
  REPLY_FOREGROUND,
  REPLY_LAST_IO_MORE,
  REPLY_PRESSED,
  RmrError,
  refuseIoReplyPayload,
  STATUS_OK,
  setLineage,
  shardOf,
  statusOf,
  ZERO_UUID,
} from "@rmr/core"

export interface PeersOptions {
  readonly env: Env
  readonly memory: Memory
  readonly registry: LinkRegistry
  readonly poolName: string
  readonly groupId: GroupId
  readonly memberId: MemberId
  readonly nonce: Uuid
  readonly checksum: Checksum
  readonly geometry: ChunkGeometry
}

/** What a sync read brought, beside the bytes. */
export interface SyncAnswer {
  readonly status: number
  readonly lastIo: readonly LastIoEntry[]
  /** There are more entries: READ_LAST_IO tells them (S9). */
  readonly isMore: boolean
  /** S11: the source has foreground IO, and it is slower beside sync reads. */
  readonly isForeground?: boolean
  readonly isPressed?: boolean
  /** Of the bytes, where that was asked for: four words. */
  readonly digest?: readonly number[]
}

interface Asked {
  /** None where only a digest is asked for. */
  readonly lease: Lease
  readonly at: number
  readonly bytes: number
  readonly done: (answer: SyncAnswer) => void
  readonly timer: Timer
}

const COMMAND_MS = 3000
/** Longer than clients wait for a leg, for a source that is only slow. */
const READ_MS = 10_000
const CLOSED = statusOf("closed")
const LINK_LOST = statusOf("link-lost")
const BAD_MESSAGE = statusOf("bad-message")
const NO_VERSION: MapVersion = { lineage: ZERO_UUID, epoch: 0, version: 0 }
const LAST_IO_ROOM = 128 * 1024

export class Peers implements IoOwner {
  private readonly options: PeersOptions
  private readonly tokenBase: number
  private readonly asked = new Map<number, Asked>()
  private nextToken = 0
  private isClosed = false
  private readonly io = new IoRecord()
  private readonly reply = new IoReplyRecord()
  /** Sessions that were joined, by address: another session has to be joined anew. */
  private readonly joined = new Map<string, unknown>()
  /** Why members cannot be reached, as it was told: the same is told once. */
  private readonly problems = new Map<MemberId, string>()

  constructor(options: PeersOptions) {
    this.options = options
    this.tokenBase = options.registry.addOwner(this)
    this.io.groupId = options.groupId
    this.io.flags = FLAG_SYNC
    this.io.operation = OP_SYNC_READ
    this.io.senderMemberId = options.memberId
  }

  /**
   * What was asked is waited for all the same, and each wait has its end: its memory is the
   * transport's till then, and its answer would be taken for one to the next pool that has these
   * tokens (W7).
   */
  close(): void {
    this.isClosed = true
    this.leaveRegistry()
  }

  private leaveRegistry(): void {
    if (this.isClosed && this.asked.size === 0) this.options.registry.removeOwner(this)
  }

  /**
   * Reads bytes of the volume from a peer into a lease. Never fails: a status says how it went,
   * also where the peer does not answer in time.
   */
  async read(
    peer: MemberEntry,
    view: MapVersion,
    offset: number,
    lease: Lease,
    at: number,
    bytes: number,
  ): Promise<SyncAnswer> {
    return this.askFor(peer, view, offset, { lease, at, bytes })
  }

  /** The same for a digest of the bytes (S7). */
  async readDigest(
    peer: MemberEntry,
    view: MapVersion,
    offset: number,
    bytes: number,
  ): Promise<SyncAnswer> {
    return this.askFor(peer, view, offset, { lease: NO_LEASE, at: 0, bytes })
  }

  private async askFor(
    peer: MemberEntry,
    view: MapVersion,
    offset: number,
    wanted: Omit<Asked, "done" | "timer">,
  ): Promise<SyncAnswer> {
    try {
      await this.reach(peer)
    } catch (thrown) {
      return { status: statusOf(RmrError.from(thrown).code), lastIo: [], isMore: false }
    }
    if (this.isClosed) return { status: CLOSED, lastIo: [], isMore: false }
    return new Promise((done) => {
      const timer = this.options.env.clock.schedule(READ_MS, () => this.leave(peer))
      if (this.submit(peer, view, offset, { ...wanted, done, timer })) return
      timer.cancel()
      done({ status: LINK_LOST, lastIo: [], isMore: false })
    })
  }

  /**
   * S2: it has not answered, and nobody else is asked for the chunk before that is over (RT-66).
   * The end of its session is an answer to everything on it, and the memory is free then (W7).
   */
  private leave(peer: MemberEntry): void {
    this.log("warn", "server-pool.peer-silent", peer, { afterMs: READ_MS })
    void this.linkTo(peer).dropSession()
  }

  /** All that a peer remembers and has applied (S9, S10). */
  async readLastIo(peer: MemberEntry, view: MapVersion): Promise<readonly LastIoEntry[]> {
    await this.reach(peer)
    const reply = await this.ask(peer, "read-last-io", view, {}, undefined, LAST_IO_ROOM)
    return reply.payload
  }

  /** Says a command of a map update to a peer, and awaits that it has taken it (M3). */
  async tell<K extends "send-map-buf" | "map-buf-done">(
    peer: MemberEntry,
    kind: K,
    view: MapVersion,
    body: CommandOf<K>["body"],
    payload: CommandOf<K>["payload"],
  ): Promise<void> {
    await this.reach(peer)
    await this.ask(peer, kind, view, body, payload, 0)
  }

  onCompletion(
    token: number,
    status: number,
    headers: DataView,
    headerAt: number,
    headerBytes: number,
    payloadBytes: number,
  ): void {
    const asked = this.asked.get(token)
    this.asked.delete(token)
    if (asked === undefined) return
    asked.timer.cancel()
    if (status !== STATUS_OK) {
      asked.done({ status, lastIo: [], isMore: false })
      return
    }
    const { reply } = this
    if (decodeIoReply(headers, headerAt, headerBytes, reply) !== ACCEPTED) {
      asked.done({ status: BAD_MESSAGE, lastIo: [], isMore: false })
      return
    }
    const isWhole = reply.status !== STATUS_OK || this.isWhole(asked, payloadBytes)
    const isDigest = (reply.replyFlags & REPLY_DIGEST) !== 0
    const { digest0, digest1, digest2, digest3 } = reply
    asked.done({
      ...(isDigest ? { digest: [digest0, digest1, digest2, digest3] } : {}),
      status: isWhole ? reply.status : BAD_MESSAGE,
      lastIo: lastIoOf(headers, headerAt, reply),
      isMore: (reply.replyFlags & REPLY_LAST_IO_MORE) !== 0,
      isForeground: (reply.replyFlags & REPLY_FOREGROUND) !== 0,
      isPressed: (reply.replyFlags & REPLY_PRESSED) !== 0,
    })
  }

  /** Each answer is awaited by itself: a copy is coarse. */
  onBatchEnd(): void {
    this.leaveRegistry()
  }

  onRoom(): void {
    // What finds no credit is answered so at once, and its caller asks again.
  }

  wantsRoom(): boolean {
    return false
  }

  private isWhole(asked: Asked, payloadBytes: number): boolean {
    if (asked.lease !== NO_LEASE) return this.isPayloadGood(asked, payloadBytes)
    return (this.reply.replyFlags & REPLY_DIGEST) !== 0 && payloadBytes === 0
  }

  private isPayloadGood({ lease, at, bytes }: Asked, payloadBytes: number): boolean {
    const { memory, checksum, registry } = this.options
    const view = memory.arenaOf(lease).view
    const start = memory.offsetOf(lease) + at
    const { isChecksumRequired } = registry
    const refusal = refuseIoReplyPayload(
      this.reply,
      view,
      start,
      payloadBytes,
      isChecksumRequired,
      checksum,
    )
    return refusal === ACCEPTED && payloadBytes === bytes
  }

  private submit(peer: MemberEntry, view: MapVersion, offset: number, asked: Asked): boolean {
    const { geometry } = this.options
    const { session } = this.linkTo(peer)
    if (session === undefined || !session.isUp) return false
    const slot = session.reserve(LANE_SYNC)
    if (slot === NO_SLOT) return false
    const { io } = this
    setLineage(io, view.lineage)
    io.epoch = view.epoch
    io.viewVersion = view.version
    io.ioFlags = asked.lease === NO_LEASE ? IO_DIGEST : 0
    io.offset = offset
    io.length = asked.bytes
    io.firstChunk = geometry.chunkOf(offset)
    io.chunkCount = geometry.chunkSpan(offset, asked.bytes)
    const headerBytes = encodeIo(session.slots, slot, io)
    const token = this.takeToken()
    this.asked.set(token, asked)
    const { lease, at, bytes } = asked
    const room = lease === NO_LEASE ? 0 : bytes
    session.submit(slot, headerBytes, this.tokenBase + token, PAYLOAD_BACK, lease, at, room)
    return true
  }

  private takeToken(): number {
    do {
      this.nextToken = (this.nextToken + 1) & 0xffff
    } while (this.asked.has(this.nextToken))
    return this.nextToken
  }

  private async reach(peer: MemberEntry): Promise<void> {
    try {
      await this.connect(peer)
    } catch (thrown) {
      this.noteProblem(peer, RmrError.from(thrown))
      throw thrown
    }
    if (this.problems.delete(peer.memberId)) this.log("info", "server-pool.peer-reached", peer)
  }

  /** Copies from it are tried again and again; whoever asks why none comes finds it in the log. */
  private noteProblem(peer: MemberEntry, { code, detail }: RmrError): void {
    const problem = `${peer.address} ${code} ${detail}`
    if (this.problems.get(peer.memberId) === problem) return
    this.problems.set(peer.memberId, problem)
    this.log("warn", "server-pool.peer-unreachable", peer, { code, detail })
  }

  private log(level: LogLevel, event: string, peer: MemberEntry, more: LogFields = {}): void {
    const { env, poolName } = this.options
    const { memberId: member, address } = peer
    env.log.write(level, event, { pool: poolName, member, address, ...more })
  }

  private linkTo({ address }: MemberEntry): Link {
    const { registry, groupId } = this.options
    return registry.link(address, shardOf(groupId))
  }

  private async connect(peer: MemberEntry): Promise<void> {
    const link = this.linkTo(peer)
    await link.connect(COMMAND_MS)
    if (this.joined.get(peer.address) === link.session) return
    const { poolName, nonce } = this.options
    const body = {
      mode: "assemble" as const,
      startsDirty: false,
      memberId: peer.memberId,
      minNormal: 0,
      chunkSizeBytes: 0,
      queueDepth: 0,
      mappedSizeBytes: 0,
      poolUuid: ZERO_UUID,
      storeUuid: peer.storeUuid,
      nonce,
      poolName,
    }
    await this.ask(peer, "join-pool", NO_VERSION, body, undefined, LAST_IO_ROOM)
    this.joined.set(peer.address, link.session)
  }

  private ask<K extends CommandKind>(
    peer: MemberEntry,
    kind: K,
    mapVersion: MapVersion,
    body: CommandOf<K>["body"],
    payload: CommandOf<K>["payload"],
    roomBytes: number,
  ): Promise<ReplyOf<K> & { readonly outcome: "ok" }> {
    const { groupId, memberId } = this.options
    const command = {
      kind,
      groupId,
      mapVersion,
      sessionGeneration: 0,
      senderMemberId: memberId,
      body,
      payload,
    } as unknown as CommandOf<K>
    return this.linkTo(peer).ask(command, { deadlineMs: COMMAND_MS, roomBytes })
  }
}
