/**
 * CrashBench: a store on a simulated disk through the lives of its processes, and a ledger that is
 * told of everything that is asked and of what it ended with.
 *
 * It uses what the package exports and the port, nothing else, so that what it finds holds for
 * every format.
 */
import type { BlockBatch, CellWrite, Memory, Store } from "@rmr/core"
import {
  AssertionError,
  BLOCK_FUA,
  buddyMemory,
  CELL_KINDS,
  leaseBytes,
  RmrError,
  STATUS_OK,
} from "@rmr/core"
import type { Host, PowerFate, SimDisk, SparseBytes, World } from "@rmr/testkit"
import { simDisk } from "@rmr/testkit"
import { nodeWorld } from "@rmr/testkit/node"
import { createStore, eraseStore, fileStore, inspectStore, storeBytes } from "../src/index.js"
import { CrashLedger, type Found } from "./crash-ledger.js"
import { type LifeEnd, taggedUnits, tagsOf } from "./data-ledger.js"

export const SHAPE = {
  sizeBytes: 512 * 1024,
  sizeBytesMax: 768 * 1024,
  extentBytes: 64 * 1024,
  hotExtentsMax: 12,
  chunkSizeBytes: 4096,
}
export const DISK_BYTES: number = storeBytes(SHAPE)
const DISK_BYTES_MAX = DISK_BYTES + SHAPE.sizeBytesMax - SHAPE.sizeBytes

export interface DiskKind {
  readonly atomicBytes: 512 | 4096
  readonly forcedUnitAccess: boolean
}

export const DISK_KINDS: readonly DiskKind[] = [512, 4096].flatMap((atomicBytes) =>
  [true, false].map((forcedUnitAccess) => ({
    atomicBytes: atomicBytes as 512 | 4096,
    forcedUnitAccess,
  })),
)

export function diskTitle({ atomicBytes, forcedUnitAccess }: DiskKind): string {
  return `tears at ${atomicBytes}, ${forcedUnitAccess ? "forces units" : "only flushes"}`
}

/** What may be found at a place: a store of this ledger, or none. */
export type Possible = CrashLedger | "absent"

export interface BenchOptions {
  readonly kind: DiskKind
  readonly seed: number
  readonly content?: SparseBytes
  readonly sizeBytes?: number
  readonly blockBytes?: number
  /** Of the store in `content`; absent where there is none. */
  readonly ledger?: CrashLedger
}

/** Memory that nothing is left in, for the next life. */
const freeMemories: Memory[] = []

export class CrashBench {
  readonly world: World
  readonly disk: SimDisk
  readonly kind: DiskKind
  ledger: CrashLedger
  /** Found instead of what the ledger says, while a store is made or erased. */
  others: Possible[] = []
  isPresent: boolean
  /** How the life before ended. */
  lastEnd: LifeEnd = "power"
  /** How often something was told. */
  toldCount = 0
  /** The world stops here, and whatever waits is interrupted. */
  stepEnd: number = Number.POSITIVE_INFINITY
  /** Called before each step of the world. */
  onStep: () => void = () => undefined
  private opened: Store | undefined
  private memory: Memory = takeMemory()
  private host: Host
  private lifeCount = 1
  private waiting = new Map<number, (status: number) => void>()
  private token = 0
  private lastTag = 0
  private struckCount = 0
  private takeBack: () => void = () => undefined

  constructor({ kind, seed, ...options }: BenchOptions) {
    const { content, sizeBytes = DISK_BYTES, ledger, blockBytes = 4096 } = options
    this.kind = kind
    this.world = nodeWorld({ seed })
    this.host = this.world.host("life-1")
    this.isPresent = ledger !== undefined
    this.ledger = ledger?.copy() ?? new CrashLedger(SHAPE.sizeBytes)
    if (ledger === undefined) this.others = ["absent"]
    this.disk = simDisk(this.world, {
      name: "d",
      sizeBytes,
      sizeBytesMax: Math.max(sizeBytes, DISK_BYTES_MAX),
      inFlightMax: 128,
      blockBytes,
      atomicBytes: Math.min(kind.atomicBytes, blockBytes),
      supports: { forcedUnitAccess: kind.forcedUnitAccess },
      ...(content === undefined ? {} : { content }),
    })
  }

  get store(): Store {
    if (this.opened === undefined) throw new AssertionError("the store is open")
    return this.opened
  }

  get possible(): Possible[] {
    const own = this.isPresent ? [this.ledger.copy()] : []
    return [...own, ...this.others.map((one) => (one === "absent" ? one : one.copy()))]
  }

  get leaseCount(): number {
    return this.memory.stats().leaseCount
  }

  async wait<T>(promise: Promise<T>, what: string): Promise<T> {
    let isSettled = false
    const settle = (): void => {
      isSettled = true
    }
    promise.then(settle, settle)
    await this.run(() => isSettled)
    if (isSettled) return promise
    if (this.isStopped) throw new Interrupted(`before the end of ${what}`)
    throw new AssertionError(`nothing is left to happen, and still no ${what}`)
  }

