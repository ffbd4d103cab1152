/**
 * A random run: lives of random operations, each ended by chance in another way, judged by an
 * oracle.
 *
 * Each batch is submitted in one turn. Its operations do not overlap, so that the outcome is
 * defined; what overlapping ones owe is the business of its own clause. Batches at the end of a
 * life are abandoned in flight. A failure names the seed.
 */
import { AssertionError, BLOCK_FUA, BLOCK_UNMAP } from "@rmr/core"
import type { SeededRandom } from "../../world/seeded-random.js"
import { checkBytes } from "../check.js"
import type { BlockClause, Numbered } from "./clause.js"
import { stamped, zeroes } from "./content.js"
import type { BlockSubject, PowerName } from "./harness.js"
import type { BlockRig } from "./rig.js"
import type { Started } from "./started.js"
import { type OracleChange, VolumeOracle } from "./volume-oracle.js"

/** How a life ends. */
export type LifeEnd = "close" | "kill" | "powerCut"

interface RunOperation {
  readonly started: Started
  /** A write or zero. */
  readonly change?: OracleChange
  readonly isForced?: boolean
  /** A read. */
  readonly range?: { readonly offset: number; readonly bytes: number }
}

const LIVES = 8
const BATCHES_MAX = 6
const BATCH_OPERATIONS_MAX = 8
const OPERATION_BLOCKS_MAX = 12

export class RandomRun<Rig extends BlockRig<BlockSubject>> {
  protected readonly rig: Rig
  protected readonly random: SeededRandom
  private readonly oracle: VolumeOracle
  private nextTag = 1

  constructor(rig: Rig, random: SeededRandom, content: Uint8Array) {
    this.rig = rig
    this.random = random
    this.oracle = new VolumeOracle(content, rig.io.atomicBytes)
  }

  async run(ends: readonly LifeEnd[]): Promise<void> {
    try {
      for (let life = 0; life < LIVES; life++) await this.oneLife(this.random.pick(ends))
    } catch (thrown) {
      const detail = thrown instanceof Error ? thrown.message : String(thrown)
      const message = `${detail} (random run, seed ${this.random.path})`
      throw new AssertionError(message, { cause: thrown })
    }
  }

  /** Room for operations beside block io; each finishes what it starts. */
  protected async extraStep(): Promise<void> {}

  /** Starts operations beside block io that the coming crash will meet in flight. */
  protected startExtra(): void {}

  /** Checks what an open after this end has found. */
  protected async checkExtra(_end: LifeEnd): Promise<void> {}

  private async oneLife(end: LifeEnd): Promise<void> {
    const batches = this.random.between(1, BATCHES_MAX)
    for (let batch = 0; batch < batches; batch++) {
      await this.finish(await this.startBatch())
      await this.extraStep()
      if (this.random.chance(0.3)) await this.flush()
    }
    if (end === "close") await this.rig.close()
    else await this.crash(end)
    await this.rig.open()
    await this.judge(end)
    await this.checkExtra(end)
  }

  /** Chance lets some of the last batch complete before the end. */
  private async crash(end: "kill" | "powerCut"): Promise<void> {
    const operations = await this.startBatch()
    this.startExtra()
    this.rig.io.submit()
    if (this.random.chance(0.5)) await this.rig.outcome(operations[0]!.started)
    for (const { started, change, isForced } of operations) {
      if (!started.isDone || change === undefined) continue
      this.oracle.complete(change)
      if (isForced) this.oracle.forced(change)
    }
    if (end === "kill") await this.rig.kill()
    else await this.rig.powerCut()
  }

  private async judge(end: LifeEnd): Promise<void> {
    const found = await this.rig.readAll()
    if (end === "close") checkBytes(found, this.oracle.content, "the volume after close")
    else if (end === "kill") this.oracle.afterKill(found)
    else this.oracle.afterPowerCut(found)
  }

  private async flush(): Promise<void> {
    const { coverage } = this.oracle
    await this.rig.flush()
    this.oracle.flushed(coverage)
  }

  private async startBatch(): Promise<RunOperation[]> {
    const { blockBytes } = this.rig.io
    const ranges = this.disjointRanges()
    for (const range of ranges) {
      await this.rig.prepare(range.first * blockBytes, range.count * blockBytes)
    }
    return ranges.map(({ first, count }) => this.startOne(first * blockBytes, count * blockBytes))
  }

  private disjointRanges(): { first: number; count: number }[] {
    const blocks = this.rig.io.sizeBytes / this.rig.io.blockBytes
    const ranges: { first: number; count: number }[] = []
    for (let tries = this.random.between(1, BATCH_OPERATIONS_MAX); tries > 0; tries--) {
      const count = this.random.between(1, OPERATION_BLOCKS_MAX)
      const first = this.random.below(blocks - count)
      const isFree = ranges.every((range) => {
        return first + count <= range.first || range.first + range.count <= first
      })
      if (isFree) ranges.push({ first, count })
    }
    return ranges
  }

  private startOne(offset: number, bytes: number): RunOperation {
    const { rig, random } = this
    if (random.chance(0.3)) {
      return { started: rig.startRead(offset, bytes), range: { offset, bytes } }
    }
    const isForced = rig.hasForcedUnitAccess && random.chance(0.2)
    const flags = isForced ? BLOCK_FUA : 0
    if (random.chance(0.3)) {
      const unmap = random.chance(0.5) ? BLOCK_UNMAP : 0
      const change = this.oracle.begin(offset, zeroes(bytes))
      return { started: rig.startZero(offset, bytes, flags | unmap), change, isForced }
    }
    const change = this.oracle.begin(offset, stamped(offset, bytes, this.nextTag++))
    return { started: rig.startWrite(offset, change.content, flags), change, isForced }
  }

  private async finish(operations: readonly RunOperation[]): Promise<void> {
    for (const { started, change, isForced, range } of operations) {
      if (range !== undefined) {
        const found = await this.rig.bytesOf(started, range.bytes)
        const expected = this.oracle.content.subarray(range.offset, range.offset + range.bytes)
        checkBytes(found, expected, `a read at ${range.offset}`)
      } else {
        await this.rig.done(started)
        this.oracle.complete(change!)
        if (isForced) this.oracle.forced(change!)
      }
    }
  }
}

const RUNS = 3

/** Random runs over the lives that the available powers allow. */
export function randomRunClauses(quiet: Numbered, crashing: Numbered): BlockClause[] {
  const clause = (
    { promise }: Numbered,
    title: string,
    ends: readonly LifeEnd[],
    needs: readonly PowerName[],
  ): BlockClause => ({
    promise,
    title: `random operations match plain memory, ${title}`,
    needs,
    run: async (rig) => {
      for (let nth = 1; nth <= RUNS; nth++) {
        const random = rig.harness.random.fork(`run-${nth}`)
        await rig.flush()
        await new RandomRun(rig, random, await rig.readAll()).run(ends)
      }
    },
  })
  return [
    clause(quiet, "from one opening to the next", ["close"], []),
    clause(crashing, "also where processes die", ["close", "kill"], ["kill"]),
    clause(crashing, "also where machines die", ["close", "powerCut"], ["powerCut"]),
  ]
}
