/**
 * An NBD server: volumes as block devices for kernels, virtual machines and tools.
 *
 * A client that misbehaves, or that nothing is heard of, loses its connection and nothing else
 * happens. Memory is bounded by the arenas that are handed in, by `connectionsMax` and by
 * `requestsMax`; who would need more is not read from meanwhile.
 *
 * | deadline | for |
 * |---|---|
 * | `handshakeMs` | a client that does not come to the point |
 * | `stallMs` | one that does not send the rest of a request, or does not take replies; and a |
 * | | request for which there is no memory, which is refused |
 * | `drainMs` | open requests of an export that is removed; then its clients are sent away, and |
 * | | the volume is told to wait for nothing any more |
 */
import type { Env, Memory, Timer, VolumeSource } from "@rmr/core"
import { assert, endsWithin, RmrError, SpareLease, utf8Bytes } from "@rmr/core"
import type {
  StreamAddress,
  StreamConnection,
  StreamEngine,
  StreamEngineSource,
  StreamListener,
  StreamShape,
} from "@rmr/io"
import type { ExportCatalog, ExportFacts } from "./export-facts.js"
import type { Transmission } from "./handshake.js"
import { type ConnectionHost, NbdConnection } from "./nbd-connection.js"
import { type ExportOptions, NbdExport, UNALIGNED_BYTES } from "./nbd-export.js"
import * as nbd from "./protocol.js"
import { RequestFlow } from "./request-flow.js"

const CONNECTIONS_MAX_DEFAULT = 64
const REQUESTS_MAX_DEFAULT = 128
const EXPORTS_MAX = 1024
const HANDSHAKE_MS_DEFAULT = 10_000
const STALL_MS_DEFAULT = 60_000
const DRAIN_MS_DEFAULT = 30_000

const SHAPE: StreamShape = {
  headBytes: nbd.REQUEST_BYTES,
  magic: nbd.REQUEST_MAGIC,
  kindAt: nbd.REQUEST_KIND_AT,
  payloadKind: nbd.CMD_WRITE,
  payloadBytesAt: nbd.REQUEST_LENGTH_AT,
}

export interface NbdServerOptions {
  readonly env: Env
  /** What requests are kept in. The longest request is `leaseBytesMax`, or 32 MiB. */
  readonly memory: Memory
  readonly engine: StreamEngineSource
  /** At a time, of all exports; default 64. Others are turned away. */
  readonly connectionsMax?: number
  /** Open requests of one connection; default 128. */
  readonly requestsMax?: number
  readonly handshakeMs?: number
  readonly stallMs?: number
  readonly drainMs?: number
}

export interface NbdServerStats {
  readonly connectionCount: number
  readonly acceptedCount: number
  /** Turned away, because there were too many. */
  readonly refusedCount: number
  readonly openRequestCount: number
  readonly requestCount: number
  readonly errorCount: number
  readonly readBytes: number
  readonly writtenBytes: number
}

export interface NbdServer {
  /** The first export is the default one. Fails with `exists`, `invalid-argument`, … */
  addExport(name: string, source: VolumeSource, options?: ExportOptions): void
  /** Answers what is open, then closes connections and volume. Fails with `not-found`. */
  removeExport(name: string): Promise<void>
  /**
   * The volume has another size: clients are sent away, and find it when they come again. Where it
   * cannot be opened, the export is gone.
   */
  reopenExport(name: string): Promise<void>
  /** Fails with `busy` or `invalid-argument`. */
  listen(at: StreamAddress): Promise<StreamListener>
  stats(): NbdServerStats
  /** What clients may choose from now, the default one first. */
  exports(): readonly ExportFacts[]
  /** Removes all exports. Idempotent. */
  close(): Promise<void>
}

export function nbdServer(options: NbdServerOptions): NbdServer {
  return new Server(options)
}

