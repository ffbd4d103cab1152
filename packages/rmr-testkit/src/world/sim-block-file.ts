/**
 * SimBlockFile: the block-file port over a simulated disk, one life of one process long.
 *
 * This is the port's manners and nothing else: submissions take effect at the end of the turn,
 * completions come in batches in the process's own time, leases are held meanwhile, a bad range is
 * a status and not an exception. What happens to the bytes is the drive's and the medium's
 * business.
 */
import type {
  BlockBatch,
  BlockEvents,
  BlockFile,
  BlockFileCapabilities,
  BlockFileOpen,
  BlockFileSource,
  Env,
  ErrorCode,
  Lease,
  Memory,
  Timer,
} from "@rmr/core"
import {
  assert,
  assertLeaseRange,
  BLOCK_BAD_AT,
  BLOCK_BAD_BYTES,
  BLOCK_FUA,
  BLOCK_STATUS,
  BLOCK_STRIDE,
  BLOCK_TOKEN,
  BLOCK_UNMAP,
  isBlockRange,
  leaseBytes,
  NO_LEASE,
  RmrError,
  statusOf,
} from "@rmr/core"
import type { DiskDrive, DriveUser } from "./disk-drive.js"
import type { DiskOperation } from "./disk-faults.js"
import type { DiskRequest, DiskVerdict, OperationInProgress } from "./disk-operation.js"
import type { Host } from "./host.js"

export interface SimBlockFileSourceOptions {
  readonly name: string
  readonly drive: DiskDrive
  readonly bootId: () => Promise<string>
  readonly host: Host | undefined
}

export function simBlockFileSource(options: SimBlockFileSourceOptions): BlockFileSource {
  const { name, drive, bootId, host } = options
  const open = (opening: BlockFileOpen): Promise<BlockFile> =>
    new Promise((resolve, reject) => {
      // Only a living process gets here again: the timers of a dead one never run.
      opening.env.clock.schedule(drive.lookDelayMs(), () => {
        const file = new SimBlockFile(drive, opening)
        if (!drive.lock(file)) {
          reject(new RmrError("busy", `${name} is open already`))
          return
        }
        host?.onDeath(() => drive.killUser(file))
        resolve(file)
      })
    })
  return { name, open, bootId }
}

interface Submitted {
  readonly token: number
  readonly lease: Lease
  readonly request: DiskRequest
  /** What it ends with, where the disk is not asked at all. */
  readonly refusal: DiskVerdict | undefined
}

interface Ended {
  readonly submitted: Submitted
  readonly verdict: DiskVerdict
  /** Absent where the disk was not asked. */
  readonly operation: OperationInProgress | undefined
}

const NO_BYTES: Uint8Array = new Uint8Array(0)

class SimBlockFile implements BlockFile, DriveUser {
  readonly supports: BlockFileCapabilities
  sizeBytes: number
  readonly blockBytes: number
  readonly atomicBytes: number
  readonly ioBytesMax: number
  readonly inFlightMax: number
  private readonly drive: DiskDrive
  private readonly env: Env
  private readonly memory: Memory
  private readonly events: BlockEvents
  private readonly words: Int32Array
  /** Submitted in this turn. */
  private waiting: Submitted[] = []
  private readonly leasesHeld = new Set<Submitted>()
  private inFlightCount = 0
  private ended: Ended[] = []
  private delivery: Timer | undefined
  private isLost = false
  private closing: Promise<void> | undefined
  private finishClose: (() => void) | undefined

  constructor(drive: DiskDrive, opening: BlockFileOpen) {
    const { parts, supports, atomicBytes, ioBytesMax, inFlightMax } = drive.options
    const { blockBytes } = parts
    this.drive = drive
    this.env = opening.env
    this.memory = opening.memory
    this.events = opening.events
    this.supports = Object.freeze({ ...supports })
    this.blockBytes = blockBytes
    this.atomicBytes = atomicBytes
    this.sizeBytes = this.wholeBlocks()
    this.ioBytesMax = ioBytesMax
    this.inFlightMax = inFlightMax
    this.words = new Int32Array(inFlightMax * BLOCK_STRIDE)
  }

  read(token: number, offset: number, lease: Lease, at: number, bytes: number): void {
    this.take(token, "read", offset, bytes, 0, { lease, at })
  }

  write(
    token: number,
    offset: number,
    lease: Lease,
    at: number,
    bytes: number,
    flags: number,
  ): void {
    assert((flags & ~BLOCK_FUA) === 0, `write has no flags ${flags}`)
    this.take(token, "write", offset, bytes, flags, { lease, at })
  }

  zero(token: number, offset: number, bytes: number, flags: number): void {
    assert((flags & ~(BLOCK_FUA | BLOCK_UNMAP)) === 0, `zero has no flags ${flags}`)
    this.take(token, "zero", offset, bytes, flags, undefined)
  }

  flush(token: number): void {
    this.take(token, "flush", 0, 0, 0, undefined)
  }

