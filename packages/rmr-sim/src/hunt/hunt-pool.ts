/**
 * HuntPool: the pool that the faults of a hunt aim at, and what the hunt does to it.
 *
 * It keeps the oracles told of what a fault may legally cost: whose unflushed bytes are gone, which
 * bytes sit on a bad medium. It ends only what it can begin again. Who has it open is in
 * hunt-clients.ts.
 */
import { type Claim, type MemberEntry, memberId, RmrError, VOLUME_BLOCK_BYTES } from "@rmr/core"
import type { Host, SeededRandom } from "@rmr/testkit"
import type { SimNode } from "../pool/sim-pool.js"
import { HuntClients } from "./hunt-clients.js"

const QUIET_MS = 5
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

export class HuntPool extends HuntClients {
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

  startLoad(workerCount: number, pauseMs: number): void {
    this.load.start(workerCount, pauseMs)
    this.second?.load.start(2, pauseMs)
  }

  async stopLoad(): Promise<void> {
    await this.load.stop()
    await this.second?.load.stop()
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
      this.hasNewStore = true
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
    this.hasNewStore = true
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
    await this.resolveSplits()
    await this.acceptLost()
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
      // In this history it was never deleted, and what it has now is an empty store.
      if (error?.code === "exists") this.replaced.add(slot)
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

  /** An admin gives up what members have that went on apart (R7). */
  private async resolveSplits(): Promise<void> {
    const pool = this.client?.sim.pool
    const keep = pool?.legs.find((leg) => leg?.state.state === "normal")?.memberId
    for (const { memberId: id, phase, split } of pool?.returning ?? []) {
      if (phase !== "split brain" || split === undefined || keep === undefined) continue
      const error = await pool?.resolve(keep, memberId(id), split.there.seen).then(
        () => undefined,
        (thrown: unknown) => RmrError.from(thrown),
      )
      // G1: its volume is larger, and an empty store has to take its place.
      if (error?.code === "mismatch")
        this.emptyStore(this.sim.nodes.findIndex((one) => one.memberId === id))
    }
  }

  /** Q23: where members have gone on apart, those that are left may lack what only others have. */
  private async acceptLost(): Promise<void> {
    const pool = this.client?.sim.pool
    const perChunk = this.sim.chunkSizeBytes / VOLUME_BLOCK_BYTES
    for (const { firstChunk, chunkCount } of this.mayFork ? (pool?.lost ?? []) : []) {
      for (let chunk: number = firstChunk; chunk < firstChunk + chunkCount; chunk++) {
        this.oracle.giveUp(chunk * perChunk, perChunk)
        await pool?.acceptChunk(chunk, undefined, true).catch(() => undefined)
      }
    }
  }

  private emptyStore(slot: number): void {
    const node = this.sim.nodes[slot]
    if (node === undefined || !node.host.isAlive || this.starting.has(slot)) return
    this.endNode(slot, "process")
    node.replaceDisk()
    this.replaced.add(slot)
    this.losePower(slot)
    this.startNode(slot)
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
