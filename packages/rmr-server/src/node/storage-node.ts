/**
 * StorageNode: one process that serves any number of pools over one transport.
 *
 * It listens, greets, and hands each request to the pool that it names. IO goes straight to the
 * pool's data path, in the batch in which it arrived; commands run as promises, and what one throws
 * is its answer. Bytes that form no message are answered where they can be, and change nothing.
 */

import { LinkRegistry } from "@rmr/client"
import type {
  Batch,
  Checksum,
  Command,
  CommandKind,
  CommandOf,
  Endpoint,
  Env,
  LaneCredits,
  Lease,
  Listener,
  Memory,
  Session,
  Transport,
} from "@rmr/core"
import {
  ACCEPTED,
  assert,
  CLOSE_MS_DEFAULT,
  crc32c,
  decodeCommand,
  decodeIo,
  IoRecord,
  leaseBytes,
  MESSAGE_HEADER,
  NO_LEASE,
  negotiate,
  ownOffer,
  PAYLOAD_OUT,
  peekGroupId,
  peekType,
  REQUEST_DIRECTION,
  REQUEST_HEADER_AT,
  REQUEST_HEADER_BYTES,
  REQUEST_LEASE,
  REQUEST_PAYLOAD_BYTES,
  REQUEST_SESSION,
  REQUEST_STRIDE,
  REQUEST_TICKET,
  Refused,
  RmrError,
  randomUuid,
  refusalError,
  TYPE_IO,
} from "@rmr/core"
import { handlerOf } from "../commands/index.js"
import { Foreground } from "../io/foreground.js"
import { ServerPool, type ServerPoolOptions, type ServerPoolWorld } from "../pool/server-pool.js"
import { answered, envelopeOf, NO_VERSION, refused, sendReply } from "./command-replies.js"
import { refuseIoReply } from "./io-refusal.js"
import { NodeSession } from "./node-session.js"

export interface StorageNodeOptions {
  readonly env: Env
  readonly memory: Memory
  readonly transport: Transport
  /** Half of each session's name, and what members of a pool call this node. */
  readonly hostName: string
  /** Name and version, for people who look for the side that must be updated. */
  readonly software: string
  /** CRC-32C over payloads; default the one of @rmr/core. */
  readonly checksum?: Checksum
  /** A client that was heard within this time is alive (F5). Default 10 s. */
  readonly holderMs?: number
  /** Requests of one pool that are in work; more are answered `busy`. Default 2048. */
  readonly requestsMax?: number
  /** The close of a store, and of the node, waits for what is in work for so long. Default 5 s. */
  readonly closeMs?: number
}

const CREDITS_MAX: LaneCredits = [1024, 256, 64]
const HELLO_ENVELOPE = { groupId: 0, memberId: 0, mapVersion: NO_VERSION, openEpoch: 0 }

export class StorageNode {
  private readonly options: StorageNodeOptions
  private readonly world: ServerPoolWorld
  private readonly endpoint: Endpoint
  private readonly registry: LinkRegistry
  private readonly sessions: (NodeSession | undefined)[] = []
  private readonly poolsByGroup = new Map<number, ServerPool>()
  private readonly io = new IoRecord()
  /** Pools that this batch is for; few. */
  private readonly touched: ServerPool[] = []

  constructor(options: StorageNodeOptions) {
    const { env, memory, transport, hostName } = options
    this.options = options
    this.registry = new LinkRegistry({
      env,
      memory,
      transport,
      hostName,
      software: options.software,
    })
    this.world = {
      env,
      memory,
      checksum: options.checksum ?? crc32c,
      isChecksumRequired: !transport.supports.payloadChecked,
      holderMs: options.holderMs ?? 10_000,
      rowsMax: options.requestsMax ?? 2048,
      foreground: new Foreground(env.clock),
      flush: () => this.endpoint.flush(),
      registry: this.registry,
      nonce: randomUuid(env),
    }
    this.endpoint = transport.open({
      env,
      memory,
      hostName,
      events: {
        onCompletions: () => undefined,
        onRequests: (batch) => this.onRequests(batch),
        onSessionUp: (session) => this.onSessionUp(session),
        onSessionDown: (session) => this.onSessionDown(session),
      },
    })
  }

  get pools(): readonly ServerPool[] {
    return [...this.poolsByGroup.values()]
  }

  /** Fails with `busy` where somebody else listens. */
  listen(address: string): Promise<Listener> {
    return this.endpoint.listen(address, { creditsMax: CREDITS_MAX })
  }