  /** How each of these ended: "ok", or its code. What is no `RmrError` is thrown. */
  ends(...started: readonly Promise<unknown>[]): Promise<string[]> {
    return this.wait(Promise.all(started.map(endOf)), "answer")
  }

  /** Until nothing is left to happen, or so many steps. */
  async run(isMet: () => boolean = () => false, stepsMax = 100_000): Promise<void> {
    const until = (): boolean => {
      this.onStep()
      return this.isStopped || isMet()
    }
    await this.world.run({ until, stepsMax })
    this.onStep()
  }

  get isOpen(): boolean {
    return this.opened !== undefined
  }

  private get isStopped(): boolean {
    return this.world.stepCount >= this.stepEnd
  }

  startCreate(isForced: boolean, isKnownZero = false): Promise<void> {
    const { memory } = this
    const before = this.isPresent ? [this.ledger] : []
    this.others = [...before, "absent"]
    this.ledger = new CrashLedger(SHAPE.sizeBytes)
    this.isPresent = true
    const source = this.disk.source()
    const { env } = this.host
    const options = { env, memory, source, isForced, isKnownZero, ...SHAPE }
    return createStore(options).then(() => this.tell(() => (this.others = [])))
  }

  startErase(): Promise<void> {
    const { memory } = this
    this.others = [...this.others, "absent"]
    const erasing = eraseStore({ env: this.host.env, memory, source: this.disk.source() })
    return erasing.then(() =>
      this.tell(() => {
        this.isPresent = false
        this.others = ["absent"]
      }),
    )
  }

  /** Whether there is a store, by the tool that only looks; or what that fails with. */
  inspect(): Promise<string> {
    const { memory } = this
    const look = inspectStore({ env: this.host.env, memory, source: this.disk.source() })
    const looked = look.then(
      () => "store",
      (thrown: unknown) => RmrError.from(thrown).code,
    )
    return this.wait(looked, "look")
  }

  startOpen(): Promise<Store> {
    const { ledger, memory } = this
    ledger.phase = "opening"
    const ends = new Map<number, (status: number) => void>()
    this.waiting = ends
    const onCompletions = ({ words, count }: BlockBatch): void => {
      for (let row = 0; row < count; row++) ends.get(words[row * 4]!)?.(words[row * 4 + 1]!)
    }
    const { env } = this.host
    const source = fileStore({ source: this.disk.source() })
    return source.open({ env, memory, events: { onCompletions } }).then((store) => {
      this.tell(() => {
        this.opened = store
        ledger.phase = "open"
        ledger.pending = [store.restart]
      })
      return store
    })
  }

  open(): Promise<Store> {
    return this.wait(this.startOpen(), "open")
  }

  startClose(): Promise<void> {
    const { ledger } = this
    ledger.phase = "closing"
    const covered = ledger.data.coverage
    return this.store.close().then(() =>
      this.tell(() => {
        ledger.phase = "closed"
        this.opened = undefined
        ledger.data.flushed(covered, true)
      }),
    )
  }

  /** S15: nothing is left. */
  async close(): Promise<void> {
    await this.wait(this.startClose(), "close")
    if (this.leaseCount > 0 || this.disk.isOpen) throw new AssertionError("close leaves nothing")
  }

  start(submit: (store: Store, token: number) => void): Promise<number> {
    const token = ++this.token
    const { store } = this
    return new Promise((resolve) => {
      this.waiting.set(token, resolve)
      submit(store, token)
    })
  }

  startCommit(cells: readonly CellWrite[]): Promise<number> {
    const { ledger } = this
    ledger.commitAsked(cells)
    return this.ask(
      (store, token) => store.commit(token, cells),
      (isDone) => ledger.commitTold(isDone),
    )
  }

  startHeat(extents: readonly number[]): Promise<number> {
    const { ledger } = this
    ledger.heatAsked(extents)
    return this.ask(
      (store, token) => store.heat(token, extents),
      (isDone) => isDone && ledger.heatTold(extents),
    )
  }

  cool(extents: readonly number[]): void {
    this.ledger.cooled(extents)
    this.store.cool(extents)
  }

  startSettle(): Promise<number> {
    const { ledger } = this
    ledger.settleAsked()
    return this.ask(
      (store, token) => store.settleRestart(token),
      (isDone) => isDone && ledger.settleTold(),
    )
  }

  startGrow(sizeBytes: number): Promise<void> {
    const { ledger } = this
    ledger.sizes = [...new Set([...ledger.sizes, sizeBytes])]
    return this.store.grow(sizeBytes).then(() => this.tell(() => (ledger.sizes = [sizeBytes])))
  }

