/**
 * Real files, as the block-file suite wants them: a fresh file per place, and system calls that
 * fail where a clause has hurt the medium. The calls are those of plain Node or native ones.
 *
 * A process cannot be killed from inside itself, and power cannot be cut at all: those powers are
 * declared absent.
 */
import { mkdtempSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"
import { buddyMemory } from "@rmr/core"
import { clockWaiting, seededRandom } from "@rmr/testkit"
import type { AbsentPowers, FileHarness } from "@rmr/testkit/contract/block-file"
import type { Ended, FileCalls } from "../src/files/file-calls.js"
import { Moves } from "../src/files/moves.js"
import { createFile, fileSource, pageArenas, realEnv } from "../src/index.js"
import { MOVE_READ, MOVE_WRITE } from "../src/native-addon.js"

const ABSENT_REASON = "files of the machine that runs the test"

export const ABSENT: AbsentPowers = {
  kill: `a process does not kill itself: ${ABSENT_REASON}`,
  powerCut: `nobody cuts its power: ${ABSENT_REASON}`,
}

export const ABSENT_IN_PLAIN: AbsentPowers = {
  ...ABSENT,
  allocatedBytes: "nothing gives space back: plain Node punches no holes",
}

export interface RealFilesOptions {
  readonly folder: string
  readonly direct: "on" | "off"
  readonly seed: string
  /** Fresh ones for each file. */
  readonly calls: () => FileCalls
}

export interface RealFiles {
  readonly harness: FileHarness
  remove(): void
}

export function realFiles(options: RealFilesOptions): RealFiles {
  const { folder, direct, seed } = options
  const place = mkdtempSync(join(folder, "rmr-files-"))
  const env = realEnv()
  let placeCount = 0
  const harness: FileHarness = {
    waiting: clockWaiting(env.clock),
    random: seededRandom(seed),
    newProcess: () => {
      const memory = buddyMemory({ arenas: pageArenas([4 * 1024 * 1024]), leaseCountMax: 1024 })
      return { env, memory }
    },
    fresh: async ({ sizeBytes, mediumBytes }) => {
      const path = join(place, `file-${++placeCount}`)
      await createFile(path, sizeBytes)
      const calls = new FailingCalls(options.calls())
      return {
        source: fileSource(path, { direct, sizeBytesMax: mediumBytes, calls }),
        powers: {
          failReads: (offset, bytes) => calls.damage(offset, bytes, "read"),
          failWrites: (offset, bytes) => calls.damage(offset, bytes, "write"),
          failNextFlush: () => {
            calls.failsFlush = true
          },
          ...(calls.canZeroRanges ? { allocatedBytes: () => statSync(path).blocks * 512 } : {}),
        },
      }
    },
  }
  return { harness, remove: () => rmSync(place, { recursive: true, force: true }) }
}

const EIO = 5

interface Damage {
  readonly from: number
  readonly to: number
  readonly on: "read" | "write"
}

/** Real calls, but where the medium was hurt. What is written anew can be read again. */
class FailingCalls implements FileCalls {
  failsFlush = false
  readonly canZeroRanges: boolean
  readonly canMakeHoles: FileCalls["canMakeHoles"]
  readonly lock: FileCalls["lock"]
  private readonly real: FileCalls
  private readonly one = new Moves(1)
  private damages: Damage[] = []

  constructor(real: FileCalls) {
    this.real = real
    this.canZeroRanges = real.canZeroRanges
    this.canMakeHoles = real.canMakeHoles
    this.lock = real.lock
  }

  damage(offset: number, bytes: number, on: "read" | "write"): void {
    this.damages.push({ from: offset, to: offset + bytes, on })
  }

  readonly runMoves: FileCalls["runMoves"] = (moves) => {
    for (let nth = 0; nth < moves.count; nth++) {
      const kind = moves.kindOf(nth)
      const [offset, bytes] = [moves.offsetOf(nth), moves.bytesOf(nth)]
      if (this.isBad(offset, bytes, kind === MOVE_READ ? "read" : "write")) {
        moves.setResult(nth, -EIO)
        continue
      }
      if (kind === MOVE_WRITE) this.heal(offset, bytes)
      const memory = moves.memoryOf(nth)
      this.one.clear()
      this.one.add(kind, moves.fdOf(nth), memory, moves.atOf(nth), bytes, offset, 0)
      this.real.runMoves(this.one)
      moves.setResult(nth, this.one.resultOf(0))
    }
  }

  readonly read: FileCalls["read"] = (fd, into, at, bytes, offset, end) => {
    if (this.isBad(offset, bytes, "read")) failLater(end)
    else this.real.read(fd, into, at, bytes, offset, end)
  }

  readonly write: FileCalls["write"] = (fd, from, at, bytes, offset, end) => {
    if (this.takesWrite(offset, bytes, end)) this.real.write(fd, from, at, bytes, offset, end)
  }

  readonly writeForced: FileCalls["writeForced"] = (fd, from, at, bytes, offset, end) => {
    if (this.takesWrite(offset, bytes, end)) this.real.writeForced(fd, from, at, bytes, offset, end)
  }

  readonly flush: FileCalls["flush"] = (fd, end) => {
    const fails = this.failsFlush
    this.failsFlush = false
    if (fails) failLater(end)
    else this.real.flush(fd, end)
  }

  readonly zero: FileCalls["zero"] = (fd, keepsSpace, offset, bytes, isDurable, end) => {
    if (!this.takesWrite(offset, bytes, end)) return
    this.real.zero(fd, keepsSpace, offset, bytes, isDurable, end)
  }

  /** False: it fails, and `end` is told. */
  private takesWrite(offset: number, bytes: number, end: Ended): boolean {
    if (this.isBad(offset, bytes, "write")) failLater(end)
    else {
      this.heal(offset, bytes)
      return true
    }
    return false
  }

  private isBad(offset: number, bytes: number, on: "read" | "write"): boolean {
    return this.damages.some(
      (damage) => damage.on === on && damage.from < offset + bytes && damage.to > offset,
    )
  }

  private heal(offset: number, bytes: number): void {
    const end = offset + bytes
    this.damages = this.damages.flatMap((damage) => {
      if (damage.on === "write" || damage.to <= offset || damage.from >= end) return [damage]
      const before = { ...damage, to: Math.min(damage.to, offset) }
      const after = { ...damage, from: Math.max(damage.from, end) }
      return [before, after].filter(({ from, to }) => from < to)
    })
  }
}

function failLater(end: Ended): void {
  setImmediate(() => end(inputOutputError(), 0))
}

function inputOutputError(): NodeJS.ErrnoException {
  return Object.assign(new Error("EIO: i/o error"), { code: "EIO" })
}