  /** Opens a store and serves its pool. Two pools of one name or group id are refused (Q21). */
  async addPool(options: ServerPoolOptions): Promise<ServerPool> {
    const pool = await ServerPool.open(options, this.world)
    const other = this.poolsByGroup.get(pool.groupId)
    if (other !== undefined) {
      await pool.close(this.closeMs)
      const words = `pools ${other.name} and ${options.poolName} have one group id on this node`
      throw new RmrError("name-clash", words)
    }
    this.poolsByGroup.set(pool.groupId, pool)
    return pool
  }

  /**
   * Stops serving the pool: drains it and closes its store cleanly. Where that fails, with
   * `deadline` or what the store says, the pool is not served any more all the same.
   */
  async removePool(pool: ServerPool, withinMs: number = this.closeMs): Promise<void> {
    if (this.poolsByGroup.get(pool.groupId) !== pool) return
    try {
      await pool.close(withinMs)
    } finally {
      this.poolsByGroup.delete(pool.groupId)
      for (const session of this.sessions) session?.unbindPool(pool)
    }
  }

  /**
   * Ends everything, within `closeMs` also where a store hangs. Where stores were not closed
   * cleanly it fails with the first reason, after the rest; they are as a crash leaves them (R3).
   */
  async close(withinMs: number = this.closeMs): Promise<void> {
    const { pools } = this
    const ends = await Promise.allSettled(pools.map((pool) => this.removePool(pool, withinMs)))
    await this.registry.close()
    await this.endpoint.close()
    for (const [nth, end] of ends.entries()) {
      if (end.status === "fulfilled") continue
      const { code, detail } = RmrError.from(end.reason)
      const words = `the store of pool ${pools[nth]?.name} was not closed cleanly: ${detail}`
      throw new RmrError(code, words, { cause: end.reason })
    }
  }

  private get closeMs(): number {
    return this.options.closeMs ?? CLOSE_MS_DEFAULT
  }

  private onSessionUp(session: Session): void {
    this.sessions[session.id] = new NodeSession(session)
  }

  private onSessionDown(session: Session): void {
    const known = this.sessions[session.id]
    if (known?.session !== session) return
    this.sessions[session.id] = undefined
    known.end()
  }

  private onRequests({ words, headers, count }: Batch): void {
    for (let row = 0, at = 0; row < count; row++, at += REQUEST_STRIDE) {
      const known = this.sessions[words[at + REQUEST_SESSION]!]
      assert(known !== undefined, "requests come between a session's up and its down")
      const headerAt = words[at + REQUEST_HEADER_AT]!
      const headerBytes = words[at + REQUEST_HEADER_BYTES]!
      if (peekType(headers, headerAt, headerBytes) === TYPE_IO) {
        this.onIo(known, words, at, headers, headerAt, headerBytes)
      } else {
        this.onCommand(known, words, at, headers, headerAt, headerBytes)
      }
    }
    for (let pool = this.touched.pop(); pool !== undefined; pool = this.touched.pop()) {
      pool.dataPath?.deliver()
    }
  }

  private onIo(
    known: NodeSession,
    words: Int32Array,
    at: number,
    headers: DataView,
    headerAt: number,
    headerBytes: number,
  ): void {
    const { io } = this
    const ticket = words[at + REQUEST_TICKET]!
    const lease = words[at + REQUEST_LEASE]! as Lease
    const refusal = decodeIo(headers, headerAt, headerBytes, io)
    const binding =
      refusal === ACCEPTED ? known.bindingOf(peekGroupId(headers, headerAt)) : undefined
    const data = binding?.pool.dataPath
    if (binding === undefined || data === undefined) {
      if (lease !== NO_LEASE) this.options.memory.release(lease)
      const code = refusal !== ACCEPTED ? refusalError(refusal).code : "not-found"
      refuseIoReply(known.session, ticket, io.groupId, code)
      return
    }
    const { pool, caller } = binding
    if (caller.nonce === pool.admission.nonce) pool.noteHeard()
    const isOut = words[at + REQUEST_DIRECTION] === PAYLOAD_OUT
    const bytes = words[at + REQUEST_PAYLOAD_BYTES]!
    data.onRequest(
      known.session,
      caller.nonce,
      caller.isPeer,
      ticket,
      io,
      lease,
      isOut ? bytes : 0,
      isOut ? 0 : bytes,
    )
    if (!this.touched.includes(pool)) this.touched.push(pool)
  }

