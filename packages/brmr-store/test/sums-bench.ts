/** SumsBench: a store that keeps sums of its data, and ways to make them wrong. */
import { type CellWrite, leaseBytes, STATUS_OK, statusOf } from "@rmr/core"
import type { FileStore } from "../src/index.js"
import { sumsSlotBytes } from "../src/layout.js"
import { superblockFor } from "../src/store-shape.js"
import { Bench, type DiskImage, WITH_SUMS } from "./store-bench.js"

export const BLOCK = 4096
export const EXTENT = 65_536
export const MEDIA_ERROR: number = statusOf("media-error")

export interface ReadBack {
  readonly status: number
  /** Where it said that the medium is bad. */
  readonly bad: { readonly at: number; readonly bytes: number } | undefined
  readonly bytes: Uint8Array
}

export class SumsBench extends Bench {
  readonly places = superblockFor(this.shape, "0".repeat(32))

  /** Even seeds have a disk that forces units; every fourth one's sectors have 512 bytes. */
  constructor(seed: number, image?: DiskImage) {
    const blocks = seed % 4 < 2 ? {} : { blockBytes: 512, atomicBytes: 512 }
    super(seed, seed % 2 === 0, image, WITH_SUMS, undefined, blocks)
  }

  static async made(seed: number): Promise<SumsBench> {
    const bench = new SumsBench(seed)
    await bench.create()
    return bench
  }

  get files(): FileStore {
    return this.store as FileStore
  }

  async heat(...extents: number[]): Promise<void> {
    expect(await this.tryHeat(...extents)).toBe(STATUS_OK)
  }

  tryHeat(...extents: number[]): Promise<number> {
    return this.ask((store, token) => store.heat(token, extents))
  }

  flush(): Promise<number> {
    return this.ask((store, token) => store.flush(token))
  }

  /** A frame of the log, for coolings to go with. */
  async frame(): Promise<void> {
    await this.pause(50)
    const cell: CellWrite = { kind: "state", index: 0, bytes: Uint8Array.of(1) }
    expect(await this.ask((store, token) => store.commit(token, [cell]))).toBe(STATUS_OK)
  }

  /** Stable, cooled, and cold in the log. */
  async cool(...extents: number[]): Promise<void> {
    expect(await this.flush()).toBe(STATUS_OK)
    this.store.cool(extents)
    await this.frame()
  }

  async close(): Promise<void> {
    await this.world.settled(this.store.close(), "close", 1e9)
  }

  zero(offset: number, bytes: number): Promise<number> {
    return this.ask((store, token) => store.zero(token, offset, bytes, 0))
  }

  async readBack(offset: number, length: number = BLOCK): Promise<ReadBack> {
    const lease = this.memory.lease(length)
    const status = await this.ask((store, token) => store.read(token, offset, lease, 0, length))
    const bytes = leaseBytes(this.memory, lease, 0, length).slice()
    this.memory.release(lease)
    return { status, bad: status === MEDIA_ERROR ? this.bad : undefined, bytes }
  }

  /** A bit of the volume, behind everybody's back. */
  rot(offset: number): void {
    this.flip(this.places.dataStart + offset)
  }

  flip(at: number): void {
    this.disk.poke(at, Uint8Array.of(this.disk.peek(at, 1)[0]! ^ 16))
  }

  slotOf(extent: number): { readonly at: number; readonly bytes: number } {
    const bytes = sumsSlotBytes(EXTENT)
    return { at: this.places.sumsStart + extent * bytes, bytes }
  }

  failSlotWrites(times?: number): () => void {
    const { sumsStart, dataStart } = this.places
    const where = { offset: sumsStart, length: dataStart - sumsStart }
    const often = times === undefined ? {} : { times }
    return this.disk.addRule({ on: ["write"], ...where, fails: "io-error", ...often })
  }

  pause(ms: number): Promise<void> {
    const { world } = this
    return world.settled(
      new Promise<void>((resolve) => {
        world.env.clock.schedule(ms, () => resolve())
      }),
      "a pause",
      1e9,
    )
  }

  damageCount(): number {
    return this.world.log.find("store.data-damaged").length
  }
}