class Server implements NbdServer, ConnectionHost {
  readonly openFramesMax: number
  readonly catalog: ExportCatalog
  private readonly options: NbdServerOptions
  private readonly env: Env
  private readonly engine: StreamEngine
  private readonly flow: RequestFlow
  private readonly spare: SpareLease
  private readonly rowsMax: number
  private readonly exportsByName = new Map<string, NbdExport>()
  private readonly connections = new Set<NbdConnection>()
  private readonly connectionsById: (NbdConnection | undefined)[] = []
  private readonly listeners = new Set<StreamListener>()
  private readonly drains = new WeakMap<NbdExport, Promise<void>>()
  private isTurningAway = false
  private acceptedCount = 0
  private refusedCount = 0
  private patrol: Timer | undefined
  private closing: Promise<void> | undefined

  constructor(options: NbdServerOptions) {
    this.options = options
    this.env = options.env
    this.openFramesMax = options.requestsMax ?? REQUESTS_MAX_DEFAULT
    this.rowsMax = (options.connectionsMax ?? CONNECTIONS_MAX_DEFAULT) * this.openFramesMax
    this.spare = new SpareLease(options.memory)
    const connectionOf = (id: number): NbdConnection | undefined => this.connectionsById[id]
    this.flow = new RequestFlow(options.memory, this.rowsMax, connectionOf)
    this.catalog = {
      find: (name) => this.find(name)?.facts,
      all: () => this.allFacts(),
      isClosing: (facts) => this.find(facts.name)?.isClosing ?? true,
    }
    this.engine = options.engine({
      env: options.env,
      memory: options.memory,
      shape: SHAPE,
      turns: { onFrames: (batch) => this.flow.take(batch), onTurnEnd: () => undefined },
    })
    this.schedulePatrol()
  }

  addExport(name: string, source: VolumeSource, options: ExportOptions = {}): void {
    assert(this.closing === undefined, "a closed server exports nothing")
    const texts = [name, options.description ?? ""]
    if (texts.some((text) => utf8Bytes(text) > nbd.TEXT_BYTES_MAX || text.includes("\0"))) {
      throw new RmrError("invalid-argument", "a name or description that no client can be told")
    }
    if (name === "") throw new RmrError("invalid-argument", "an export without a name")
    if (this.exportsByName.size >= EXPORTS_MAX) {
      throw new RmrError("invalid-argument", `a server has at most ${EXPORTS_MAX} exports`)
    }
    if (this.exportsByName.has(name)) {
      throw new RmrError("exists", `there is an export ${name} already`)
    }
    this.exportsByName.set(name, this.opened(name, source, options))
  }

  async removeExport(name: string): Promise<void> {
    const old = this.known(name)
    await this.drain(old)
    if (this.exportsByName.get(name) === old) this.exportsByName.delete(name)
  }

  async reopenExport(name: string): Promise<void> {
    const old = this.known(name)
    await this.drain(old)
    if (this.exportsByName.get(name) !== old || this.closing !== undefined) return
    this.exportsByName.delete(name)
    this.exportsByName.set(name, this.opened(name, old.source, old.options))
  }

  async listen(at: StreamAddress): Promise<StreamListener> {
    assert(this.closing === undefined, "a closed server does not listen")
    const listener = await this.engine.listen(at, (stream, note) => this.accept(stream, note))
    this.listeners.add(listener)
    return listener
  }

  stats(): NbdServerStats {
    const { connections, acceptedCount, refusedCount } = this
    const openRequestCount = this.flow.requests.usedCount
    const own = { connectionCount: connections.size, acceptedCount, refusedCount }
    return { ...own, openRequestCount, ...this.flow.counts }
  }

  exports(): readonly ExportFacts[] {
    return [...this.allFacts()].filter((facts) => !this.catalog.isClosing(facts))
  }

  close(): Promise<void> {
    this.closing ??= this.shutDown()
    return this.closing
  }

  exportOf({ facts }: Transmission): NbdExport | undefined {
    const found = this.exportsByName.get(facts.name)
    return found === undefined || found.isClosing ? undefined : found
  }

  onGone(connection: NbdConnection, why: string): void {
    this.connections.delete(connection)
    if (this.connectionsById[connection.stream.id] === connection) {
      this.connectionsById[connection.stream.id] = undefined
    }
    this.flow.disown(connection)
    const name = connection.serves?.facts.name ?? null
    this.env.log.write("debug", "nbd.connection.ended", { export: name, why })
  }

