/**
 * A load that can swear to what it wrote: writes, writes of zeroes, FUA and flushes over a few
 * sessions with an export, each in blocks of its own, and a record of what was answered when
 * (generations.ts).
 *
 * Each writer stays in one part of the volume for a while and then moves, so that extents become
 * hot and cool again.
 */
import { RawClient } from "../../packages/brmr-client/test/raw-client.js"
import type { SeededRandom } from "../../packages/rmr-testkit/src/world/seeded-random.js"
import { BLOCK_BYTES, type Generations } from "./generations.js"

const CMD_READ = 0
const CMD_WRITE = 1
const CMD_FLUSH = 3
const CMD_WRITE_ZEROES = 6
const FLAG_FUA = 1
const LOOK_MS = 10
const WRITERS = 4
/** Of a writer: parts of the volume, and blocks that it uses in each. */
const PARTS = 2
const PART_BLOCKS = 96
const WRITE_BLOCKS_MAX = 8
const MOVES = 0.02

export interface SwornLoadOptions {
  readonly socket: string
  readonly exported?: string
  readonly sizeBytes: number
  readonly random: SeededRandom
  /** What earlier loads of the same volume have written. */
  readonly generations: Generations
  /** Loads of different ages write different blocks, as long as there is room; default 0. */
  readonly age?: number
}

export class SwornLoad {
  readonly generations: Generations
  /** Requests that were answered. */
  answeredCount = 0
  flushCount = 0
  private readonly options: SwornLoadOptions
  private readonly clients: RawClient[] = []
  private running: Promise<unknown> = Promise.resolve()
  private failure: unknown
  private isStopping = false

  private constructor(options: SwornLoadOptions) {
    this.options = options
    this.generations = options.generations
  }

  static async begin(options: SwornLoadOptions): Promise<SwornLoad> {
    const load = new SwornLoad(options)
    const { socket, exported = "vault" } = options
    for (let nth = 0; nth < WRITERS; nth++) {
      load.clients.push(await RawClient.serving({ path: socket }, exported))
    }
    load.running = Promise.all(load.clients.map((client, nth) => load.write(client, nth)))
    load.running.catch((thrown: unknown) => {
      load.failure = thrown
    })
    return load
  }

  /** Until so many more requests were answered, or what is asked for is so. */
  async goOn(count: number, isEnough: () => boolean = () => false): Promise<void> {
    const until = this.answeredCount + count
    while (this.answeredCount < until && !isEnough()) {
      this.look()
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    }
  }

  /** Fails where anything did by now. */
  look(): void {
    if (this.failure !== undefined) throw this.failure
  }

  /** Waits for what was asked; fails where anything did. */
  async stop(): Promise<void> {
    this.isStopping = true
    await this.running
  }

  /** Who answers has died: what was not answered stays open. */
  async abandon(): Promise<void> {
    this.isStopping = true
    this.close()
    await this.running.catch(() => undefined)
  }

  close(): void {
    for (const client of this.clients) client.close()
  }

  private async write(client: RawClient, nth: number): Promise<void> {
    const random = this.options.random.fork(`writer ${nth}`)
    let part = 0
    let answered: [block: number, generation: number][] = []
    while (!this.isStopping) {
      if (random.chance(MOVES)) part = random.below(PARTS)
      if (random.chance(0.12)) {
        await this.ask(client, CMD_FLUSH, 0, 0)
        this.flushCount++
        for (const [block, generation] of answered) this.generations.makeDurable(block, generation)
        answered = []
      } else await this.writeOnce(client, random, this.startOf(nth, part), answered)
    }
  }

  private async writeOnce(
    client: RawClient,
    random: SeededRandom,
    start: number,
    answered: [block: number, generation: number][],
  ): Promise<void> {
    const { generations } = this
    const count = random.between(1, WRITE_BLOCKS_MAX)
    const first = start + random.below(PART_BLOCKS - count)
    const isZero = random.chance(0.08)
    const flags = random.chance(0.08) ? FLAG_FUA : 0
    const written = this.beginAll(first, count, isZero)
    if (isZero) await this.ask(client, CMD_WRITE_ZEROES, first, count, flags)
    else await this.ask(client, CMD_WRITE, first, count, flags, this.payloadOf(written))
    for (const [block, generation] of written) {
      generations.answer(block, generation)
      if (flags === FLAG_FUA) generations.makeDurable(block, generation)
    }
    answered.push(...written)
  }

  private beginAll(first: number, count: number, isZero: boolean): [number, number][] {
    return Array.from({ length: count }, (_, at) => {
      return [first + at, this.generations.begin(first + at, isZero)]
    })
  }

  private payloadOf(written: readonly [number, number][]): Buffer {
    return Buffer.concat(written.map(([block, nth]) => this.generations.bytesOf(block, nth)))
  }

  /** Parts are as far from each other as the volume lets them. */
  private startOf(writer: number, part: number): number {
    const { sizeBytes, age = 0 } = this.options
    const blocks = Math.floor(sizeBytes / BLOCK_BYTES / (WRITERS * PARTS))
    const ages = Math.max(1, Math.floor(blocks / PART_BLOCKS))
    return (writer * PARTS + part) * blocks + (age % ages) * PART_BLOCKS
  }

  private async ask(
    client: RawClient,
    kind: number,
    first: number,
    count: number,
    flags = 0,
    payload?: Buffer,
  ): Promise<void> {
    const [offset, bytes] = [first * BLOCK_BYTES, count * BLOCK_BYTES]
    const shape = payload === undefined ? { kind, flags, offset, bytes } : { kind, flags, offset }
    const reply = await client.ask(payload === undefined ? shape : { ...shape, payload })
    if (reply.errno !== 0) throw new Error(`request ${kind} at ${offset} fails: ${reply.errno}`)
    this.answeredCount++
  }
}

/** Reads these blocks over an export; fails with what is wrong with them. */
export async function expectBlocks(
  socket: string,
  blocks: readonly number[],
  judge: (block: number, bytes: Buffer) => string,
): Promise<void> {
  if (blocks.length === 0) throw new Error("nothing was written")
  const client = await RawClient.serving({ path: socket }, "vault")
  const wrong: string[] = []
  for (const block of blocks) {
    const place = { offset: block * BLOCK_BYTES, bytes: BLOCK_BYTES }
    const reply = await client.ask({ kind: CMD_READ, ...place })
    const said = reply.errno === 0 ? judge(block, reply.data) : `block ${block}: ${reply.errno}`
    if (said !== "") wrong.push(said)
  }
  client.close()
  if (wrong.length > 0) throw new Error(`${wrong.length} blocks:\n${wrong.slice(0, 9).join("\n")}`)
}
