/**
 * The disk of a host that uses the device: an ext4 file system, made once, and mounted anew after
 * each death of the client. What a crash leaves must be mended by mounting it, and then be whole
 * for its own checker.
 */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { FileSystem } from "../file-system.js"
import type { Site } from "./site.js"

export class HostDisk {
  /** Since the beginning. */
  mounts = 0
  private readonly site: Site
  private disk: FileSystem

  private constructor(site: Site) {
    this.site = site
    this.disk = this.next()
  }

  static async make(site: Site): Promise<HostDisk> {
    const made = new HostDisk(site)
    await made.attach()
    await made.disk.make()
    await made.disk.mount()
    return made
  }

  /** Where it is mounted now. */
  get place(): string {
    return this.disk.place
  }

  /** The device is gone, and whoever used it. */
  async lose(): Promise<void> {
    await this.disk.detach()
  }

  /** The device is there again: mounting it mends it. */
  async recover(): Promise<void> {
    this.disk = this.next()
    await this.attach()
    await this.disk.mount()
    await this.disk.unmount()
    await this.expectWhole()
    await this.disk.mount()
  }

  /** In order. */
  async end(): Promise<void> {
    await this.disk.unmount()
    await this.expectWhole()
    await this.disk.detach()
  }

  /** Whatever state it is in. Idempotent. */
  async close(): Promise<void> {
    await this.disk.detach()
  }

  private attach(): Promise<void> {
    return this.disk.attach(this.site.pool.uri)
  }

  private async expectWhole(): Promise<void> {
    const { code, output } = await this.disk.check()
    expect(`${code} ${code === 0 ? "" : output}`).toBe("0 ")
  }

  private next(): FileSystem {
    const folder = join(this.site.folder, `host-${this.mounts++}`)
    mkdirSync(folder)
    return new FileSystem(folder)
  }
}
