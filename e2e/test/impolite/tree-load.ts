/**
 * Folders of files on an ext4 file system, changed at random. After a death of the client the
 * folder of that life is left as it is: what was settled in it is there, and stays there.
 */
import { mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { Churn } from "../churn.js"
import { HostDisk } from "./host-disk.js"
import type { Load, Site } from "./site.js"

const STEPS = 40
/** So many lives are kept and looked at; there is no room for all. */
const LIVES_MAX = 3

interface Life {
  readonly name: string
  readonly churn: Churn
}

export class TreeLoad implements Load {
  private readonly seed: number
  private readonly lives: Life[] = []
  private disk: HostDisk | undefined
  private place = ""
  private isEnding = false
  private isLost = false
  private running: Promise<void> = Promise.resolve()
  private failure: unknown
  private nth = 0
  private settles = 0
  private foundCount = 0

  constructor(seed: number) {
    this.seed = seed
  }

  async begin(site: Site): Promise<void> {
    this.disk = await HostDisk.make(site)
    this.live()
  }

  look(): void {
    if (this.failure !== undefined) throw this.failure
  }

  brace(): void {
    this.isLost = true
  }

  async abandon(): Promise<void> {
    await this.running.catch(() => undefined)
    await this.disk?.lose()
  }

  async recover(): Promise<void> {
    await this.disk?.recover()
    this.isLost = false
    this.live()
  }

  async end(): Promise<string> {
    this.isEnding = true
    await this.running
    await this.lives.at(-1)?.churn.settle()
    await this.lives.at(-1)?.churn.expectAll()
    await this.expectSettled()
    await this.disk?.end()
    const found = `${this.foundCount} settled files found again`
    return `${this.settles} times settled in ${this.nth} lives, ${found}, fsck clean`
  }

  async close(): Promise<void> {
    this.isEnding = true
    this.isLost = true
    await this.running.catch(() => undefined)
    await this.disk?.close()
  }

  /** The next life: what the last ones left is looked at first. */
  private live(): void {
    this.place = this.disk?.place ?? ""
    this.running = this.churn()
    this.running.catch((thrown: unknown) => {
      if (!this.isLost) this.failure = thrown
    })
  }

  private async churn(): Promise<void> {
    await this.expectSettled()
    while (this.lives.length >= LIVES_MAX) {
      const [oldest] = this.lives.splice(0, 1)
      rmSync(join(this.place, oldest!.name), { recursive: true, force: true })
    }
    const name = `life-${this.nth++}`
    mkdirSync(join(this.place, name))
    const churn = new Churn(join(this.place, name), this.seed + this.nth)
    this.lives.push({ name, churn })
    while (!this.isEnding && !this.isLost) {
      await churn.run(STEPS)
      await churn.settle()
      this.settles++
    }
  }

  private async expectSettled(): Promise<void> {
    for (const { name, churn } of this.lives) {
      this.foundCount += await churn.expectSettled(join(this.place, name))
    }
  }
}