  private onCommand(
    known: NodeSession,
    words: Int32Array,
    at: number,
    headers: DataView,
    headerAt: number,
    headerBytes: number,
  ): void {
    const { memory } = this.options
    const ticket = words[at + REQUEST_TICKET]!
    const lease = words[at + REQUEST_LEASE]! as Lease
    const isOut = words[at + REQUEST_DIRECTION] === PAYLOAD_OUT
    const bytes = words[at + REQUEST_PAYLOAD_BYTES]!
    // What a command refers to may look into its payload, and it runs longer than this call.
    const payload =
      isOut && bytes > 0 ? leaseBytes(memory, lease, 0, bytes).slice() : new Uint8Array(0)
    if (lease !== NO_LEASE) memory.release(lease)
    const command = decodeCommand(headers, headerAt, headerBytes, payload)
    const room = isOut ? 0 : bytes
    if (command instanceof Refused) {
      this.refuseBytes(known, headers, headerAt, headerBytes, ticket, room, command)
      return
    }
    void this.carryOut(known, command, ticket, room)
  }

  /** What forms no command is answered as one, so that its sender learns why. */
  private refuseBytes(
    known: NodeSession,
    headers: DataView,
    headerAt: number,
    headerBytes: number,
    ticket: number,
    room: number,
    why: Refused,
  ): void {
    const hasGroup = headerBytes >= MESSAGE_HEADER.bytes
    const groupId = hasGroup ? peekGroupId(headers, headerAt) : 0
    const reply = refused("query", envelopeOf(groupId, undefined), why.toError())
    sendReply(this.options.memory, known.session, ticket, room, reply)
  }

  private async carryOut(
    known: NodeSession,
    command: Command,
    ticket: number,
    room: number,
  ): Promise<void> {
    const { session } = known
    const { memory, env } = this.options
    const pool = this.poolsByGroup.get(command.groupId)
    try {
      const reply = await this.replyTo(known, command, pool)
      sendReply(memory, session, ticket, room, reply)
    } catch (thrown) {
      const error = RmrError.from(thrown)
      if (error.code === "internal") {
        env.log.write("error", "node.command-failed", {
          command: command.kind,
          detail: error.stack ?? error.detail,
        })
      }
      const envelope = command.kind === "hello" ? HELLO_ENVELOPE : envelopeOf(command.groupId, pool)
      sendReply(memory, session, ticket, room, refused(command.kind, envelope, error))
    }
  }

  private async replyTo(
    known: NodeSession,
    command: Command,
    pool: ServerPool | undefined,
  ): Promise<ReturnType<typeof answered>> {
    if (command.kind === "hello") return this.greet(known, command)
    if (known.agreement === undefined) {
      throw new RmrError("bad-message", "HELLO comes first on a session")
    }
    if (pool === undefined) {
      throw new RmrError("not-found", "no pool with that name is served here; add its store")
    }
    if (command.kind === "join-pool") this.bind(known, pool, command)
    const binding = known.bindingOf(command.groupId)
    if (binding === undefined) {
      throw new RmrError("bad-message", `JOIN_POOL comes first for pool ${pool.name}`)
    }
    const handler = handlerOf<CommandKind>(command.kind)
    if (handler === undefined) {
      throw new RmrError("unsupported", `this node does not carry out ${command.kind}`)
    }
    const answer = await handler(pool, command as CommandOf<CommandKind>, binding.caller)
    return answered(command.kind, envelopeOf(command.groupId, pool), answer)
  }

  private greet(
    known: NodeSession,
    command: CommandOf<"hello">,
  ): ReturnType<typeof answered<"hello">> {
    const { software } = this.options
    const required = this.world.isChecksumRequired ? (["payload-checksum"] as const) : []
    const offer = ownOffer(software, required)
    const agreement = negotiate(offer, command.body)
    if (agreement instanceof RmrError) throw agreement
    known.agreement = agreement
    return answered("hello", HELLO_ENVELOPE, { result: offer, payload: undefined })
  }

  private bind(known: NodeSession, pool: ServerPool, command: CommandOf<"join-pool">): void {
    const { nonce, poolName } = command.body
    if (poolName !== pool.name) {
      throw new RmrError("name-clash", `${poolName} and ${pool.name} have one group id`)
    }
    const isPeer = command.senderMemberId !== 0
    const hostName = known.session.peerName
    known.bind(command.groupId, { pool, caller: { nonce, isPeer, hostName } })
  }
}
