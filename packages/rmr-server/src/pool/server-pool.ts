/**
 * ServerPool: what one storage node does for one pool (upstream: `rmr_srv_pool`).
 *
 * It owns the member (what is durable), the admission (who may do what now) and the data path (what
 * is being done), and changes its state in one cell. Commands that change anything run one after
 * another; IO runs beside them, and a command that must not meet IO drains it first (W5).
 */
import type { LinkRegistry } from "@rmr/client"
import type {
  Checksum,
  Env,
  ErrorCode,
  GroupId,
  LastIoEntry,
  MapVersion,
  MemberId,
  MemberMap,
  MemberReport,
  Memory,
  PoolMetadata,
  ServerPoolEvent,
  ServerPoolState,
  StateView,
  StoreSource,
} from "@rmr/core"
import {
  assert,
  groupIdOfName,
  LAST_IO_CELL,
  NO_VIEW,
  RmrError,
  SERVER_POOL_MACHINE,
  StateCell,
} from "@rmr/core"
import { DataPath } from "../io/data-path.js"
import type { Foreground } from "../io/foreground.js"
import { PoolAdmission } from "../io/pool-admission.js"
import type { MapSender } from "../rejoin/map-sender.js"
import { MapUpdates } from "../rejoin/map-updates.js"
import { Copier } from "../sync/copier.js"
import { checkedSyncLimits, type PaceShown, type SyncLimits } from "../sync/pace.js"
import { Peers } from "../sync/peers.js"
import { MapSaver } from "./map-saver.js"
import { absentOf, type Member } from "./member.js"
import type { MemberVolume } from "./member-volume.js"
import { COPIES_MAX, type MemberConfig, openMember } from "./open-member.js"
import { closedWithin } from "./pool-closing.js"
import { StoreJobs } from "./store-jobs.js"

/** What the layer above makes of a USER command (a block device: map, unmap, parameters). */
export type UserHandler = (
  pool: ServerPool,
  data: Uint8Array,
) => Promise<{ readonly userStatus: number; readonly bytes: Uint8Array }>

export interface ServerPoolOptions extends MemberConfig {
  readonly source: StoreSource
  readonly userHandler: UserHandler
  /** How fast copies may be, and must. */
  readonly sync?: Partial<SyncLimits>
}

/** What the node gives to each of its pools. */
export interface ServerPoolWorld {
  readonly env: Env
  readonly memory: Memory
  readonly checksum: Checksum
  readonly isChecksumRequired: boolean
  /** A holder that was heard within this time is alive (F5). */
  readonly holderMs: number
  readonly rowsMax: number
  /** What is asked of all pools here: they share disks, processors and networks (S11). */
  readonly foreground: Foreground
  /** Sends what was answered now, instead of a turn later. */
  readonly flush: () => void
  /** The way to peers, and who this process is to them. */
  readonly registry: LinkRegistry
  readonly nonce: string
}

export class ServerPool {
  readonly name: string
  readonly groupId: GroupId
  readonly world: ServerPoolWorld
  readonly admission: PoolAdmission = new PoolAdmission()
  readonly userHandler: UserHandler
  /** When the holder was heard last in this process, on the local clock. */
  heardMs: number | undefined
  lastFailure: RmrError | undefined
  /** The view that this member heard of and is not in: its pool goes on without this store. */
  deletedIn: MapVersion | undefined
  private readonly cell: StateCell<ServerPoolState, ServerPoolEvent>
  private memberNow: Member | undefined
  private data: DataPath | undefined
  private queue: Promise<unknown> = Promise.resolve()
  private isClosing = false
  private idleWaiters: (() => void)[] = []
  private checking: Promise<void> | undefined
  private saver: MapSaver | undefined
  private peers: Peers | undefined
  private copier: Copier | undefined
  /** How this member comes back, and helps others to (M3). */
  readonly updates: MapUpdates
  private readonly syncLimits: SyncLimits

