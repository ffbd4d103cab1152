/**
 * HuntLoad: operations of every kind and size against whoever has the pool, many at a time.
 *
 * Several workers ask for one thing after another, where the next one may overlap what another
 * worker has in flight. Each answer is held against the oracle. An operation whose client dies is
 * over at that moment, and one that is not over long after every deadline is a hang (P6).
 */
import {
  BLOCK_FUA,
  BLOCK_UNMAP,
  CHUNK_REAL,
  type ChunkNumber,
  type DirtyMap,
  type MemberSet,
  NO_CHUNK,
  RmrError,
  STATUS_OK,
  statusOf,
  VOLUME_BLOCK_BYTES,
} from "@rmr/core"
import type { SeededRandom } from "@rmr/testkit"
import type { SimClient, SimPool } from "../pool/sim-pool.js"
import { VolumeUser } from "../pool/volume-user.js"
import { type BlockOracle, fillBlocks, type Lacks, type Mutation } from "./block-oracle.js"

/** Longer than every deadline of a client one after the other. */
export const HANG_MS = 40_000

/** A client of the story, with what the story knows of it. */
export interface HuntClient {
  readonly sim: SimClient
  readonly user: VolumeUser
  /** Fulfilled when its process dies. */
  readonly death: Promise<undefined>
  readonly die: () => void
}

export function huntClient(client: SimClient): HuntClient {
  let die = (): void => undefined
  const death = new Promise<undefined>((resolve) => {
    die = () => resolve(undefined)
  })
  const user = new VolumeUser(client.pool, client.memory)
  return { sim: client, user, death, die }
}

export interface HuntLoadOptions {
  readonly poolName: string
  readonly sim: SimPool
  readonly oracle: BlockOracle
  readonly random: SeededRandom
  /** Who has the pool now. */
  readonly client: () => HuntClient | undefined
  /** A promise was broken. */
  readonly onBroken: (what: string) => void
  /** Members whose store will lose its cache without a loss of power. */
  readonly doomed: () => number
  /** Operations on these bytes may fail, since their medium was made bad. */
  readonly mayFail: (offset: number, length: number) => boolean
  /** Most of the load goes to so many blocks; default to all alike. */
  readonly hotBlocks: number | undefined
}

type Blocks = Pick<Mutation, "firstBlock" | "blockCount">

const IO_ERROR = statusOf("io-error")
const BLOCKS_MAX = 32
/** Of the operations where some blocks are hot, this part is of those. */
const HOT_SHARE = 0.85

export class HuntLoad {
  operationCount = 0
  /** Everything has to succeed. */
  isCalm = false
  private readonly options: HuntLoadOptions
  /** Workers ask for nothing. */
  isResting = false
  /** Somebody lost its cache since a flush said last that this has cost something (I5). */
  mayHaveLost = false
  private isOver = false
  private busyCount = 0
  private readonly workers: Promise<void>[] = []

  private readonly firstHot: number

  constructor(options: HuntLoadOptions) {
    this.options = options
    const { random, oracle, hotBlocks = 0 } = options
    this.firstHot = random.fork("hot").below(oracle.blockCount - hotBlocks + 1)
  }

  start(workerCount: number, pauseMs: number): void {
    for (let nth = 0; nth < workerCount; nth++) this.workers.push(this.work(nth, pauseMs))
  }

  async stop(): Promise<void> {
    this.isOver = true
    await Promise.all(this.workers)
  }

  private async work(nth: number, pauseMs: number): Promise<void> {
    const random = this.options.random.fork(`worker-${nth}`)
    while (!this.isOver) {
      const client = this.options.client()
      if (client !== undefined && !this.isResting) {
        this.busyCount++
        await this.once(client, random)
        this.busyCount--
      }
      await pause(this.options.sim, random.unit() * pauseMs)
    }
  }

  /** Until nothing that a worker asked for is under way. */
  async rest(): Promise<void> {
    while (this.busyCount > 0) await pause(this.options.sim, 10)
  }

  /** One operation; true where it succeeded. */
  async once(client: HuntClient, random: SeededRandom): Promise<boolean> {
    this.operationCount++
    const { firstBlock, blockCount } = this.draw(random)
    const kind = random.below(20)
    if (kind < 9) return this.write(client, firstBlock, blockCount, random.chance(0.2))
    if (kind < 11) return this.zero(client, firstBlock, blockCount, random)
    if (kind < 12) return this.flush(client)
    return (await this.read(client, firstBlock, blockCount)) !== undefined
  }

