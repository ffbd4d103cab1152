/**
 * HuntPool: the pool of a hunt, and what the hunt does to it.
 *
 * It keeps the oracle told of what a fault may legally cost: whose unflushed bytes are gone, which
 * bytes sit on a bad medium. It ends only what it can begin again.
 */
import { RmrError } from "@rmr/core"
import type { Host, SeededRandom } from "@rmr/testkit"
import { BlockOracle } from "./block-oracle.js"
import { type HuntClient, HuntLoad, huntClient, limit, OVER, pause } from "./hunt-load.js"
import type { SimPool } from "./sim-pool.js"

const OPEN_MS = 30_000
const QUIET_MS = 5

interface BadRange {
  readonly slot: number
  readonly offset: number
  readonly length: number
}

export class HuntPool {
  readonly sim: SimPool
  readonly oracle: BlockOracle
  readonly load: HuntLoad
  client: HuntClient | undefined
  /** The first promise that was broken. */
  broken: string | undefined
  readonly bad: BadRange[] = []
  /** The last view that is known to have been in force. */
  private normalNow = 0
  private doomed = 0
  private quietCount = 0
  private readonly random: SeededRandom
  /** Slots whose disk was lost and is not replaced yet. */
  private readonly replaced = new Set<number>()
  private readonly starting = new Map<number, Promise<void>>()
  private readonly sayBroken: (what: string) => void

  constructor(sim: SimPool, random: SeededRandom, onBroken: (what: string) => void) {
    this.sim = sim
    this.random = random
    this.oracle = new BlockOracle(sim.sizeBytes)
    this.sayBroken = onBroken
    this.load = new HuntLoad({
      sim,
      oracle: this.oracle,
      random: random.fork("load"),
      client: () => (this.quietCount > 0 ? undefined : this.client),
      onBroken: (what) => this.onBroken(what),
      doomed: () => this.doomed,
      mayFail: (offset, length) => this.mayFail(offset, length),
    })
  }

  onBroken(what: string): void {
    if (this.broken !== undefined) return
    this.broken = what
    this.sayBroken(what)
  }

  get normal(): number {
    if (this.client !== undefined) this.normalNow = this.client.sim.pool.record.normal
    return this.normalNow
  }

  pause(ms: number): Promise<void> {
    return pause(this.sim, ms)
  }

  later(ms: number, run: () => void): void {
    this.sim.world.env.clock.schedule(ms, run)
  }

  healLater(a: string, b: string, ms: number): void {
    this.later(ms, () => this.sim.network.heal(a, b))
  }

  /** Whether the bytes are in a chunk that a bad medium may have cost its last copy. */
  mayFail(offset: number, length: number): boolean {
    return this.bad.some((bad) => bad.offset < offset + length && offset < bad.offset + bad.length)
  }

  async create(): Promise<void> {
    await this.sim.startAll()
    this.client = huntClient(await this.sim.create())
  }

  /** A process is stopped for a while. Nobody asks anything of it then, nor just around it. */
  async pauseHost(host: Host, random: SeededRandom): Promise<void> {
    this.quietCount++
    await this.pause(QUIET_MS)
    if (host.isAlive && !host.isPaused) {
      host.pause()
      this.later(random.pick([random.between(10, 1000), random.between(1000, 8000)]), () =>
        this.resume(host),
      )
      return
    }
    this.quietCount--
  }

  private resume(host: Host): void {
    if (host.isAlive && host.isPaused) host.resume()
    this.later(QUIET_MS, () => void this.quietCount--)
  }

  /** A store fails a flush, and with it loses what it had not flushed (I5). */
  failFlush(slot: number): void {
    this.doomed |= 1 << slot
    this.oracle.losePower(1 << slot, this.normal)
    this.sim.nodes[slot]?.store.failNextFlush()
  }

  failMedium(slot: number, random: SeededRandom, what: "reads" | "writes"): void {
    const { chunkSizeBytes, sizeBytes, nodes } = this.sim
    const offset = random.below(sizeBytes / chunkSizeBytes) * chunkSizeBytes
    const at = offset + 4096 * random.below(chunkSizeBytes / 4096)
    this.bad.push({ slot, offset, length: chunkSizeBytes })
    if (what === "reads") nodes[slot]?.store.failReads(at, 4096)
    else nodes[slot]?.store.failWrites(at, 4096)
  }

  endNode(slot: number, kind: "process" | "machine"): void {
    const node = this.sim.nodes[slot]
    if (node === undefined || !node.host.isAlive || this.starting.has(slot)) return
    if (kind === "process") {
      node.kill()
      return
    }
    const { normal } = this
    node.cutPower()
    this.oracle.losePower(1 << slot, normal)
  }

  startNode(slot: number): void {
    const node = this.sim.nodes[slot]
    if (node === undefined || node.host.isAlive || this.starting.has(slot)) return
    this.starting.set(
      slot,
      this.startUntilUp(slot).finally(() => void this.starting.delete(slot)),
    )
  }