  submit(): void {
    const starting = this.waiting
    this.waiting = []
    for (const submitted of starting) {
      if (submitted.refusal !== undefined) {
        this.end({ submitted, verdict: submitted.refusal, operation: undefined })
      } else {
        this.drive.start(submitted.request, (verdict, operation) =>
          this.end({ submitted, verdict, operation }),
        )
      }
    }
  }

  grow(sizeBytes: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.env.clock.schedule(this.drive.lookDelayMs(), () => {
        try {
          this.growNow(sizeBytes)
          resolve()
        } catch (thrown) {
          reject(thrown)
        }
      })
    })
  }

  close(): Promise<void> {
    this.closing ??= new Promise((resolve) => {
      this.finishClose = () => {
        this.finishClose = undefined
        this.drive.unlock(this)
        resolve()
      }
      if (this.inFlightCount === 0 && !this.isLost) this.finishClose()
    })
    return this.closing
  }

  onLost(): void {
    this.isLost = true
    this.finishClose = undefined
    this.delivery?.cancel()
    this.waiting = []
    this.ended = []
    for (const { lease } of this.leasesHeld) this.memory.release(lease)
    this.leasesHeld.clear()
  }

  private take(
    token: number,
    on: DiskOperation,
    offset: number,
    length: number,
    flags: number,
    memory: { readonly lease: Lease; readonly at: number } | undefined,
  ): void {
    if (this.isLost) return
    assert(this.inFlightCount < this.inFlightMax, "no more than inFlightMax operations at once")
    const refusal = this.refusalOf(on, offset, length, flags)
    const lease = memory?.lease ?? NO_LEASE
    let bytes: Uint8Array = NO_BYTES
    if (memory !== undefined && refusal === undefined) {
      assertLeaseRange(this.memory, this.blockBytes, lease, memory.at, length)
      bytes = leaseBytes(this.memory, lease, memory.at, length)
    }
    const { coverage } = this.drive.options.parts.medium.cache
    const request: DiskRequest = { on, offset, length, flags, bytes, coverage }
    const submitted: Submitted = { token, lease, request, refusal }
    this.inFlightCount++
    if (lease !== NO_LEASE) {
      this.memory.retain(lease)
      this.leasesHeld.add(submitted)
    }
    if (this.waiting.push(submitted) === 1) this.env.clock.endOfTurn(() => this.submit())
  }

  /** What it ends with at once, where the disk need not be asked. */
  private refusalOf(
    on: DiskOperation,
    offset: number,
    length: number,
    flags: number,
  ): DiskVerdict | undefined {
    const refuse = (code: ErrorCode): DiskVerdict => ({
      status: statusOf(code),
      badAt: 0,
      badBytes: 0,
    })
    if (this.closing !== undefined) return refuse("closed")
    if (on === "flush") return undefined
    if (!isBlockRange(this, offset, length)) return refuse("invalid-range")
    const asksTooMuch = (flags & BLOCK_FUA) !== 0 && !this.supports.forcedUnitAccess
    return asksTooMuch ? refuse("unsupported") : undefined
  }

  private growNow(sizeBytes: number): void {
    if (this.closing !== undefined) throw new RmrError("closed", "the block file was closed")
    if (sizeBytes <= this.sizeBytes) return
    const rounded = Math.ceil(sizeBytes / this.blockBytes) * this.blockBytes
    if (!this.drive.options.parts.medium.grow(rounded)) {
      throw new RmrError("no-space", `the disk does not grow to ${sizeBytes} bytes`)
    }
    this.sizeBytes = this.wholeBlocks()
  }

  private wholeBlocks(): number {
    const { sizeBytes } = this.drive.options.parts.medium
    return sizeBytes - (sizeBytes % this.blockBytes)
  }

  private end(ended: Ended): void {
    if (this.ended.push(ended) > 1) return
    this.delivery = this.env.clock.schedule(0, () => this.deliver())
  }

  /** Everything that has ended, in one batch. */
  private deliver(): void {
    const ended = this.ended
    this.ended = []
    for (const [row, { submitted, verdict, operation }] of ended.entries()) {
      const at = row * BLOCK_STRIDE
      this.words[at + BLOCK_TOKEN] = submitted.token
      this.words[at + BLOCK_STATUS] = verdict.status
      this.words[at + BLOCK_BAD_AT] = verdict.badAt
      this.words[at + BLOCK_BAD_BYTES] = verdict.badBytes
      if (operation?.write !== undefined) {
        this.drive.options.parts.medium.cache.complete(operation.write)
      }
      if (this.leasesHeld.delete(submitted)) this.memory.release(submitted.lease)
    }
    this.inFlightCount -= ended.length
    const batch: BlockBatch = { count: ended.length, words: this.words }
    this.events.onCompletions(batch)
    if (this.inFlightCount === 0 && !this.isLost) this.finishClose?.()
  }
}