  private draw(random: SeededRandom): { readonly firstBlock: number; readonly blockCount: number } {
    const { oracle, hotBlocks } = this.options
    const wish = random.chance(0.5) ? 1 : 1 + random.below(BLOCKS_MAX)
    if (hotBlocks === undefined || !random.chance(HOT_SHARE)) {
      return { firstBlock: random.below(oracle.blockCount - wish + 1), blockCount: wish }
    }
    const blockCount = Math.min(wish, hotBlocks)
    return { firstBlock: this.firstHot + random.below(hotBlocks - blockCount + 1), blockCount }
  }

  /** All blocks one after the other, and in turn with them the hot ones. */
  blockToLookAt(nth: number): number {
    const { oracle, hotBlocks } = this.options
    const half = nth >> 1
    if (hotBlocks !== undefined && nth % 2 === 0) return this.firstHot + (half % hotBlocks)
    // A step that has no divisor in common with any power of two: all blocks, in no run.
    return (half * 37) % oracle.blockCount
  }

  async write(
    client: HuntClient,
    firstBlock: number,
    blockCount: number,
    isForced: boolean,
  ): Promise<boolean> {
    const mutation = this.options.oracle.begin(firstBlock, blockCount, false)
    return this.writeAs(client, mutation, isForced)
  }

  /** By a client that does not have the pool any more: nobody carries it out (P5). */
  async writeForbidden(client: HuntClient, block: number): Promise<boolean> {
    return this.writeAs(client, this.options.oracle.beginForbidden(block, 1), false)
  }

  private writeAs(client: HuntClient, mutation: Mutation, isForced: boolean): Promise<boolean> {
    const { firstBlock, blockCount } = mutation
    mutation.lostBy |= this.options.doomed()
    const bytes = new Uint8Array(blockCount * VOLUME_BLOCK_BYTES)
    fillBlocks(bytes, firstBlock, mutation.id)
    const offset = firstBlock * VOLUME_BLOCK_BYTES
    const flags = isForced ? BLOCK_FUA : 0
    return this.end(client, mutation, isForced, client.user.write(offset, bytes, flags))
  }

  private async zero(
    client: HuntClient,
    firstBlock: number,
    blockCount: number,
    random: SeededRandom,
  ): Promise<boolean> {
    const mutation = this.options.oracle.begin(firstBlock, blockCount, true)
    mutation.lostBy |= this.options.doomed()
    const isForced = random.chance(0.2)
    const flags = (isForced ? BLOCK_FUA : 0) | (random.chance(0.5) ? BLOCK_UNMAP : 0)
    const offset = firstBlock * VOLUME_BLOCK_BYTES
    const bytes = blockCount * VOLUME_BLOCK_BYTES
    return this.end(client, mutation, isForced, client.user.zero(offset, bytes, flags))
  }

  private async end(
    client: HuntClient,
    mutation: Mutation,
    isForced: boolean,
    work: Promise<number>,
  ): Promise<boolean> {
    const { oracle } = this.options
    const { firstBlock, blockCount } = mutation
    const { isCalm } = this
    const what = `mutation ${mutation.id} of blocks ${firstBlock}+${blockCount}`
    const status = await this.outcome(client, what, work)
    if (status !== STATUS_OK) {
      // The next view may have been on its way; the one behind it lists what failed (W6).
      oracle.fail(mutation, client.sim.pool.record.mapVersion.version + 2)
      if (isCalm && status !== undefined) {
        this.requireCalmSuccess(client, what, status, firstBlock, blockCount)
      }
      return false
    }
    oracle.acknowledge(mutation, isForced, this.dirtyIn(mutation))
    oracle.narrow(client.sim.pool.record.normal, this.lacks)
    return true
  }

  async flush(client: HuntClient): Promise<boolean> {
    const { oracle } = this.options
    const begin = oracle.beginFlush()
    const { isCalm } = this
    const status = await this.outcome(client, "a flush", client.user.flush())
    if (status === STATUS_OK) oracle.flushed(begin)
    else if (status === IO_ERROR && this.mayHaveLost) {
      this.mayHaveLost = false
      oracle.flushLost()
    } else if (isCalm && status !== undefined) {
      this.requireCalmSuccess(client, "a flush", status, 0, oracle.blockCount)
    }
    return status === STATUS_OK
  }