  /** What is still to fail in the store may fail while it is opened. */
  private async startUntilUp(slot: number): Promise<void> {
    const node = this.sim.nodes[slot]
    for (let attempt = 0; node !== undefined; attempt++) {
      try {
        await node.start()
        return
      } catch (thrown) {
        if (attempt === 3) this.onBroken(`member ${slot} does not start: ${String(thrown)}`)
        node.kill()
      }
    }
  }

  /** An admin makes the volume larger; where a member cannot be asked it stays as it is. */
  grow(random: SeededRandom): void {
    const { client } = this
    if (client === undefined) return
    const { chunkSizeBytes } = this.sim
    const more = 4096 * random.between(1, (4 * chunkSizeBytes) / 4096)
    const sizeBytes = Math.min(client.sim.pool.record.mappedSizeBytes + more, this.sim.roomBytes)
    client.sim.pool.grow(sizeBytes).catch(() => undefined)
  }

  /**
   * The disk of a member is another one now, and empty. Not where it may have the last copy of
   * something, nor before the others know that they are without it: that would be a loss.
   */
  async loseDisk(slot: number): Promise<void> {
    const { client } = this
    const node = this.sim.nodes[slot]
    if (client === undefined || node === undefined || this.bad.length > 0) return
    const others = this.sim.nodes.filter((_, nth) => nth !== slot)
    const isEverywhere = (): boolean =>
      others.every(({ pool, dirtyChunks }, nth) => {
        const isNormal = (this.normal & (1 << (nth < slot ? nth : nth + 1))) !== 0
        return isNormal && pool !== undefined && dirtyChunks === 0
      })
    if (!isEverywhere() || !node.host.isAlive || this.starting.has(slot)) return
    this.endNode(slot, "process")
    for (let attempt = 0; attempt < 60 && (this.normal & (1 << slot)) !== 0; attempt++) {
      await this.pause(100)
    }
    const isOut = this.client === client && (this.normal & (1 << slot)) === 0
    if (isOut && isEverywhere() && !node.host.isAlive) {
      node.replaceDisk()
      this.oracle.losePower(1 << slot, this.normal)
      this.replaced.add(slot)
      this.sim.world.log.write("info", "hunt.disk-lost", { slot })
    }
    this.startNode(slot)
  }

  /** An admin puts the new disks in place of those that were lost, as far as that goes now. */
  async replaceDisks(): Promise<void> {
    for (const slot of this.replaced) {
      const id = this.sim.nodes[slot]?.memberId
      const pool = this.client?.sim.pool
      if (id === undefined || pool === undefined || pool.ended !== undefined) continue
      const error = await pool.replaceStore(id).then(
        () => undefined,
        (thrown: unknown) => RmrError.from(thrown),
      )
      if (error === undefined || error.code === "exists") this.replaced.delete(slot)
    }
  }

  killClient(): void {
    const { client } = this
    if (client === undefined) return
    this.normalNow = client.sim.pool.record.normal
    this.client = undefined
    this.sim.killClient(client.sim)
    client.die()
  }

  /** Another client opens; false where it may not, or cannot. */
  async tryOpen(isTakeover: boolean): Promise<RmrError | undefined> {
    const before = this.client
    const clock = limit(this.sim, OPEN_MS)
    try {
      const opening = this.sim.open(isTakeover)
      opening.catch(() => undefined)
      const opened = await Promise.race([opening, clock.over])
      if (opened === OVER) {
        this.onBroken("P6: an opening has no end")
        return new RmrError("deadline", "an opening has no end")
      }
      // Whoever had the pool before has it no more, whatever it believes.
      this.client = huntClient(opened)
      if (before !== undefined) this.leaveBehind(before)
      this.oracle.narrow(this.normal)
      return undefined
    } catch (thrown) {
      return RmrError.from(thrown)
    } finally {
      clock.cancel()
    }
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
  private leaveBehind(old: HuntClient): void {
    const { random } = this
    for (let nth = 0; nth < 6; nth++) {
      this.later(random.between(0, 3000), () => void this.askOld(old, nth % 2 === 0))
    }
    this.later(10_000, () => {
      this.sim.killClient(old.sim)
      old.die()
    })
  }

  private async askOld(old: HuntClient, isWrite: boolean): Promise<void> {
    if (!old.sim.host.isAlive || this.quietCount > 0) return
    const { load, random, oracle } = this
    const block = random.below(oracle.blockCount)
    const isGood = isWrite
      ? await load.write(old, block, 1, false)
      : (await load.read(old, block, 1)) !== undefined
    if (isGood)
      this.onBroken(`P5: a client that was taken over did a ${isWrite ? "write" : "read"}`)
  }

  /** Everything that is down is started, and what failed in its store is restarted. */
  async restoreNodes(): Promise<void> {
    const { network, nodes } = this.sim
    while (this.quietCount > 0) await this.pause(10)
    network.heal()
    network.tune({ sessionLossChance: 0, corruptChance: 0, slowChance: 0.01, slowMsMax: 20 })
    for (const [slot, node] of nodes.entries()) {
      node.store.failNothingMore()
      await this.starting.get(slot)
      if (node.pool?.lastFailure !== undefined) this.endNode(slot, "process")
      this.startNode(slot)
      await this.starting.get(slot)
    }
    this.doomed = 0
  }
}
