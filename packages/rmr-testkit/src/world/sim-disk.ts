/**
 * SimDisk: a disk that outlives its users, with every power that a real one has over them.
 *
 * A process opens it through `source` and sees a `BlockFile` (ports/block-file.ts). Around that
 * stand the powers: the process dies (the kernel's cache stays), the machine dies (what was not
 * flushed is lost, kept, torn or reordered), the disk fails, lies, rots, slows down or hangs.
 * Faults come by probability from the seed (`DiskFaults`) or by a rule at one place (`DiskRule`).
 *
 * The disk is as weak as the port allows: operations are carried out in any order, long ones in two
 * steps, and what it has grown by holds rubbish. It costs memory only for what is written, so a
 * disk of 64 TiB is fine.
 */
import type { BlockFileCapabilities, BlockFileSource } from "@rmr/core"
import { assert } from "@rmr/core"
import type { CrashPoint } from "./crash-images.js"
import type { DiskTiming } from "./disk-drive.js"
import { DiskDrive } from "./disk-drive.js"
import type { DiskFaultKind, DiskFaults, DiskRule } from "./disk-faults.js"
import { FaultDice, NO_DISK_FAULTS, RuleBook } from "./disk-faults.js"
import type { Damage, PowerFate } from "./disk-medium.js"
import { DiskMedium, POWER_FATES } from "./disk-medium.js"
import type { Host } from "./host.js"
import type { SeededRandom } from "./seeded-random.js"
import { simBlockFileSource } from "./sim-block-file.js"
import type { SparseBytes } from "./sparse-bytes.js"
import type { World } from "./world.js"

export interface SimDiskOptions {
  /** Unique in its world: it names the disk's streams of chance. */
  readonly name: string
  readonly sizeBytes: number
  /** What `grow` can make of it: more, as of a file, or by default no more, as of a device. */
  readonly sizeBytesMax?: number
  /** Default 4096. */
  readonly blockBytes?: number
  /** What is never torn. Default `blockBytes`. */
  readonly atomicBytes?: number
  /** What the medium writes whole. Default `atomicBytes`; less breaks the promise on purpose. */
  readonly sectorBytes?: number
  /** Default 1 MiB. */
  readonly ioBytesMax?: number
  /** Default 64. */
  readonly inFlightMax?: number
  /** What may be allocated before writes fail with `no-space`. Default without bound. */
  readonly spaceBytesMax?: number
  /** Default: everything. */
  readonly supports?: Partial<BlockFileCapabilities>
  readonly timing?: Partial<DiskTiming>
  /** How often an operation of several blocks is carried out in two steps. Default 0.5. */
  readonly splitProbability?: number
  readonly faults?: DiskFaults
  /** What is on it at first, as from `content()` or a crash image; it is copied. */
  readonly content?: SparseBytes
}

export interface CrashRecorder {
  /** One per change of what a crash could leave, in order; the first is where recording began. */
  readonly points: readonly CrashPoint[]
  stop(): void
}

export interface SimDisk {
  readonly name: string
  readonly sizeBytes: number
  readonly isOpen: boolean
  /** Where a process opens it. With a host, the end of that host's life is the end of the file. */
  source(host?: Host): BlockFileSource

  /** The process that has it open dies. What was in flight happened, in part, or not at all. */
  kill(): void
  /** The machine dies, and the process with it. The fate is drawn from the seed if not given. */
  powerCut(fate?: PowerFate): PowerFate

  setFaults(faults: DiskFaults): void
  /** Returns the way to take the rule back. */
  addRule(rule: DiskRule): () => void
  /** What rules have struck, in order: "write 4096+8192". */
  readonly struckByRules: readonly string[]
  /** How often each fault has struck. */
  readonly struckCounts: Readonly<Record<DiskFaultKind, number>>
  /**
   * Makes operations on these sectors fail with `media-error`. Default `reads`: until written
   * again.
   */
  damage(offset: number, length: number, damage?: Damage): void
  /** From now on nothing ends, until `release`. */
  stick(): void
  /** Ends `stick`, and lets everything that is stuck end. */
  release(): void
  setTiming(timing: Partial<DiskTiming>): void
  /** An admin changes the size. The next open or `grow` finds it; beyond it all is `io-error`. */
  resize(sizeBytes: number): void

  /** What a read would see, without delay or fault. */
  peek(offset: number, length: number, into?: Uint8Array): Uint8Array
  /** What a power cut cannot take away. */
  peekDurable(offset: number, length: number): Uint8Array
  /** Changes bytes durably and behind everybody's back, bit by bit if wanted. */
  poke(offset: number, bytes: Uint8Array): void
  readonly allocatedBytes: number
  /** Everything on it, for another disk's `content`. */
  content(): SparseBytes
  /** What a power cut at this moment could leave. */
  crashPoint(): CrashPoint
  /** Keeps a crash point after every change, until stopped. */
  recordCrashPoints(): CrashRecorder
}

const TIMING_DEFAULT: DiskTiming = {
  read: [0.02, 0.2],
  write: [0.02, 0.3],
  flush: [0.1, 1],
  slow: [500, 5000],
}

