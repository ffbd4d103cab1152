/**
 * LinkRegistry: one endpoint, the links over it, and who gets which completion.
 *
 * Pools of one process and one shard that have members on one node share one session there
 * (upstream's session registry). A token says whose a completion is: below COMMAND_BASE it is a
 * pool's IO, and its upper half names the pool; from there on it is a command that somebody awaits.
 */
import type {
  Batch,
  Endpoint,
  Env,
  Feature,
  LaneCredits,
  Memory,
  RmrError,
  Session,
  Transport,
  Uuid,
} from "@rmr/core"
import {
  assert,
  COMPLETION_HEADER_AT,
  COMPLETION_HEADER_BYTES,
  COMPLETION_PAYLOAD_BYTES,
  COMPLETION_STATUS,
  COMPLETION_STRIDE,
  COMPLETION_TOKEN,
  ownOffer,
  randomUuid,
  SpareLease,
} from "@rmr/core"
import { type CommandDone, Link } from "./link.js"

/** Tokens of IO: the owner in the upper half, its own number in the lower. */
export const OWNER_SHIFT = 16
export const OWN_TOKENS: number = 1 << OWNER_SHIFT
const COMMAND_BASE = 1 << 28
const COMMAND_LAST = 0x7fff_ffff

/** Whoever submits IO on sessions of the registry. */
export interface IoOwner {
  /** Header bytes are valid only during the call. */
  onCompletion(
    ownToken: number,
    status: number,
    headers: DataView,
    headerAt: number,
    headerBytes: number,
    payloadBytes: number,
  ): void
  /** All completions of one delivery were handed over. */
  onBatchEnd(): void
  /**
   * The same, where they were others': credits of shared sessions may have come back. Only for whom
   * `noteShort` was called, as long as it wants room.
   */
  onRoom(): void
  wantsRoom(): boolean
}

export interface LinkRegistryOptions {
  readonly env: Env
  readonly memory: Memory
  readonly transport: Transport
  readonly hostName: string
  readonly software: string
  /** Asked on every session. Default 512 for IO, 128 for sync, 32 for control. */
  readonly credits?: LaneCredits
}

const CREDITS_DEFAULT: LaneCredits = [512, 128, 32]

export class LinkRegistry {
  readonly env: Env
  readonly memory: Memory
  readonly transport: Transport
  readonly hostName: string
  /** The transport does not vouch for payloads: each carries a checksum. */
  readonly isChecksumRequired: boolean
  private readonly endpoint: Endpoint
  private readonly credits: LaneCredits
  private readonly software: string
  private readonly links = new Map<string, Link>()
  /** For the commands of all links to an address, by address. */
  private readonly spares = new Map<string, SpareLease>()
  private readonly commands = new Map<number, CommandDone>()
  /** What members know this process by, for pools that it is trying to open. */
  private readonly nonces = new Map<string, Uuid>()
  private nextCommand = COMMAND_BASE
  private readonly owners: (IoOwner | undefined)[] = []
  /** Owners of what came in this batch; few. */
  private readonly touched: IoOwner[] = []
  /** Owners that found no credit; mostly none, however many pools there are. */
  private readonly short = new Set<IoOwner>()

  constructor(options: LinkRegistryOptions) {
    const { env, memory, transport, hostName } = options
    this.env = env
    this.memory = memory
    this.transport = transport
    this.hostName = hostName
    this.software = options.software
    this.credits = options.credits ?? CREDITS_DEFAULT
    this.isChecksumRequired = !transport.supports.payloadChecked
    this.endpoint = transport.open({
      env,
      memory,
      hostName,
      events: {
        onCompletions: (batch) => this.onCompletions(batch),
        onRequests: () => undefined,
        onSessionUp: () => undefined,
        onSessionDown: (session, cause) => this.onSessionDown(session, cause),
      },
    })
  }

  /**
   * F1: what members know this process by. All tries to open a pool share one, or a member that has
   * answered the last try would take this one for somebody else's, and hold the pool against it.
   */
  nonceFor(poolName: string): Uuid {
    const known = this.nonces.get(poolName) ?? randomUuid(this.env)
    this.nonces.set(poolName, known)
    return known
  }

