/**
 * HuntPool: the pool that the faults of a hunt aim at, and what the hunt does to it.
 *
 * It keeps the oracles told of what a fault may legally cost: whose unflushed bytes are gone, which
 * bytes sit on a bad medium. It ends only what it can begin again. Beside it there may be another
 * pool on the same nodes, which the same client process has open over the same sessions.
 */
import { type Claim, type MemberEntry, RmrError } from "@rmr/core"
import type { Host, SeededRandom } from "@rmr/testkit"
import {
  POOL_NAME,
  type SimClient,
  type SimNode,
  type SimPool,
  type SimProcess,
} from "../pool/sim-pool.js"
import { type HuntClient, limit, OVER } from "./hunt-load.js"
import { HuntVolume } from "./hunt-volume.js"

const OPEN_MS = 30_000
const QUIET_MS = 5
/** A client looks after its legs at least so often, whether or not it is asked for anything. */
const KNOW_MS = 15_000
/** No attempt to let a member join takes longer. */
const JOIN_MS = 1500
/** No flush that is to fail, or commit, takes longer: see the timing of slow disks. */
const IN_FLIGHT_MS = 1700

interface Backup {
  readonly slot: number
  readonly restore: () => void
  readonly storeUuid: string
  /** What its member said of itself then. */
  readonly claim: Claim
}

export class HuntPool extends HuntVolume {
  /** The first promise that was broken. */
  broken: string | undefined
  readonly second: HuntVolume | undefined
  /** Stores that an admin has set back, by name: they have forgotten what they knew. */
  readonly setBack: Set<string> = new Set()
  private backup: Backup | undefined
  /** Slots whose disk was lost and is not replaced yet. */
  private readonly replaced = new Set<number>()
  /** Slots whose member was deleted, and is to come again as a new one. */
  private readonly deleted = new Set<number>()
  /** Asked for, and refused; a view that was proposed may bring it about all the same. */
  private readonly perhapsDeleted = new Set<number>()
  private readonly starting = new Map<number, Promise<void>>()
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

  startLoad(workerCount: number, pauseMs: number): void {
    this.load.start(workerCount, pauseMs)
    this.second?.load.start(2, pauseMs)
  }

  async stopLoad(): Promise<void> {
    await this.load.stop()
    await this.second?.load.stop()
  }

  later(ms: number, run: () => void): void {
    this.sim.world.env.clock.schedule(ms, run)
  }

  healLater(a: string, b: string, ms: number): void {
    this.later(ms, () => this.sim.network.heal(a, b))
  }

  async create(): Promise<void> {
    await this.sim.startAll()
    const client = await this.sim.create()
    this.use(client)
    const { second } = this
    if (second !== undefined) second.use(await this.sim.create(client, second.poolName))
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
    this.losePower(slot)
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
    node.cutPower()
    this.losePower(slot)
    this.second?.losePower(slot)
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
        if (attempt === 3) this.onBroken(`P6: member ${slot} does not start: ${String(thrown)}`)
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
    await this.whileOut(slot, (node) => {
      node.replaceDisk()
      this.replaced.add(slot)
      this.sim.world.log.write("info", "hunt.disk-lost", { slot })
    })
  }

  /** Somebody copies the store of one node, to have it later. */
  takeBackup(slot: number): void {
    const node = this.sim.nodes[slot]
    const member = node?.pool?.member
    if (node === undefined || member === undefined) return
    const { state, identity } = member
    const restore = node.store.snapshot()
    this.backup = { slot, restore, claim: state, storeUuid: identity.storeUuid }
  }

  /**
   * V4b: a store is what it was some time ago, and its member believes what it finds there. Of the
   * view and the life that it is still in, nothing could tell that, so those are left alone.
   */
  async restoreBackup(): Promise<void> {
    const { backup, client } = this
    if (backup === undefined || this.replaced.has(backup.slot)) return
    const entry = client?.sim.pool.record.members[backup.slot]
    if (entry === undefined || entry.storeUuid !== backup.storeUuid) return
    if (!isOfBefore(backup.claim, entry)) return
    this.backup = undefined
    await this.whileOut(backup.slot, (node) => {
      backup.restore()
      this.setBack.add(node.store.name)
      this.sim.world.log.write("info", "hunt.set-back", { slot: backup.slot })
    })
  }

  /** Its node down, and all others with everything and with the knowledge that it is out. */
  private async whileOut(slot: number, run: (node: SimNode) => void): Promise<void> {
    const { client } = this
    const node = this.sim.nodes[slot]
    if (client === undefined || node === undefined || this.sim.nodes.length === 1) return
    if (
      this.deleted.size > 0 ||
      !this.isWithoutNeed(slot) ||
      !node.host.isAlive ||
      this.starting.has(slot)
    )
      return
    this.endNode(slot, "process")
    // A view that lets it join may be on its disk already, and count in a moment.
    await this.pause(JOIN_MS)
    for (let attempt = 0; attempt < 60 && this.isIn(slot); attempt++) await this.pause(100)
    const isOut = this.client === client && !this.isIn(slot)
    if (isOut && this.isWithoutNeed(slot) && !node.host.isAlive) {
      run(node)
      this.losePower(slot)
    }
    this.startNode(slot)
  }

