/**
 * HuntVolume: one pool of a hunt, its load, and the oracle that knows what its blocks may hold.
 *
 * Who opens it and what goes wrong under it is decided elsewhere (hunt-pool.ts); here is what any
 * pool of a hunt is asked for when all is calm (hunt-checks.ts) and looked at meanwhile (watch.ts).
 */
import type { MemberSet } from "@rmr/core"
import type { SeededRandom } from "@rmr/testkit"
import type { SimMember } from "../pool/sim-member.js"
import type { SimClient, SimPool } from "../pool/sim-pool.js"
import { BlockOracle } from "./block-oracle.js"
import { type HuntClient, HuntLoad, huntClient, pause } from "./hunt-load.js"

export interface HuntVolumeOptions {
  readonly sim: SimPool
  readonly poolName: string
  readonly random: SeededRandom
  /** A promise was broken. */
  readonly onBroken: (what: string) => void
  /** Most of its load goes to so many blocks; default to all alike. */
  readonly hotBlocks?: number | undefined
}

/** Bytes on a medium that was made bad: of one member, in one chunk. */
export interface BadRange {
  readonly slot: number
  readonly offset: number
  readonly length: number
}

export class HuntVolume {
  readonly sim: SimPool
  readonly poolName: string
  readonly oracle: BlockOracle
  readonly load: HuntLoad
  client: HuntClient | undefined
  readonly bad: BadRange[] = []
  /** Members whose store loses what it has not flushed, sooner or later. */
  doomed: MemberSet = 0
  /** Processes that are stopped: nobody asks for anything then. */
  protected quietCount = 0
  protected readonly random: SeededRandom
  readonly onBroken: (what: string) => void
  /** An admin has started the pool by force, so that there may be another history of it (F6). */
  mayFork = false
  /** A store was emptied or set back since all members were equal. */
  hasNewStore = false
  private lineage: string | undefined
  /** The last view that is known to have been in force. */
  private normalNow: MemberSet = 0

  constructor({ sim, poolName, random, onBroken, hotBlocks }: HuntVolumeOptions) {
    this.sim = sim
    this.poolName = poolName
    this.random = random
    this.onBroken = onBroken
    this.oracle = new BlockOracle(sim.sizeBytes)
    this.load = new HuntLoad({
      poolName,
      sim,
      oracle: this.oracle,
      random: random.fork("load"),
      client: () => (this.isQuiet ? undefined : this.client),
      onBroken,
      doomed: () => this.doomed,
      mayFail: (offset, length) => this.mayFail(offset, length),
      hotBlocks,
    })
  }

  get isQuiet(): boolean {
    return this.quietCount > 0
  }

  get normal(): MemberSet {
    if (this.client !== undefined) this.normalNow = this.client.sim.pool.record.normal
    return this.normalNow
  }

  /** What each node has of this pool, by slot. */
  get parts(): readonly SimMember[] {
    return this.sim.nodes.map((node) => node.part(this.poolName))
  }

  later(ms: number, run: () => void): void {
    this.sim.world.env.clock.schedule(ms, run)
  }

  pause(ms: number): Promise<void> {
    return pause(this.sim, ms)
  }

  /** Whether the bytes are in a chunk that a bad medium may have cost its last copy. */
  mayFail(offset: number, length: number): boolean {
    return this.bad.some((bad) => bad.offset < offset + length && offset < bad.offset + bad.length)
  }

  /** This process has the pool now. */
  use(opened: SimClient): HuntClient {
    this.client = huntClient(opened)
    const { lineage } = opened.pool.record.mapVersion
    const isOther = this.lineage !== undefined && lineage !== this.lineage
    this.lineage = lineage
    if (isOther) this.oracle.fork(!this.hasNewStore)
    else this.oracle.open()
    if (isOther && !this.mayFork) this.onBroken("F6: another history is opened without force")
    this.oracle.narrow(this.normal, this.load.lacks)
    return this.client
  }

  /** All members are equal. */
  noteWhole(): void {
    this.mayFork = false
    this.hasNewStore = false
  }

  /** Its client is gone, or nobody's business any more. */
  forget(): HuntClient | undefined {
    const { client } = this
    if (client !== undefined) this.normalNow = client.sim.pool.record.normal
    this.client = undefined
    return client
  }

  losePower(slot: number): void {
    this.load.mayHaveLost = true
    this.oracle.losePower(1 << slot, this.normal, this.load.lacks)
  }

  /** What can be done for members that only an admin can bring back. */
  async mend(): Promise<void> {}
}
