/**
 * Random histories of commits, heats, writes and flushes, on a disk whose writes and flushes fail
 * now and then, through lives that end at a random step; an oracle says what may be found.
 * `RMR_SEED=n` repeats a run.
 */
import { STATUS_OK } from "@rmr/core"
import { POWER_FATES, type SeededRandom, seededRandom } from "@rmr/testkit"
import { Bench, SHAPE, WITH_SUMS } from "./store-bench.js"

jest.setTimeout(240_000)

const seed = Number(process.env["RMR_SEED"])
const HISTORIES = 6
const LIVES = 8
const STEPS = 24
const BLOCKS = 12

/** What one block may hold: the last is what reads see. */
interface Block {
  values: number[]
  /** A flush that failed may have thrown its writes away, and no later one brings them back. */
  isOrphan: boolean
}

class History {
  private readonly bench: Bench
  private readonly random: SeededRandom
  private readonly blocks: Block[] = Array.from({ length: BLOCKS }, () => ({
    values: [0],
    isOrphan: false,
  }))
  /** Versions that the cell may have; the first was told, those behind it were asked for since. */
  private versions: (number | undefined)[] = [undefined]
  private next = 1
  private hadFailure = false

  constructor(bench: Bench, random: SeededRandom) {
    this.bench = bench
    this.random = random
  }

  async run(): Promise<void> {
    await this.bench.create()
    for (let life = 0; life < LIVES; life++) {
      await this.heat()
      for (let step = 0; step < STEPS; step++) await this.step()
      await this.end()
    }
  }

  private async heat(): Promise<void> {
    const status = await this.bench.ask((store, token) => store.heat(token, [0, 1]))
    expect(status).toBe(STATUS_OK)
  }

  private async step(): Promise<void> {
    const { bench, random } = this
    const takeBack = random.chance(0.15) ? this.breakDisk() : undefined
    const dice = random.below(10)
    if (dice < 4) await this.write()
    else if (dice < 8) await this.commit()
    else await this.flush()
    takeBack?.()
    const nth = random.below(BLOCKS)
    const byte = await bench.read(nth * 4096)
    // Until the process ends a failed flush changes nothing that can be read.
    if (!this.hadFailure) expect(byte).toBe(this.blocks[nth]!.values.at(-1))
  }

  private breakDisk(): () => void {
    const on = this.random.chance(0.5) ? "flush" : "write"
    return this.bench.disk.addRule({ on: [on], fails: "io-error", times: 1 })
  }

  private async write(): Promise<void> {
    const block = this.blocks[this.random.below(BLOCKS)]!
    const value = this.value()
    const status = await this.bench.write(this.blocks.indexOf(block) * 4096, value)
    block.values.push(value)
    if (status === STATUS_OK) block.isOrphan = false
    else this.fails(block)
  }

  private async commit(): Promise<void> {
    const version = this.value()
    const status = await this.bench.commit(version)
    if (status === STATUS_OK) this.versions = [version]
    else {
      this.versions.push(version)
      this.fails()
    }
    expect(await this.bench.version()).toBe(this.versions[0])
  }

  private async flush(): Promise<void> {
    const status = await this.bench.ask((store, token) => store.flush(token))
    if (status !== STATUS_OK) {
      this.fails(...this.blocks.filter(({ values }) => values.length > 1))
      return
    }
    for (const block of this.blocks) {
      if (!block.isOrphan) block.values = [block.values.at(-1)!]
    }
  }

  private fails(...orphans: Block[]): void {
    this.hadFailure = true
    for (const block of orphans) block.isOrphan = true
  }

  /** The process or the machine dies with something in flight, at any step. */
  private async end(): Promise<void> {
    const { bench, random } = this
    const version = this.value()
    const value = this.value()
    const block = this.blocks[random.below(BLOCKS)]!
    const told: { status?: number } = {}
    const commit = bench.startCommit(version)
    commit.then((status) => {
      told.status = status
    })
    void bench.startWrite(this.blocks.indexOf(block) * 4096, value)
    await bench.world.run({ stepsMax: random.below(30) })
    this.versions = told.status === STATUS_OK ? [version] : [...this.versions, version]
    const before = block.values
    block.values = [...before, value]
    const isKill = random.chance(0.4)
    if (isKill) bench.disk.kill()
    else bench.disk.powerCut(random.pick(POWER_FATES))
    await bench.open()
    await this.check(isKill, block)
    await bench.world.settled(bench.store.close(), "close", 1e9)
    await bench.open()
  }

  private async check(isKill: boolean, inFlight: Block): Promise<void> {
    const { bench } = this
    const version = await bench.version()
    expect(this.versions).toContain(version)
    this.versions = [version]
    if (!isKill) expect(bench.store.restart).toBe("cache-lost")
    expect(bench.store.hotAtOpen).toEqual([0, 1])
    for (const [nth, block] of this.blocks.entries()) {
      const found = await bench.read(nth * 4096)
      const mustBeLast = isKill && !this.hadFailure && block !== inFlight
      if (mustBeLast) expect(found).toBe(block.values.at(-1))
      else expect(block.values).toContain(found)
      block.values = [found]
      block.isOrphan = false
    }
    this.hadFailure = false
  }

  private value(): number {
    this.next = (this.next % 255) + 1
    return this.next
  }
}

describe(`a store with a random history, RMR_SEED=${seed}`, () => {
  for (const [forcedUnitAccess, dataSums] of [
    [true, false],
    [false, false],
    [true, true],
    [false, true],
  ] as const) {
    const forces = forcedUnitAccess ? "that forces units" : "that only flushes"
    const disk = dataSums ? `${forces}, with sums of data` : forces
    it(`S6, S7, S9, S16: finds what was told or asked, on a disk ${disk}`, async () => {
      const random = seededRandom(`${seed} ${disk}`)
      for (let nth = 0; nth < HISTORIES; nth++) {
        const bench = new Bench(
          random.below(1e9),
          forcedUnitAccess,
          undefined,
          dataSums ? WITH_SUMS : SHAPE,
        )
        await new History(bench, random.fork(`history-${nth}`)).run()
      }
    })
  }
})
