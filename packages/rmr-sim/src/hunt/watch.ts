/**
 * Watch: the oracles that look while a hunt goes on, after every event or a few.
 *
 * - P1, P2, P4: what a normal member holds in a chunk that it calls clean is what a read may
 *   return, looked at in its store and not by asking it.
 * - V1: a view counts only where all of its members have it on their disks.
 * - P5: the epoch that a store has on its disk never goes back.
 * - P6: memory of a process has a bound, whatever its peers do.
 * - What our own code catches and logs as its own mistake ends the hunt at once. So do transitions
 *   that no table of states has: the cells that hold states assert them.
 */
import { compareViews, VOLUME_BLOCK_BYTES } from "@rmr/core"
import type { SimNode } from "../pool/sim-pool.js"
import type { HuntPool } from "./hunt-pool.js"
import type { HuntVolume } from "./hunt-volume.js"

/** Events between two looks: a look costs more than most events do. */
const EVENTS_PER_LOOK = 16
/** What a process may have leased at a time: all requests it admits, and as many copies. */
const LEASES_MAX = 1024

export class Watch {
  private readonly pool: HuntPool
  private eventCount = 0
  private lookCount = 0
  private recordCount = 0
  private mistake: string | undefined
  private readonly epochs = new Map<string, number>()

  constructor(pool: HuntPool) {
    this.pool = pool
  }

  /** Called before each event. */
  look(): void {
    if (++this.eventCount % EVENTS_PER_LOOK !== 0) return
    this.lookCount++
    const { pool } = this
    this.lookAtBlock(pool)
    if (pool.second !== undefined) this.lookAtBlock(pool.second)
    for (const node of pool.sim.nodes) this.lookAtNode(node)
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

  /** One block after the other, on all members that have to be right. */
  private lookAtBlock(volume: HuntVolume): void {
    const { client, oracle, parts } = volume
    if (client === undefined || client.sim.pool.ended !== undefined) return
    const { record } = client.sim.pool
    // A step that has no divisor in common with any power of two: all blocks, in no run.
    const block = (this.lookCount * 37) % oracle.blockCount
    const offset = block * VOLUME_BLOCK_BYTES
    if (volume.mayFail(offset, VOLUME_BLOCK_BYTES)) return
    const must = record.normal & ~volume.doomed
    for (const [slot, part] of parts.entries()) {
      const member = part.pool?.member
      const map = member?.volume
      if ((must & (1 << slot)) === 0 || member === undefined || map === undefined) continue
      if (compareViews(member.view, record.mapVersion) < 0) {
        const { version } = record.mapVersion
        volume.onBroken(`V1: view ${version} counts, and member ${slot} does not have it`)
      }
      if (map.maps.own.byteOf(map.geometry.chunkOf(offset)) !== 0) continue
      const mark = oracle.beginRead()
      oracle.endRead(mark)
      const bytes = part.store.peek(offset, VOLUME_BLOCK_BYTES)
      const wrong = oracle.judge(mark, block, bytes)
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
    for (const { store, pool } of node.parts) {
      if (pool === undefined) continue
      const { epoch } = pool.member.state
      if (this.pool.setBack.delete(store.name)) this.epochs.delete(store.name)
      const known = this.epochs.get(store.name) ?? 0
      if (epoch < known) {
        this.pool.onBroken(`P5: ${store.name} was in epoch ${known}, and is in ${epoch}`)
      }
      this.epochs.set(store.name, epoch)
    }
  }
}