  /** The next opening is another one. */
  noteOpened(poolName: string): void {
    this.nonces.delete(poolName)
  }

  /** A pool that is open was given up: who opens it next, here, is whom its members know (F5). */
  noteGivenUp(poolName: string, nonce: Uuid): void {
    this.nonces.set(poolName, nonce)
  }

  /** The link to this address for pools of this shard; it is not dialed yet. */
  link(address: string, shard: number): Link {
    const key = `${shard} ${address}`
    const known = this.links.get(key)
    if (known !== undefined) return known
    const required: readonly Feature[] = this.isChecksumRequired ? ["payload-checksum"] : []
    const link = new Link(address, {
      env: this.env,
      memory: this.memory,
      spare: this.spareFor(address),
      offer: ownOffer(this.software, required),
      credits: this.credits,
      dial: (to, deadlineMs, credits) => this.endpoint.dial(to, { deadlineMs, credits, shard }),
      takeToken: (onDone) => this.takeToken(onDone),
    })
    this.links.set(key, link)
    return link
  }

  /** The upper half of this owner's tokens. */
  addOwner(owner: IoOwner): number {
    const free = this.owners.indexOf(undefined)
    const index = free < 0 ? this.owners.length : free
    assert(index << OWNER_SHIFT < COMMAND_BASE, "a process has room for this many pools")
    this.owners[index] = owner
    return index << OWNER_SHIFT
  }

  removeOwner(owner: IoOwner): void {
    const index = this.owners.indexOf(owner)
    if (index >= 0) this.owners[index] = undefined
    this.short.delete(owner)
  }

  /** This owner found no credit: it hears of batches that are others', too. */
  noteShort(owner: IoOwner): void {
    this.short.add(owner)
  }

  /** Sends what was submitted now, instead of at the end of the turn. */
  flush(): void {
    this.endpoint.flush()
  }

  async close(): Promise<void> {
    for (const link of this.links.values()) await link.close()
    await this.endpoint.close()
    for (const spare of this.spares.values()) spare.close()
  }

  private spareFor(address: string): SpareLease {
    const spare = this.spares.get(address) ?? new SpareLease(this.memory)
    this.spares.set(address, spare)
    return spare
  }

  private takeToken(onDone: CommandDone): number {
    const token = this.nextCommand
    this.nextCommand = token === COMMAND_LAST ? COMMAND_BASE : token + 1
    assert(!this.commands.has(token), "a command ends before its token is used again")
    this.commands.set(token, onDone)
    return token
  }

  private onCompletions({ words, headers, count }: Batch): void {
    for (let row = 0, at = 0; row < count; row++, at += COMPLETION_STRIDE) {
      const token = words[at + COMPLETION_TOKEN]!
      const status = words[at + COMPLETION_STATUS]!
      const headerAt = words[at + COMPLETION_HEADER_AT]!
      const headerBytes = words[at + COMPLETION_HEADER_BYTES]!
      const payloadBytes = words[at + COMPLETION_PAYLOAD_BYTES]!
      if (token >= COMMAND_BASE) {
        const onDone = this.commands.get(token)
        this.commands.delete(token)
        onDone?.(status, headers, headerAt, headerBytes, payloadBytes)
        continue
      }
      const owner = this.owners[token >>> OWNER_SHIFT]
      if (owner === undefined) continue
      owner.onCompletion(
        token & (OWN_TOKENS - 1),
        status,
        headers,
        headerAt,
        headerBytes,
        payloadBytes,
      )
      if (!this.touched.includes(owner)) this.touched.push(owner)
    }
    // Who lacks credits comes before those that have just had some.
    for (const owner of this.short) {
      if (!this.touched.includes(owner)) owner.onRoom()
      if (!owner.wantsRoom()) this.short.delete(owner)
    }
    for (let owner = this.touched.pop(); owner !== undefined; owner = this.touched.pop()) {
      owner.onBatchEnd()
    }
  }

  private onSessionDown(session: Session, cause: RmrError): void {
    for (const link of this.links.values()) {
      if (link.owns(session)) link.noteDown(session, cause)
    }
  }
}
