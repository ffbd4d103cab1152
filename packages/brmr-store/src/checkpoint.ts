/**
 * Checkpoint: brings what the log says to its places, and lets the log begin later.
 *
 * ```
 *   frame with all that is hot, durable ─► cells of the frames before it at their places, durable
 *     ─► superblock names that frame ─► the frames before it are free
 * ```
 *
 * It goes on beside commits, whose frames lie behind. Where it fails, or the machine does, the
 * superblock names the old tail and the log still says everything.
 */
import { STATUS_OK, statusOf } from "@rmr/core"
import type { CellHomes } from "./cell-homes.js"
import type { CellTable } from "./cell-table.js"
import type { CommitLog } from "./commit-log.js"
import type { LogTail } from "./log-replay.js"
import type { SuperblockFile } from "./superblock-file.js"

const IO_ERROR = statusOf("io-error")

export class Checkpoint {
  /** One that was running has ended. */
  onEnd: (status: number) => void = () => undefined
  private readonly homes: CellHomes
  private readonly table: CellTable
  private readonly log: CommitLog
  private readonly blocks: SuperblockFile
  private running: Promise<number> | undefined
  private lastStatus = STATUS_OK

  constructor(homes: CellHomes, table: CellTable, log: CommitLog, blocks: SuperblockFile) {
    this.homes = homes
    this.table = table
    this.log = log
    this.blocks = blocks
  }

  get isRunning(): boolean {
    return this.running !== undefined
  }

  /** Worth beginning by itself: after a failure only when nothing else helps. */
  get isReady(): boolean {
    return this.running === undefined && this.lastStatus === STATUS_OK
  }

  /** How the running one ended, or the last one. */
  async ended(): Promise<number> {
    while (this.running !== undefined) await this.running
    return this.lastStatus
  }

  start(tail: LogTail): void {
    this.running = this.carryOut(tail).then((status) => {
      this.lastStatus = status
      this.running = undefined
      this.onEnd(status)
      return status
    })
  }

  private async carryOut(tail: LogTail): Promise<number> {
    const cells = this.table.before(tail.sequence)
    const isNeeded = cells.length > 0 || this.homes.isDirectoryUneven
    const status = isNeeded ? await this.homes.write(cells, tail.sequence) : STATUS_OK
    if (status !== STATUS_OK) return status
    const named = { tailSequence: tail.sequence, tailAt: tail.at }
    if (!(await this.blocks.write(named))) return IO_ERROR
    this.log.cutTo(tail)
    this.table.forget(cells)
    return STATUS_OK
  }
}