  private constructor(options: ServerPoolOptions, world: ServerPoolWorld) {
    this.name = options.poolName
    this.groupId = groupIdOfName(options.poolName)
    this.userHandler = options.userHandler
    this.world = world
    this.syncLimits = checkedSyncLimits(options.sync ?? {})
    this.cell = new StateCell(SERVER_POOL_MACHINE, world.env.clock.nowMs())
    this.updates = new MapUpdates(world.env.clock)
  }

  /** Opens the store and takes up what it holds. Fails with what is wrong with the store. */
  static async open(options: ServerPoolOptions, world: ServerPoolWorld): Promise<ServerPool> {
    const pool = new ServerPool(options, world)
    const { env, memory } = world
    const jobs = await StoreJobs.open(
      { env, memory, source: options.source },
      {
        onDone: (row, status, at, bytes) => pool.data?.onStoreDone(row, status, at, bytes),
        onBatchEnd: () => {
          pool.data?.deliver()
          world.flush()
        },
        onRoom: () => pool.data?.onRoom(),
        onCacheLost: (error) => pool.fail(error),
      },
    )
    try {
      pool.memberNow = await openMember(env, jobs, options)
    } catch (thrown) {
      await jobs.store.close()
      throw thrown
    }
    pool.member.onMapsLost = (error) => pool.fail(error)
    pool.move("registered", "store-added")
    pool.takeUp()
    if (pool.member.record !== undefined) pool.move("no-io", "join-assemble")
    return pool
  }

  get state(): StateView<ServerPoolState, ServerPoolEvent> {
    return this.cell
  }

  get member(): Member {
    assert(this.memberNow !== undefined, "a pool that is open has a member")
    return this.memberNow
  }

  get record(): PoolMetadata | undefined {
    return this.member.record
  }

  /** There from the first view record on. */
  get dataPath(): DataPath | undefined {
    return this.data
  }

  /** Chunks that this process has fetched from peers. */
  get copiedChunks(): number {
    return this.copier?.copiedChunks ?? 0
  }

  /** Of these, chunks that were equal already, so that no bytes had to come (S7). */
  get equalChunks(): number {
    return this.copier?.equalChunks ?? 0
  }

  /** How fast it becomes clean now, and how long that will take (P10). */
  get syncProgress(): { readonly chunksPerSecond: number; readonly leftMs: number | undefined } {
    const progress = this.copier?.progress
    const leftMs = progress?.leftMs(this.memberNow?.volume?.maps.own.count ?? 0)
    return { chunksPerSecond: progress?.chunksPerSecond ?? 0, leftMs }
  }

  /** Whether copies go easy on foreground IO now; undefined before the first view (S11). */
  get syncPace(): PaceShown | undefined {
    return this.copier?.pacing
  }

  /** Whether an admin has stopped copies that nobody waits for. */
  get isSyncStopped(): boolean {
    return this.copier?.isStopped ?? false
  }

  /** Fails with `busy` before the pool has a view. */
  setSync(isOn: boolean): void {
    const { copier } = this
    if (copier === undefined) {
      throw new RmrError("busy", `pool ${this.name} has no view yet: there is nothing to copy`)
    }
    if (isOn) copier.goOn()
    else copier.stop()
  }

  /** S6: what was found damaged is marked and repaired; before the first view nothing is there. */
  async noteDamage(offset: number, bytes: number): Promise<void> {
    await this.data?.noteDamage(offset, bytes)
  }

  /** What this member lacks, and what it knows that absent ones lack. Maps that change. */
  memberMaps(): readonly MemberMap[] {
    const { volume, record } = this.member
    const members: MemberMap[] = []
    for (const [slot, entry] of (record?.members ?? []).entries()) {
      const isNormal = ((record?.normal ?? 0) & (1 << slot)) !== 0
      const about = isNormal ? undefined : volume?.maps.about(slot)
      const map = slot === volume?.ownSlot ? volume.maps.own : about
      if (entry !== undefined && map !== undefined) members.push({ memberId: entry.memberId, map })
    }
    return members
  }

