/**
 * HuntClients: who has the pool of a hunt. One process after the other opens it; some are taken
 * over while they live, and are asked for something afterwards (F4, P5).
 *
 * Beside the pool that faults aim at there may be another one on the same nodes, which the same
 * process has open over the same sessions.
 */
import type { PoolOptions } from "@rmr/client"
import { type MemberId, RmrError } from "@rmr/core"
import type { SeededRandom } from "@rmr/testkit"
import { POOL_NAME, type SimClient, type SimPool, type SimProcess } from "../pool/sim-pool.js"
import { type HuntClient, limit, OVER } from "./hunt-load.js"
import { HuntVolume } from "./hunt-volume.js"

const OPEN_MS = 30_000
/** A client looks after its legs at least so often, whether or not it is asked for anything. */
const KNOW_MS = 15_000

export interface OpenedBy {
  /** Default: one that is new. */
  readonly process?: SimProcess
  readonly isForced?: boolean
}

export class HuntClients extends HuntVolume {
  /** The first promise that was broken. */
  broken: string | undefined
  readonly second: HuntVolume | undefined
  /** Whose history an admin opens, where members have gone on apart. */
  side: MemberId | undefined
  /** Who was taken over, with what it has open beside. */
  private readonly leftBehind: { old: HuntClient; beside: HuntClient | undefined }[] = []

  constructor(sim: SimPool, random: SeededRandom, hotBlocks?: number) {
    const onBroken = (what: string): void => {
      this.broken ??= what
    }
    super({ sim, poolName: POOL_NAME, random, onBroken, hotBlocks })
    const [poolName] = sim.otherPools
    if (poolName === undefined) return
    const isQuiet = (): boolean => this.isQuiet
    this.second = new (class extends HuntVolume {
      override get isQuiet(): boolean {
        return isQuiet()
      }
    })({ sim, poolName, random: random.fork(poolName), onBroken })
  }

  killClient(): void {
    const client = this.forget()
    const other = this.second?.forget()
    if (client === undefined) return
    this.end(client)
    other?.die()
  }

  /** Another client opens; why not, where it may not, or cannot. */
  async tryOpen(
    isTakeover: boolean,
    { process = this.sim.newClient(), isForced = false }: OpenedBy = {},
  ): Promise<RmrError | undefined> {
    const before = this.client
    const said = { isTakeover, isForced }
    const clock = limit(this.sim, OPEN_MS)
    try {
      const opening = this.openAs(said, process)
      opening.catch(() => undefined)
      const opened = await Promise.race([opening, clock.over])
      if (opened === OVER) {
        this.onBroken("P6: an opening has no end")
        return new RmrError("deadline", "an opening has no end")
      }
      await this.hand(before, opened)
      return undefined
    } catch (thrown) {
      const error = RmrError.from(thrown)
      if (error.code === "internal") this.onBroken(`an opening fails: ${error.stack ?? error}`)
      return error
    } finally {
      clock.cancel()
    }
  }

  /** Where members have gone on apart, an admin says whose history is opened (R7). */
  private async openAs(said: Partial<PoolOptions>, process: SimProcess): Promise<SimClient> {
    try {
      return await this.sim.openAs(said, process)
    } catch (thrown) {
      const { side } = this
      if (RmrError.from(thrown).code !== "split-brain" || side === undefined) throw thrown
      return this.sim.openAs({ ...said, side }, process)
    }
  }

  /** Whoever had the pool before has it no more, whatever it believes. */
  private async hand(before: HuntClient | undefined, opened: SimClient): Promise<void> {
    const lineageBefore = before?.sim.pool.record.mapVersion.lineage
    const isOther = lineageBefore !== opened.pool.record.mapVersion.lineage
    // In another history it is not fenced: who opens that one has ended it before.
    if (before !== undefined && isOther) this.end(before)
    this.use(opened)
    const beside = this.second?.forget()
    if (before !== undefined && !isOther) this.leaveBehind(before, beside)
    await this.openSecond(opened)
  }

  private end(client: HuntClient): void {
    this.sim.killClient(client.sim)
    client.die()
  }

  /** The process that has the pool opens the other one beside it; an error says why it cannot. */
  private async openSecond(process: SimClient): Promise<RmrError | undefined> {
    const { second, sim } = this
    if (second === undefined) return undefined
    try {
      const opened = await sim.open(true, process, second.poolName)
      if (this.client?.sim === process) second.use(opened)
      return undefined
    } catch (thrown) {
      return RmrError.from(thrown)
    }
  }

  /** With nothing wrong any more, the other pool is open too, or can be opened. */
  async bringSecondBack(): Promise<RmrError | undefined> {
    let error: RmrError | undefined
    for (let attempt = 0; attempt < 40; attempt++) {
      const { client, second } = this
      if (client === undefined || second === undefined) return error
      if (second.client !== undefined && second.client.sim.pool.ended === undefined)
        return undefined
      second.forget()
      error = await this.openSecond(client.sim)
      if (error !== undefined) await this.pause(500)
    }
    return error
  }

  async takeOver(): Promise<void> {
    await this.tryOpen(true)
  }

  /** F5: without a takeover a pool whose client lives is refused, and its client goes on. */
  async intrude(): Promise<void> {
    const before = this.client
    const endOf = (): string | undefined => before?.sim.pool.ended?.code
    const endBefore = endOf()
    const error = await this.tryOpen(false)
    if (error?.code === "held" && endBefore === undefined && endOf() === "fenced") {
      this.onBroken("F2: an opening that was refused has fenced the client that has the pool")
    }
  }

  /** P5, F4: who was taken over acknowledges and reads nothing that is asked from then on. */
  private leaveBehind(old: HuntClient, beside: HuntClient | undefined): void {
    const { random } = this
    for (let nth = 0; nth < 6; nth++) {
      this.later(random.between(0, 3000), () => void this.askOld(old, nth % 2 === 0))
    }
    this.leftBehind.push({ old, beside })
  }

  /** F4: with nothing in the way any more, all that were taken over come to know it. */
  async requireAllKnow(): Promise<void> {
    for (const { old, beside } of this.leftBehind.splice(0)) {
      const { host, pool } = old.sim
      for (let ms = 0; ms < KNOW_MS && host.isAlive && pool.ended === undefined; ms += 100) {
        await this.pause(100)
      }
      if (host.isAlive && pool.ended === undefined) {
        this.onBroken(`F4: ${host.name} was taken over, and does not know it`)
      }
      this.end(old)
      beside?.die()
    }
  }

  private async askOld(old: HuntClient, isWrite: boolean): Promise<void> {
    if (!old.sim.host.isAlive || this.quietCount > 0) return
    const { load, random, oracle } = this
    const block = random.below(oracle.blockCount)
    const isGood = isWrite
      ? await load.writeForbidden(old, block)
      : (await load.read(old, block, 1)) !== undefined
    if (isGood)
      this.onBroken(`P5: a client that was taken over did a ${isWrite ? "write" : "read"}`)
  }
}