  /** Units are atomic ones. */
  startWrite(from: number, to: number, flags = 0): Promise<number> {
    const { memory, unitBytes } = this
    this.lastTag = (this.lastTag % 255) + 1
    const bytes = taggedUnits(from, to, this.lastTag, unitBytes)
    const lease = memory.lease(bytes.length)
    leaseBytes(memory, lease, 0, bytes.length).set(bytes)
    const { data } = this.ledger
    const write = data.ask(from, to, this.lastTag)
    const at = from * unitBytes
    const ended = this.ask(
      (store, token) => store.write(token, at, lease, 0, bytes.length, flags),
      (isDone) => data.tell(write, isDone, (flags & BLOCK_FUA) !== 0),
    )
    memory.release(lease) // the store holds its own reference
    return ended
  }

  startZero(from: number, to: number, flags = 0): Promise<number> {
    const { data } = this.ledger
    const write = data.ask(from, to, 0)
    const { unitBytes } = this
    return this.ask(
      (store, token) => store.zero(token, from * unitBytes, (to - from) * unitBytes, flags),
      (isDone) => data.tell(write, isDone, (flags & BLOCK_FUA) !== 0),
    )
  }

  startFlush(): Promise<number> {
    const { ledger } = this
    const covered = ledger.data.coverage
    return this.ask(
      (store, token) => store.flush(token),
      (isDone) => {
        ledger.data.flushed(covered, isDone)
        if (!isDone) ledger.flushFailed()
      },
    )
  }

  /** All of these at once; fails where one of them does. */
  async done(...started: readonly Promise<number>[]): Promise<void> {
    for (const status of await this.wait(Promise.all(started), "answer")) {
      if (status !== STATUS_OK) throw RmrError.ofStatus(status, "an operation that works")
    }
  }

  status(started: Promise<number>): Promise<number> {
    return this.wait(started, "answer")
  }

  /** The process dies, the machine lives. */
  kill(): void {
    this.disk.kill()
    this.endLife("kill")
  }

  powerCut(fate: PowerFate): void {
    this.disk.powerCut(fate)
    this.endLife("power")
  }

  /** Everything that the open store says and holds. */
  async find(): Promise<Found> {
    const { store } = this
    const cells = new Map<string, Uint8Array>()
    for (const kind of CELL_KINDS) {
      for (const index of store.cellIndexes(kind)) {
        const bytes = await this.wait(store.readCell(kind, index), "cell")
        if (bytes === undefined) throw new AssertionError(`${kind} ${index} is listed and absent`)
        cells.set(`${kind} ${index}`, bytes)
      }
    }
    const { sizeBytes, restart, hotAtOpen: hot } = store
    return { sizeBytes, restart, hot, cells, tags: tagsOf(await this.readAll(), this.unitBytes) }
  }

  async readAll(): Promise<Uint8Array> {
    const { memory, store } = this
    const { sizeBytes } = store
    const lease = memory.lease(sizeBytes)
    await this.done(this.start((one, token) => one.read(token, 0, lease, 0, sizeBytes)))
    const bytes = leaseBytes(memory, lease, 0, sizeBytes).slice()
    memory.release(lease)
    return bytes
  }

  /** Its memory can serve another one, if this one has ended well. */
  end(): void {
    if (this.leaseCount === 0) freeMemories.push(this.memory)
  }

  get unitBytes(): number {
    return this.kind.atomicBytes
  }

  private ask(
    submit: (store: Store, token: number) => void,
    told: (isDone: boolean) => unknown,
  ): Promise<number> {
    const token = ++this.token
    const { store } = this
    return new Promise((resolve) => {
      this.waiting.set(token, (status) => {
        this.tell(() => told(status === STATUS_OK))
        resolve(status)
      })
      submit(store, token)
    })
  }

  private tell(what: () => unknown): void {
    this.noteFaults()
    what()
    this.ledger.somethingTold()
    this.toldCount++
  }

  /** What has struck the disk since the last look. */
  noteFaults(): void {
    const { struckByRules } = this.disk
    for (; this.struckCount < struckByRules.length; this.struckCount++) {
      this.ledger.diskFailed(struckByRules[this.struckCount] === "flush")
    }
  }

  /** In this life. */
  failNextFlush(): void {
    this.takeBack = this.disk.addRule({ on: ["flush"], fails: "io-error", times: 1 })
  }

  private endLife(end: LifeEnd): void {
    this.takeBack()
    this.noteFaults()
    this.host.kill()
    this.host = this.world.host(`life-${++this.lifeCount}`)
    this.ledger.died(end)
    this.lastEnd = end
    this.waiting = new Map()
    this.opened = undefined
    this.memory = takeMemory()
  }
}

/** The end that the caller set has come. */
export class Interrupted extends Error {}

async function endOf(started: Promise<unknown>): Promise<string> {
  try {
    const status = await started
    if (typeof status !== "number" || status === STATUS_OK) return "ok"
    return RmrError.ofStatus(status, "told").code
  } catch (thrown) {
    if (!(thrown instanceof RmrError)) throw thrown
    return thrown.code
  }
}

function takeMemory(): Memory {
  return freeMemories.pop() ?? buddyMemory({ arenas: [4 * 1024 * 1024], leaseCountMax: 256 })
}