export function simDisk(world: World, options: SimDiskOptions): SimDisk {
  return new WorldDisk(world, options)
}

class WorldDisk implements SimDisk {
  readonly name: string
  private readonly random: SeededRandom
  private readonly medium: DiskMedium
  private readonly dice: FaultDice
  private readonly rules = new RuleBook()
  private readonly drive: DiskDrive
  private bootNumber = 0
  private bootName = ""

  constructor(world: World, options: SimDiskOptions) {
    const { name, sizeBytes, content } = options
    const blockBytes = options.blockBytes ?? 4096
    const atomicBytes = options.atomicBytes ?? blockBytes
    const sectorBytes = options.sectorBytes ?? atomicBytes
    assert(isPowerOfTwo(blockBytes) && blockBytes >= 512, `no disk has blocks of ${blockBytes}`)
    assert(
      isPowerOfTwo(atomicBytes) && atomicBytes <= blockBytes,
      "a block holds whole atomic units",
    )
    assert(isPowerOfTwo(sectorBytes) && sectorBytes <= atomicBytes, "a unit holds whole sectors")
    assert(sizeBytes % blockBytes === 0, "a disk holds whole blocks")
    this.name = name
    this.random = world.random.fork(`disk/${name}`)
    this.medium = new DiskMedium({
      sizeBytes,
      sizeBytesMax: options.sizeBytesMax ?? sizeBytes,
      sectorBytes,
      content,
      random: this.random.fork("medium"),
    })
    this.dice = new FaultDice(this.random.fork("fault"))
    this.dice.faults = options.faults ?? NO_DISK_FAULTS
    const supports = { unmap: true, forcedUnitAccess: true, direct: true, ...options.supports }
    this.drive = new DiskDrive({
      parts: {
        medium: this.medium,
        dice: this.dice,
        rules: this.rules,
        blockBytes,
        spaceBytesMax: options.spaceBytesMax ?? Number.POSITIVE_INFINITY,
        isUnmapHonoured: supports.unmap,
      },
      supports,
      atomicBytes,
      clock: world.env.clock,
      random: this.random.fork("timing"),
      timing: { ...TIMING_DEFAULT, ...options.timing },
      ioBytesMax: options.ioBytesMax ?? 1024 * 1024,
      inFlightMax: options.inFlightMax ?? 64,
      splitProbability: options.splitProbability ?? 0.5,
    })
    this.boot()
  }

  get sizeBytes(): number {
    return this.medium.sizeBytes
  }

  get isOpen(): boolean {
    return this.drive.isOpen
  }

  get struckCounts(): Readonly<Record<DiskFaultKind, number>> {
    return this.dice.struckCounts
  }

  get struckByRules(): readonly string[] {
    return this.rules.struck
  }

  get allocatedBytes(): number {
    return this.medium.allocatedBytes
  }

  source(host?: Host): BlockFileSource {
    const bootId = (): Promise<string> => Promise.resolve(this.bootName)
    return simBlockFileSource({ name: this.name, drive: this.drive, bootId, host })
  }

  kill(): void {
    this.drive.kill()
  }

  powerCut(fate: PowerFate = this.random.pick(POWER_FATES)): PowerFate {
    this.drive.losePower()
    this.medium.powerCut(fate)
    this.boot()
    return fate
  }

  setFaults(faults: DiskFaults): void {
    this.dice.faults = faults
  }

  addRule(rule: DiskRule): () => void {
    return this.rules.add(rule)
  }

  damage(offset: number, length: number, damage: Damage = "reads"): void {
    this.medium.damage(offset, length, damage)
  }

  stick(): void {
    this.drive.stick()
  }

  release(): void {
    this.drive.release()
  }

  setTiming(timing: Partial<DiskTiming>): void {
    this.drive.setTiming(timing)
  }

  resize(sizeBytes: number): void {
    this.medium.resize(sizeBytes)
  }

  peek(offset: number, length: number, into = new Uint8Array(length)): Uint8Array {
    this.medium.read(offset, into)
    return into
  }

  peekDurable(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    this.medium.readDurable(offset, bytes)
    return bytes
  }

  poke(offset: number, bytes: Uint8Array): void {
    this.medium.poke(offset, bytes)
  }

  content(): SparseBytes {
    return this.medium.copyOfBytes()
  }

  crashPoint(): CrashPoint {
    return this.medium.crashPoint("now")
  }

  recordCrashPoints(): CrashRecorder {
    assert(this.medium.onChange === undefined, "crash points are being recorded already")
    const points = [this.medium.crashPoint("start")]
    this.medium.onChange = (after) => points.push(this.medium.crashPoint(after))
    const stop = (): void => {
      this.medium.onChange = undefined
    }
    return { points, stop }
  }

  private boot(): void {
    this.bootNumber++
    const digits = new Uint8Array(16)
    this.random.fork(`boot-${this.bootNumber}`).fill(digits)
    this.bootName = Array.from(digits, (digit) => digit.toString(16).padStart(2, "0")).join("")
  }
}

function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(Math.log2(value))
}