  /** A note is what the door of another thread has agreed with a client (nbd-door.ts). */
  private accept(stream: StreamConnection, note: unknown): NbdConnection {
    const agreed = note as Transmission | undefined
    const connection = new NbdConnection(stream, this, agreed !== undefined)
    this.acceptedCount++
    if (this.closing !== undefined || !this.hasRoom()) {
      this.refusedCount++
      this.sayTurningAway()
      connection.close("there are too many")
      return connection
    }
    this.isTurningAway = false
    this.connections.add(connection)
    this.connectionsById[stream.id] = connection
    if (agreed !== undefined) {
      connection.serve(agreed)
      return connection
    }
    const deadlineMs = this.options.handshakeMs ?? HANDSHAKE_MS_DEFAULT
    connection.deadline = this.env.clock.schedule(deadlineMs, () => {
      connection.close("it did not come to the point")
    })
    return connection
  }

  /** Once, and not for each of a flood. */
  private sayTurningAway(): void {
    if (this.isTurningAway) return
    this.isTurningAway = true
    this.env.log.write("warn", "nbd.connections.full", { connections: this.connections.size })
  }

  /** Every connection has its rows for sure; those of clients that are gone may still be in use. */
  private hasRoom(): boolean {
    const rowsTaken = this.connections.size * this.openFramesMax + this.flow.orphanCount
    return rowsTaken + this.openFramesMax <= this.rowsMax
  }

  private opened(name: string, source: VolumeSource, options: ExportOptions): NbdExport {
    const { memory } = this.options
    const { requests } = this.flow
    if (!this.spare.keep(Math.min(UNALIGNED_BYTES, memory.leaseBytesMax))) {
      throw new RmrError("out-of-memory", "no room for an export")
    }
    const onDone = (row: number): void => this.flow.onDone(row)
    const { spare } = this
    return new NbdExport(name, source, options, { memory, spare, requests, onDone })
  }

  private find(name: string): NbdExport | undefined {
    if (name !== "") return this.exportsByName.get(name)
    for (const first of this.exportsByName.values()) return first
    return undefined
  }

  private known(name: string): NbdExport {
    const found = this.exportsByName.get(name)
    if (found === undefined) throw new RmrError("not-found", `there is no export ${name}`)
    if (found.isClosing) throw new RmrError("busy", `the export ${name} is being closed already`)
    return found
  }

  private *allFacts(): Iterable<ExportFacts> {
    for (const { facts } of this.exportsByName.values()) yield facts
  }

  /** Once, whoever asks for it. */
  private drain(from: NbdExport): Promise<void> {
    const known = this.drains.get(from)
    if (known !== undefined) return known
    const begun = this.drained(from)
    this.drains.set(from, begun)
    return begun
  }

  private async drained(from: NbdExport): Promise<void> {
    from.isClosing = true
    const its = [...this.connections].filter(({ serves }) => serves === from)
    for (const connection of its) connection.leave()
    const drainMs = this.options.drainMs ?? DRAIN_MS_DEFAULT
    if (await endsWithin(this.env.clock, drainMs, from.idle())) {
      await from.close()
      return
    }
    const fields = { export: from.facts.name, requests: from.openCount }
    this.env.log.write("warn", "nbd.export.given-up", fields)
    for (const connection of its) connection.close("it took too long")
    await from.close(0)
  }

  private async shutDown(): Promise<void> {
    this.patrol?.cancel()
    for (const listener of this.listeners) listener.close()
    for (const connection of this.connections) {
      if (connection.phase === "talking") connection.close("the server is closing")
    }
    await Promise.all([...this.exportsByName.values()].map((each) => this.drain(each)))
    this.exportsByName.clear()
    for (const connection of this.connections) connection.close("the server is closing")
    await this.engine.close()
    this.spare.close()
  }

  private schedulePatrol(): void {
    const stallMs = this.options.stallMs ?? STALL_MS_DEFAULT
    this.patrol = this.env.clock.schedule(stallMs, () => {
      for (const connection of this.connections) {
        if (connection.standsStill()) connection.close("it stood still")
      }
      this.flow.refuseHungry()
      this.schedulePatrol()
    })
  }
}