  /** The newest mutation of each io unit, as this member has recorded it. */
  lastIo(): readonly LastIoEntry[] {
    return this.member.volume?.lastIo.entries() ?? []
  }

  move(to: ServerPoolState, event: ServerPoolEvent, detail = ""): void {
    if (this.cell.state === to) return
    this.cell.transition(to, event, this.world.env.clock.nowMs(), detail)
    this.admission.isNormal = to === "normal"
    // Copies begin behind the answer: whoever waits for it may have IO standing still (P9).
    if (to === "normal") this.world.env.clock.schedule(0, () => this.copier?.onView())
    this.world.env.log.write("info", "server-pool.state", {
      pool: this.name,
      to,
      on: event,
      detail,
    })
  }

  /** Runs after everything that was asked before has ended; refused once the pool is to close. */
  serially<T>(run: () => Promise<T>): Promise<T> {
    if (!this.isClosing) return this.inTurn(run)
    return Promise.reject(new RmrError("closed", `this member of ${this.name} stops serving`))
  }

  private inTurn<T>(run: () => Promise<T>): Promise<T> {
    const next = this.queue.then(run, run)
    this.queue = next.catch(() => undefined)
    return next
  }

  /** A small durable write. Whoever asks while one is on its way waits for that one. */
  checkStore(): Promise<void> {
    this.checking ??= this.serially(() => this.member.changeState({})).finally(() => {
      this.checking = undefined
    })
    return this.checking
  }

  /** Admits nothing more and waits until what was admitted has ended (W5). */
  async drain(event: ServerPoolEvent): Promise<void> {
    await this.endIo()
    if (this.cell.state === "normal") this.move("no-io", event)
    this.admission.joinedView = NO_VIEW
  }

  /** What was admitted has ended, and nothing is admitted until the caller says so. */
  async endIo(): Promise<void> {
    this.admission.isDraining = true
    const data = this.data
    if (data !== undefined) {
      data.entries.endAll(0)
      data.deliver()
      data.drain()
      while (data.table.count > 0 || (this.copier?.writingCount ?? 0) > 0) {
        await new Promise<void>((resolve) => this.idleWaiters.push(resolve))
      }
      await this.member.saveMaps()
    }
  }

  /** The map update with this number, of which this member is the source. */
  senderOf(update: number, receiver: MemberId): MapSender {
    assert(this.peers !== undefined, "a normal member has ties to its peers")
    return this.updates.senderOf(update, receiver, this.member, this.peers)
  }

  report(): MemberReport {
    return this.member.report(this.cell.state, this.admission.joinedView)
  }

  /** Whether an OPEN without takeover would be refused, and for how long the holder was silent. */
  get holderSilentMs(): number | undefined {
    if (this.heardMs === undefined) return undefined
    return this.world.env.clock.nowMs() - this.heardMs
  }

  noteHeard(): void {
    this.heardMs = this.world.env.clock.nowMs()
  }

  /** The store cannot keep its promises: nothing is admitted any more (I5). */
  fail(error: RmrError): void {
    if (this.lastFailure !== undefined) return
    this.lastFailure = error
    this.data?.stopServing()
    this.saver?.close()
    this.world.env.log.write("error", "server-pool.store-failed", {
      pool: this.name,
      code: error.code,
      detail: error.detail,
    })
    if (this.cell.state === "normal") this.move("no-io", "store-failed", error.message)
  }

  /** After the view on disk has changed, or was read: admission follows it. */
  takeUp(): void {
    const { record, state } = this.member
    this.admission.epoch = state.epoch
    this.admission.nonce = state.nonce
    if (record === undefined) return
    this.deletedIn = undefined
    this.admission.currentView = record.mapVersion
    this.admission.setLineage(record.mapVersion.lineage)
    this.updates.onView(record)
    this.member.markedFor = absentOf(record)
    if (this.data === undefined) this.data = this.makeDataPath()
    if (this.lastFailure !== undefined) this.data.stopServing()
    this.copier?.onView()
  }

