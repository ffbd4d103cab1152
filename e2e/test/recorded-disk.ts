/**
 * A disk that remembers every write, in order, with its flushes: QEMU's `blklogwrites` over a file,
 * exported by FUSE as a file. Whoever opens that file, a storage node for instance, is recorded.
 *
 * Power is cut by ending QEMU on the spot: nothing is flushed then that had not been. Whoever has
 * the disk open should be frozen before, or it sees errors that a machine without power never sees.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { accessSync, closeSync, constants, openSync, rmSync, statSync } from "node:fs"
import { dirname } from "node:path"
import type { DiskImage } from "./disk-image.js"
import { whyNoMount } from "./mounts.js"
import { missing, tried } from "./nbd-tools.js"
import { countedEntries, readWriteLog, type WriteLog } from "./write-log.js"

const READY_MS_MAX = 15_000
const LOOK_MS = 20

/** Why no disk can be recorded here; empty where it can. */
export function whyNoRecording(): string {
  const why = missing("qemu-storage-daemon", "umount") || whyNoMount()
  if (why !== "") return why
  try {
    accessSync("/dev/fuse", constants.R_OK | constants.W_OK)
    return ""
  } catch (thrown) {
    return `/dev/fuse cannot be opened: ${(thrown as NodeJS.ErrnoException).code}`
  }
}

export class RecordedDisk {
  /** Where it can be opened, as a file. */
  readonly path: string
  /** What was on it when the log began. */
  readonly start: DiskImage
  private readonly folder: string
  private readonly log: string
  private readonly child: ChildProcess
  private said = ""

  private constructor(path: string, nth: number, start: DiskImage) {
    this.folder = dirname(path)
    this.start = start
    this.path = path
    this.log = `${path}.log-${nth}`
    const bytes = `${path}.bytes-${nth}`
    start.toFile(bytes)
    for (const place of [path, this.log]) closeSync(openSync(place, "wx"))
    const nodes = [
      `driver=file,node-name=bytes,filename=${bytes},discard=unmap,cache.no-flush=on`,
      `driver=file,node-name=log,filename=${this.log},cache.no-flush=on`,
      "driver=blklogwrites,node-name=disk,file=bytes,log=log,log-sector-size=512,discard=unmap",
    ]
    const place = `type=fuse,id=disk,node-name=disk,mountpoint=${this.path},writable=on`
    const args = [...nodes.flatMap((node) => ["--blockdev", node]), "--export", place]
    this.child = spawn("qemu-storage-daemon", args, { stdio: ["ignore", "pipe", "pipe"] })
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on("data", (text: Buffer) => {
        this.said = (this.said + text.toString()).slice(-4000)
      })
    }
  }

  /** `nth` of this path: logs are kept beside it. */
  static async start(path: string, start: DiskImage, nth = 0): Promise<RecordedDisk> {
    const disk = new RecordedDisk(path, nth, start)
    const limit = performance.now() + READY_MS_MAX
    while (statSync(disk.path).size !== start.sizeBytes) {
      if (disk.child.exitCode !== null || performance.now() > limit) {
        await disk.cut()
        throw new Error(`qemu-storage-daemon exports nothing: ${disk.said}`)
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    }
    return disk
  }

  /** How far the log has come, at least: with the last flush that somebody was told of. */
  get position(): number {
    return countedEntries(this.log)
  }

  /** Power goes. The name is free again for others; whoever has it open gets errors. */
  async cut(): Promise<void> {
    const { child } = this
    if (child.exitCode === null && child.signalCode === null) {
      const gone = once(child, "exit")
      child.kill("SIGKILL")
      await gone
    }
    await tried(this.folder, "umount", "--lazy", this.path)
    rmSync(this.path, { force: true })
  }

  /** All that was recorded, behind `cut`. */
  recorded(): WriteLog {
    return readWriteLog(this.log, this.start.sizeBytes)
  }
}