  /** The bytes, where there are any. */
  async read(
    client: HuntClient,
    firstBlock: number,
    blockCount: number,
  ): Promise<Uint8Array | undefined> {
    const { oracle, onBroken } = this.options
    const mark = oracle.beginRead()
    const { version } = client.sim.pool.record.mapVersion
    const { isCalm } = this
    const offset = firstBlock * VOLUME_BLOCK_BYTES
    const what = `a read of blocks ${firstBlock}+${blockCount}`
    const work = client.user.read(offset, blockCount * VOLUME_BLOCK_BYTES)
    const read = await this.outcome(client, what, work)
    oracle.endRead(mark)
    if (read === undefined) return undefined
    if (read instanceof RmrError) {
      if (isCalm) this.requireCalmSuccess(client, what, read.code, firstBlock, blockCount)
      return undefined
    }
    const { normal } = client.sim.pool.record
    oracle.narrow(normal, this.lacks)
    const wrong = oracle.judge(mark, firstBlock, read)
    if (wrong !== undefined) onBroken(`P2: ${what} by ${client.sim.host.name}: ${wrong}`)
    // Who suspects it may be the only one left before it has copied it (Q22, RT-49).
    else if ((normal & this.dirtyIn({ firstBlock, blockCount })) === 0) {
      oracle.noteRead(mark, version, firstBlock, read)
    }
    return read
  }

  /** What the work came to; undefined where its client died, or it hangs. */
  private async outcome<T>(
    client: HuntClient,
    what: string,
    work: Promise<T>,
  ): Promise<T | undefined> {
    const { sim, onBroken } = this.options
    const hang = limit(sim, HANG_MS)
    const outcome = await Promise.race([work, client.death, hang.over])
    hang.cancel()
    if (outcome === OVER) {
      onBroken(`P6: ${what} by ${client.sim.host.name} has no end`)
      return undefined
    }
    return outcome as T | undefined
  }

  /** Of what was asked for with nothing wrong: before that, waits may be for what never came. */
  private requireCalmSuccess(
    client: HuntClient,
    what: string,
    status: number | string,
    firstBlock: number,
    blockCount: number,
  ): void {
    if (client !== this.options.client()) return
    const offset = firstBlock * VOLUME_BLOCK_BYTES
    if (this.options.mayFail(offset, blockCount * VOLUME_BLOCK_BYTES)) return
    const code = typeof status === "string" ? status : RmrError.ofStatus(status, "").code
    this.options.onBroken(`P6: ${what} fails, with nothing wrong any more: ${code}`)
  }

  /** Members that answered a mutation without having all of it, or may not have it. */
  private dirtyIn(blocks: Blocks): MemberSet {
    return this.membersWhere(blocks, (own, first, end) => own.nextDirty(first, end) !== NO_CHUNK)
  }

  /** Members that lack a part of it for certain: nobody elects them (R6). */
  readonly lacks: Lacks = (mutation) =>
    this.membersWhere(mutation, (own, first, end) => {
      for (let chunk = first; chunk < end; chunk++) {
        if (own.byteOf(chunk) === CHUNK_REAL) return true
      }
      return false
    })

  /** Members of which this is so, for the chunks of these blocks. */
  private membersWhere(
    { firstBlock, blockCount }: Blocks,
    isSo: (own: DirtyMap, first: ChunkNumber, end: number) => boolean,
  ): MemberSet {
    const { sim, poolName } = this.options
    let members = 0
    for (const [slot, node] of sim.nodes.entries()) {
      const volume = node.part(poolName).pool?.member.volume
      if (volume === undefined) continue
      const { geometry, maps } = volume
      const offset = firstBlock * VOLUME_BLOCK_BYTES
      const first = geometry.chunkOf(offset)
      const count = geometry.chunkSpan(offset, blockCount * VOLUME_BLOCK_BYTES)
      if (isSo(maps.own, first, first + count)) members |= 1 << slot
    }
    return members
  }
}

export const OVER: unique symbol = Symbol("over")

/** Fulfilled after so much virtual time, unless it is cancelled. */
export function limit(
  sim: SimPool,
  ms: number,
): { readonly over: Promise<typeof OVER>; readonly cancel: () => void } {
  let cancel = (): void => undefined
  const over = new Promise<typeof OVER>((resolve) => {
    const timer = sim.world.env.clock.schedule(ms, () => resolve(OVER))
    cancel = () => timer.cancel()
  })
  return { over, cancel }
}

export function pause(sim: SimPool, ms: number): Promise<void> {
  return new Promise((resolve) => {
    sim.world.env.clock.schedule(ms, () => resolve())
  })
}