  /**
   * G4, G2: a member is deleted, whatever it has: the pool refuses where that would be a loss.
   * Later it comes again, with an empty store, as one that nobody has seen.
   */
  async deleteMember(slot: number): Promise<void> {
    const node = this.sim.nodes[slot]
    const { client } = this
    if (node === undefined || client === undefined || this.replaced.has(slot)) return
    const isSmall = this.sim.nodes.length === 1 || this.deleted.size > 0
    if (isSmall || !node.host.isAlive || this.starting.has(slot)) return
    await client.sim.pool.delete(node.memberId).catch(() => this.perhapsDeleted.add(slot))
    if (this.client === client) this.noteDeleted(slot)
  }

  /** What was asked for is in force: also where it had failed, and a later view brought it. */
  private noteDeleted(slot: number): void {
    const node = this.sim.nodes[slot]
    const record = this.client?.sim.pool.record
    if (node === undefined || record === undefined) return
    if (record.members[slot]?.memberId === node.memberId || this.deleted.has(slot)) return
    this.perhapsDeleted.delete(slot)
    this.deleted.add(slot)
    if (node.host.isAlive) this.endNode(slot, "process")
    node.replaceDisk()
    this.losePower(slot)
    this.sim.world.log.write("info", "hunt.member-deleted", { slot })
    this.startNode(slot)
  }

  isStarting(slot: number): boolean {
    return this.starting.has(slot)
  }

  isIn(slot: number): boolean {
    return (this.normal & (1 << slot)) !== 0
  }

  /** All others are normal, up, and lack nothing. */
  private isWithoutNeed(slot: number): boolean {
    const { normal, parts, bad } = this
    const isGood = parts.every(({ pool, dirtyChunks }, other) => {
      const isNormal = (normal & (1 << other)) !== 0
      return other === slot || (isNormal && pool !== undefined && dirtyChunks === 0)
    })
    return isGood && bad.length === 0
  }

  /** An admin puts new disks in place of those that were lost; a bad one may have the last copy. */
  override async mend(): Promise<void> {
    for (const slot of this.perhapsDeleted) this.noteDeleted(slot)
    for (const slot of this.deleted) {
      const node = this.sim.nodes[slot]
      const pool = this.client?.sim.pool
      if (node === undefined || pool === undefined || pool.ended !== undefined) continue
      const { memberId, address } = node
      const error = await pool.extend({ memberId, address }).then(
        () => undefined,
        (thrown: unknown) => RmrError.from(thrown),
      )
      if (error === undefined || error.code === "exists") this.deleted.delete(slot)
    }
    for (const slot of this.replaced) {
      const id = this.sim.nodes[slot]?.memberId
      const pool = this.client?.sim.pool
      if (id === undefined || pool === undefined || pool.ended !== undefined) continue
      const error = await pool.replaceStore(id, this.bad.length > 0).then(
        () => undefined,
        (thrown: unknown) => RmrError.from(thrown),
      )
      if (error === undefined || error.code === "exists") this.replaced.delete(slot)
    }
  }

  killClient(): void {
    const client = this.forget()
    const other = this.second?.forget()
    if (client === undefined) return
    this.sim.killClient(client.sim)
    client.die()
    other?.die()
  }

  /** Another client opens; false where it may not, or cannot. */
  async tryOpen(isTakeover: boolean, process?: SimProcess): Promise<RmrError | undefined> {
    const before = this.client
    const clock = limit(this.sim, OPEN_MS)
    try {
      const opening = this.sim.open(isTakeover, process)
      opening.catch(() => undefined)
      const opened = await Promise.race([opening, clock.over])
      if (opened === OVER) {
        this.onBroken("P6: an opening has no end")
        return new RmrError("deadline", "an opening has no end")
      }
      // Whoever had the pool before has it no more, whatever it believes.
      this.use(opened)
      const beside = this.second?.forget()
      if (before !== undefined) this.leaveBehind(before, beside)
      await this.openSecond(opened)
      return undefined
    } catch (thrown) {
      return RmrError.from(thrown)
    } finally {
      clock.cancel()
    }
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
      this.sim.killClient(old.sim)
      old.die()
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

  /** Everything that is down is started, and what failed in its store is restarted. */
  async restoreNodes(): Promise<void> {
    const { network, nodes } = this.sim
    while (this.quietCount > 0) await this.pause(10)
    network.heal()
    network.tune({ sessionLossChance: 0, corruptChance: 0, slowChance: 0.01, slowMsMax: 20 })
    for (const node of nodes) node.calmStores()
    await this.pause(IN_FLIGHT_MS)
    for (const [slot, node] of nodes.entries()) {
      await this.starting.get(slot)
      if (node.pool?.lastFailure !== undefined) this.endNode(slot, "process")
      this.startNode(slot)
      await this.starting.get(slot)
    }
    this.doomed = 0
  }
}

/** Whether the pool knows of a later view, or of a life beyond its next one. V4b is not asked. */
function isOfBefore({ normalThrough, incarnation }: Claim, entry: MemberEntry): boolean {
  const { epoch, version } = entry.reported
  const order = normalThrough.epoch - epoch || normalThrough.version - version
  return order < 0 || incarnation + 1 < entry.incarnation
}