  /** Makes extents cool that hold nothing beyond the stable number (I2). */
  cool(): void {
    this.saver?.cool()
  }

  /** Drains, keeps last io, and closes the store cleanly. Fails as `closedWithin` says. */
  close(withinMs: number): Promise<void> {
    this.isClosing = true
    const closed = this.inTurn(async () => {
      if (this.cell.state === "empty") return
      await this.drain("leaving")
      await this.closeStore()
    })
    const requestCount = (): number => this.data?.table.count ?? 0
    const closing = { env: this.world.env, pool: this.name, requestCount }
    return closedWithin(closing, withinMs, closed)
  }

  private async closeStore(): Promise<void> {
    const { jobs, volume, state } = this.member
    if (volume !== undefined && this.lastFailure === undefined) {
      const entries = volume.lastIo.entries()
      const bytes = LAST_IO_CELL.encode({ incarnation: state.incarnation, entries })
      await jobs.commit([{ kind: "last-io", index: 0, bytes }])
    }
    this.saver?.close()
    this.peers?.close()
    await jobs.store.close()
    if (this.cell.state === "created") this.move("no-io", "leaving")
    this.move("empty", "store-closed")
  }

  private makeDataPath(): DataPath {
    const { env, memory, checksum, isChecksumRequired, rowsMax, foreground } = this.world
    const { member, admission, groupId } = this
    const { volume } = member
    assert(volume !== undefined, "a member with a record tracks its volume")
    const data = new DataPath({
      env,
      memory,
      member,
      volume,
      admission,
      groupId,
      foreground,
      rowsMax,
      copiesMax: COPIES_MAX,
      checksum,
      isChecksumRequired,
      onCopyLock: (copy) => this.copier?.onLocked(copy),
      onCopyCleared: (copy, error) => this.copier?.onCleared(copy, error),
      events: {
        onStoreFailed: (error) => this.fail(error),
        onIdle: () => this.wakeIdle(),
        onChunkWanted: (chunk) => this.copier?.want(chunk),
        onCoolingDue: () => this.cool(),
      },
    })
    const onFailed = (error: RmrError): void => this.fail(error)
    const isNormal = (): boolean => admission.isNormal
    const { clock } = env
    this.saver = new MapSaver({ clock, member, volume, stable: data, isNormal, onFailed })
    this.startCopier(data, volume)
    return data
  }

  private startCopier(data: DataPath, volume: MemberVolume): void {
    const { env, memory, registry, nonce, checksum } = this.world
    const { member, groupId, admission } = this
    const { memberId } = member
    const { geometry } = volume
    const poolName = this.name
    this.peers = new Peers({
      env,
      memory,
      registry,
      poolName,
      groupId,
      memberId,
      nonce,
      checksum,
      geometry,
    })
    this.copier = new Copier({
      clock: env.clock,
      memory,
      member,
      volume,
      data,
      peers: this.peers,
      copiesMax: COPIES_MAX,
      limits: this.syncLimits,
      partBytesMax: registry.transport.supports.payloadBytesMax,
      mayCopy: () => admission.isNormal && !admission.isDraining,
      onFailed: (error) => this.fail(error),
      onWritten: () => this.wakeIdle(),
      onCoolingDue: () => this.cool(),
      schedule: (delayMs, run) => env.clock.schedule(delayMs, run),
    })
  }

  private wakeIdle(): void {
    const waiters = this.idleWaiters
    this.idleWaiters = []
    for (const wake of waiters) wake()
  }
}

/** What a command is refused with when its holder is not this one; undefined for the holder. */
export function refuseHolder(
  { admission }: ServerPool,
  epoch: number,
  nonce: string,
): ErrorCode | undefined {
  if (epoch < admission.epoch) return "fenced"
  if (epoch === admission.epoch && nonce !== admission.nonce) return "fenced"
  if (epoch > admission.epoch || !admission.isOpen) return "not-open"
  return undefined
}
