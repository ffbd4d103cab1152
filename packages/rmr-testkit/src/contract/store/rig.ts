/**
 * The rig of the store suite: a block rig that heats what it is about to write, with verbs for
 * cells, the hot set and restarts.
 */
import type { CellKind, CellWrite, Store } from "@rmr/core"
import type { BlockHarness, BlockPlace, BlockShape } from "../block-io/harness.js"
import { BlockRig } from "../block-io/rig.js"
import type { Started } from "../block-io/started.js"

export class StoreRig extends BlockRig<Store> {
  /** What this rig knows to be hot, so that it does not ask again for every write. */
  private readonly hot = new Set<number>()

  override async open(): Promise<void> {
    await super.open()
    this.hot.clear()
    const { hotAtOpen } = this.io
    if (hotAtOpen !== "unreadable") for (const extent of hotAtOpen) this.hot.add(extent)
  }

  override async prepare(offset: number, bytes: number): Promise<void> {
    const { extentBytes } = this.io.geometry
    const cold: number[] = []
    const last = Math.floor((offset + bytes - 1) / extentBytes)
    for (let extent = Math.floor(offset / extentBytes); extent <= last; extent++) {
      if (!this.hot.has(extent)) cold.push(extent)
    }
    if (cold.length > 0) await this.heat(cold)
  }

  startHeat(extents: readonly number[]): Started {
    return this.start((token) => this.io.heat(token, extents))
  }

  async heat(extents: readonly number[]): Promise<void> {
    await this.done(this.startHeat(extents))
    for (const extent of extents) this.hot.add(extent)
  }

  cool(extents: readonly number[]): void {
    this.io.cool(extents)
    for (const extent of extents) this.hot.delete(extent)
  }

  startCommit(cells: readonly CellWrite[]): Started {
    return this.start((token) => this.io.commit(token, cells))
  }

  async commit(cells: readonly CellWrite[]): Promise<void> {
    await this.done(this.startCommit(cells))
  }

  async cell(kind: CellKind, index = 0): Promise<Uint8Array | undefined> {
    return this.settled(this.io.readCell(kind, index), `cell ${kind} ${index}`)
  }

  startSettle(): Started {
    return this.start((token) => this.io.settleRestart(token))
  }

  async settleRestart(): Promise<void> {
    await this.done(this.startSettle())
  }
}

export function storeRig(
  harness: BlockHarness<Store>,
  place: BlockPlace<Store>,
  shape: BlockShape,
): StoreRig {
  return new StoreRig(harness, place, shape)
}
