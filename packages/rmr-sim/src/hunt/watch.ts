/**
 * Watch: the oracles that look while a hunt goes on, after every event.
 *
 * - P1, P2, P4: what a normal member holds in a chunk that it calls clean is what a read may
 *   return, looked at in its store and not by asking it: 512 bytes of all members at each event.
 * - V1: a view counts only where all of its members have it on their disks.
 * - P5: the epoch that a store has on its disk never goes back.
 * - P6: memory of a process has a bound, whatever its peers do.
 * - What our own code catches and logs as its own mistake ends the hunt at once. So do transitions
 *   that no table of states has: the cells that hold states assert them.
 */
import { BLOCK_BYTES_MIN, compareViews, VOLUME_BLOCK_BYTES } from "@rmr/core"
import type { SimMember } from "../pool/sim-member.js"
import type { SimNode } from "../pool/sim-pool.js"
import type { HuntPool } from "./hunt-pool.js"
import type { HuntVolume } from "./hunt-volume.js"

const UNITS = VOLUME_BLOCK_BYTES / BLOCK_BYTES_MIN
/** Events between two looks at who holds memory: that changes slowly. */
const EVENTS_PER_LEASES = 64
/** What a process may have leased at a time: all requests it admits, and as many copies. */
const LEASES_MAX = 1024

export class Watch {
  private readonly pool: HuntPool
  private eventCount = 0
  private recordCount = 0
  /** What is looked at, at every event. */
  private readonly unitBytes = new Uint8Array(BLOCK_BYTES_MIN)
  private mistake: string | undefined
  private readonly epochs = new Map<string, number>()

  constructor(pool: HuntPool) {
    this.pool = pool
  }

  /** Called before each event. */
  look(): void {
    const { pool } = this
    const { nodes, world } = pool.sim
    this.eventCount++
    for (const { parts } of nodes) for (const part of parts) this.lookAtEpoch(part)
    this.lookAtUnit(pool)
    if (pool.second !== undefined) this.lookAtUnit(pool.second)
    if (this.eventCount % EVENTS_PER_LEASES === 0) for (const node of nodes) this.lookAtNode(node)
    if (this.recordCount === world.log.forgottenCount + world.log.records.length) return
    const mistake = this.ownMistake()
    if (mistake !== undefined) pool.onBroken(mistake)
  }

  /** Our own mistakes that somebody caught and logged. */
  ownMistake(): string | undefined {
    const { log } = this.pool.sim.world
    const { records, forgottenCount } = log
    for (let at = Math.max(0, this.recordCount - forgottenCount); at < records.length; at++) {
      const { event, fields } = records[at]!
      const isInternal = fields["code"] === "internal" || event === "node.command-failed"
      if (isInternal) this.mistake ??= `${event}: ${String(fields["detail"])}`
    }
    this.recordCount = forgottenCount + records.length
    return this.mistake
  }

  /** One unit of one block after the other, on all members that have to be right. */
  private lookAtUnit(volume: HuntVolume): void {
    const { client, oracle, parts, load } = volume
    if (client === undefined || client.sim.pool.ended !== undefined) return
    const { normal, mapVersion } = client.sim.pool.record
    const block = load.blockToLookAt(this.eventCount)
    const unit = (this.eventCount + (this.eventCount >> 7)) % UNITS
    const offset = block * VOLUME_BLOCK_BYTES
    if (volume.mayFail(offset, VOLUME_BLOCK_BYTES)) return
    const must = normal & ~volume.doomed
    for (let slot = 0; slot < parts.length; slot++) {
      const { pool, store } = parts[slot]!
      const map = pool?.member.volume
      if ((must & (1 << slot)) === 0 || pool === undefined || map === undefined) continue
      if (compareViews(pool.member.view, mapVersion) < 0) {
        volume.onBroken(
          `V1: view ${mapVersion.version} counts, and member ${slot} does not have it`,
        )
      }
      if (map.maps.own.byteOf(map.geometry.chunkOf(offset)) !== 0) continue
      const { unitBytes } = this
      store.peek(offset + unit * BLOCK_BYTES_MIN, BLOCK_BYTES_MIN, unitBytes)
      const wrong = oracle.judgeUnit(oracle.now(), block, unit, unitBytes)
      if (wrong !== undefined) {
        volume.onBroken(`P4: member ${slot} calls clean what it does not have: ${wrong}`)
      }
    }
  }

  private lookAtNode(node: SimNode): void {
    const { memory, host } = node
    if (!host.isAlive) return
    const leaseCount = memory?.stats().leaseCount ?? 0
    if (leaseCount > LEASES_MAX) {
      this.pool.onBroken(`P6: ${host.name} has ${leaseCount} leases, without a bound`)
    }
  }

  /** P5. */
  private lookAtEpoch({ store, pool }: SimMember): void {
    if (pool === undefined) return
    const { setBack } = this.pool
    if (setBack.size > 0 && setBack.delete(store.name)) this.epochs.delete(store.name)
    const { epoch } = pool.member.state
    const known = this.epochs.get(store.name) ?? 0
    if (epoch === known) return
    if (epoch < known) {
      this.pool.onBroken(`P5: ${store.name} was in epoch ${known}, and is in ${epoch}`)
    }
    this.epochs.set(store.name, epoch)
  }
}
