/**
 * fio with verification, and beside it a load that can swear to what it wrote.
 *
 * fio does not notice that the client dies: between them is nbdkit, which connects again and asks
 * again, as the NBD client of a kernel can do. Round after round every block is written once, with
 * flushes in between, and then read and compared. The other load (sworn-load.ts) has the first half
 * of the volume and the device itself; where that dies, it remembers what was answered.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { untilSocket } from "../../../bench/device/target.js"
import type { SeededRandom } from "../../../packages/rmr-testkit/src/world/seeded-random.js"
import { Generations } from "../generations.js"
import { fio, MIB } from "../nbd-tools.js"
import { expectBlocks, SwornLoad } from "../sworn-load.js"
import type { Load, Site } from "./site.js"

const JOBS = 3
const ROUNDS = ["randwrite", "write", "randrw"] as const
/** Longer than anything that a schedule does. */
const RETRIES = 1000

export class FioLoad implements Load {
  private readonly random: SeededRandom
  private readonly jobMib: number
  private readonly generations = new Generations()
  private site!: Site
  private retrying: ChildProcess | undefined
  private sworn: SwornLoad | undefined
  private lives = 0
  private rounds = 0
  private isEnding = false
  private running: Promise<void> = Promise.resolve()
  private failure: unknown

  constructor(random: SeededRandom, jobMib: number) {
    this.random = random
    this.jobMib = jobMib
  }

  async begin(site: Site): Promise<void> {
    this.site = site
    const socket = join(site.folder, "retrying.sock")
    const retry = ["--filter=retry", `retries=${RETRIES}`, "retry-delay=1"]
    const behind = ["nbd", `socket=${site.socket}`, "export=vault", `retry=${RETRIES}`]
    const words = ["--foreground", "--exit-with-parent", "-U", socket, ...behind, ...retry]
    this.retrying = spawn("nbdkit", [...words, "retry-exponential=no"], { stdio: "ignore" })
    await untilSocket(socket)
    this.running = this.verify(`nbd+unix:///?socket=${socket}`)
    this.running.catch((thrown: unknown) => {
      this.failure = thrown
    })
    await this.recover()
  }

  look(): void {
    if (this.failure !== undefined) throw this.failure
    this.sworn?.look()
  }

  /** fio must not notice; the other load is asked no more. */
  brace(): void {}

  async abandon(): Promise<void> {
    await this.sworn?.abandon()
    this.sworn = undefined
  }

  async recover(): Promise<void> {
    await this.expectSworn()
    // What a death left half written stays as it is: nobody writes it again.
    const age = this.lives++
    const random = this.random.fork(`life ${age}`)
    const { generations } = this
    const shape = { socket: this.site.socket, sizeBytes: this.site.sizeBytes / 2, generations }
    this.sworn = await SwornLoad.begin({ ...shape, random, age })
  }

  async end(): Promise<string> {
    this.isEnding = true
    await this.sworn?.stop()
    this.sworn?.close()
    this.sworn = undefined
    await this.running
    await this.expectSworn()
    const sworn = `${this.generations.answeredCount} sworn blocks in ${this.lives} lives`
    return `${this.rounds} rounds of fio verified, ${sworn}`
  }

  async close(): Promise<void> {
    this.isEnding = true
    this.sworn?.close()
    this.sworn = undefined
    const { retrying } = this
    this.retrying = undefined
    if (retrying === undefined || retrying.exitCode !== null) return
    const gone = once(retrying, "exit")
    retrying.kill("SIGKILL")
    await gone
    // With nobody to ask, fio ends.
    await this.running.catch(() => undefined)
  }

  private async expectSworn(): Promise<void> {
    const { blocks } = this.generations
    if (blocks.length === 0) return
    const judge = (at: number, bytes: Buffer): string => this.generations.judgeAnswered(at, bytes)
    await expectBlocks(this.site.socket, blocks, judge)
  }

  private async verify(uri: string): Promise<void> {
    const half = this.site.sizeBytes / 2
    const size = this.jobMib * MIB
    const place = [`--offset=${half}`, `--size=${size}`, `--offset_increment=${size}`]
    const shape = [`--numjobs=${JOBS}`, "--bsrange=4k-128k", "--iodepth=8", "--fsync=24"]
    const check = ["--verify=crc32c", "--verify_fatal=1", "--do_verify=1"]
    while (!this.isEnding) {
      const rw = ROUNDS[this.rounds % ROUNDS.length]
      await fio(this.site.folder, uri, `--rw=${rw}`, ...place, ...shape, ...check)
      this.rounds++
    }
  }
}
