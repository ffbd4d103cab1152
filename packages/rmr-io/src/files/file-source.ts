/**
 * `fileSource`: a file or block device of this machine behind the block-file port.
 *
 * ```ts
 * await createFile("/srv/rmr/volume", 64 * 2 ** 30)
 * const source = fileSource("/srv/rmr/volume")
 * ```
 *
 * Bytes go past the kernel's cache where file system and memory allow it, and where there is
 * anything behind it (`direct: "auto"`). A device that is mounted or otherwise in use by the kernel
 * is refused; a second opener of the same file is refused as far as file-lock.ts reaches. With the
 * native addon, zeroing gives space back.
 */
import fs from "node:fs"
import { dirname } from "node:path"
import {
  assert,
  type BlockFile,
  type BlockFileOpen,
  type BlockFileSource,
  IO_BYTES_MAX,
  type Memory,
  NO_LEASE,
  RmrError,
  VOLUME_BLOCK_BYTES,
} from "@rmr/core"
import type { FileCalls } from "./file-calls.js"
import { openingError } from "./file-errors.js"
import { type FileFacts, factsOfFile, sameFile } from "./file-facts.js"
import { type FileLock, lockAcross, lockFile } from "./file-lock.js"
import { fileCalls } from "./native-calls.js"
import { type OpenedFile, PlainFile } from "./plain-file.js"

export interface FileSourceOptions {
  /** Past the kernel's cache: where it works (default), or refused where not, or never. */
  readonly direct?: "auto" | "on" | "off"
  /** `grow` stops here with `no-space`; default: what the file system has. */
  readonly sizeBytesMax?: number
  /** Operations in flight; default 256. */
  readonly inFlightMax?: number
  /** For tests: calls that fail, or those of plain Node. */
  readonly calls?: FileCalls
}

const IN_FLIGHT_MAX_DEFAULT = 256
/** Forced writes that are under way at once through the cache, each in an open file of its own. */
const FORCED_FILES = 8

export function fileSource(path: string, options: FileSourceOptions = {}): BlockFileSource {
  return {
    name: path,
    open: (opening) => openFile(path, options, opening),
    bootId: async () => (await fs.promises.readFile(BOOT_ID_PATH, "utf8")).trim(),
  }
}

const BOOT_ID_PATH = "/proc/sys/kernel/random/boot_id"

/** Makes a file that reads zero and takes no space yet. Fails with `exists` or `no-space`. */
export async function createFile(path: string, sizeBytes: number): Promise<void> {
  assert(Number.isSafeInteger(sizeBytes) && sizeBytes >= 0, `${sizeBytes} is a size`)
  try {
    const handle = await fs.promises.open(path, "wx", 0o600)
    try {
      await handle.truncate(sizeBytes)
      await handle.datasync()
    } finally {
      await handle.close()
    }
    await syncFolder(dirname(path))
  } catch (thrown) {
    throw openingError(path, thrown)
  }
}

/** A new name is durable when its folder is. */
async function syncFolder(path: string): Promise<void> {
  const handle = await fs.promises.open(path, "r")
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function openFile(
  path: string,
  options: FileSourceOptions,
  opening: BlockFileOpen,
): Promise<BlockFile> {
  const direct = options.direct ?? "auto"
  if (direct !== "off") {
    const file = await tryOpen(path, options, opening, true)
    if (file !== undefined) return file
    if (direct === "on") {
      throw new RmrError("unsupported", `${path} takes no direct IO with this memory; use "auto"`)
    }
  }
  const file = await tryOpen(path, options, opening, false)
  assert(file !== undefined, "a file opens through the cache or fails")
  return file
}

/** Undefined: not past the cache. */
async function tryOpen(
  path: string,
  options: FileSourceOptions,
  opening: BlockFileOpen,
  isDirect: boolean,
): Promise<BlockFile | undefined> {
  const fds: number[] = []
  const inFlightMax = options.inFlightMax ?? IN_FLIGHT_MAX_DEFAULT
  let lock: FileLock | undefined
  try {
    const fd = openFd(path, isDirect ? fs.constants.O_DIRECT : 0)
    if (fd === undefined) return undefined
    fds.push(fd)
    const facts = factsOfFile(path, fd, isDirect)
    if (isDirect && options.direct !== "on" && facts.isInMemory) return undefined
    if (isDirect && !canReadDirectly(fd, facts, opening.memory)) return undefined
    const calls = options.calls ?? fileCalls(inFlightMax, facts.takesMany)
    lock = await lockFile(path, facts.device, facts.inode)
    if (facts.kind === "file") lockAcross(path, fd, calls)
    const forcedFds: number[] = []
    while (forcedFds.length < (isDirect ? 1 : FORCED_FILES)) {
      const forced = openFd(
        sameFile(fd),
        fs.constants.O_DSYNC | (isDirect ? fs.constants.O_DIRECT : 0),
      )
      assert(forced !== undefined, "what opened once opens again the same way")
      fds.push(forced)
      forcedFds.push(forced)
    }
    const opened = openedFile(path, options, calls, facts, fd, forcedFds, lock, isDirect)
    fds.length = 0
    lock = undefined
    return new PlainFile(opened, { ...opening, ioBytesMax: IO_BYTES_MAX, inFlightMax })
  } catch (thrown) {
    throw openingError(path, thrown)
  } finally {
    for (const fd of fds) fs.closeSync(fd)
    await lock?.release()
  }
}

/** Undefined where the file system refuses direct IO. */
function openFd(path: string, flags: number): number | undefined {
  // O_EXCL without O_CREAT: the kernel refuses a device that it uses itself.
  const isDevice = fs.statSync(path).isBlockDevice()
  const excl = isDevice && (flags & fs.constants.O_DSYNC) === 0 ? fs.constants.O_EXCL : 0
  try {
    return fs.openSync(path, fs.constants.O_RDWR | flags | excl)
  } catch (thrown) {
    const isRefusal = (thrown as NodeJS.ErrnoException).code === "EINVAL"
    if (isRefusal && (flags & fs.constants.O_DIRECT) !== 0) return undefined
    throw thrown
  }
}

/** Some file systems open with O_DIRECT and refuse later; some memory is not aligned. */
function canReadDirectly(fd: number, facts: FileFacts, memory: Memory): boolean {
  if (facts.sizeBytes < VOLUME_BLOCK_BYTES) return false
  const lease = memory.lease(VOLUME_BLOCK_BYTES)
  if (lease === NO_LEASE) throw new RmrError("out-of-memory", "no room to try direct IO")
  try {
    const at = memory.offsetOf(lease)
    fs.readSync(fd, memory.arenaOf(lease).bytes, at, VOLUME_BLOCK_BYTES, 0)
    return true
  } catch (thrown) {
    // A bad first block is the business of whoever reads it.
    return (thrown as NodeJS.ErrnoException).code !== "EINVAL"
  } finally {
    memory.release(lease)
  }
}

function openedFile(
  path: string,
  options: FileSourceOptions,
  calls: FileCalls,
  facts: FileFacts,
  fd: number,
  forcedFds: readonly number[],
  lock: FileLock,
  isDirect: boolean,
): OpenedFile {
  const { blockBytes } = facts
  const whole = (bytes: number): number => bytes - (bytes % blockBytes)
  if (whole(facts.sizeBytes) === 0) {
    throw new RmrError("too-small", `${path} has ${facts.sizeBytes} bytes, not one block`)
  }
  return {
    calls,
    fd,
    forcedFds,
    isDirect,
    takesHoles: canMakeHoles(calls, facts, fd),
    sizeBytes: whole(facts.sizeBytes),
    blockBytes,
    async grow(sizeBytes) {
      if (facts.kind === "file") await growFile(path, fd, sizeBytes, options.sizeBytesMax)
      const now = whole(factsOfFile(path, fd, isDirect).sizeBytes)
      if (now >= sizeBytes) return now
      throw new RmrError("no-space", `${path} has ${now} bytes, not the ${sizeBytes} asked for`)
    },
    async close() {
      fs.closeSync(fd)
      for (const forced of forcedFds) fs.closeSync(forced)
      await lock.release()
    },
  }
}

function canMakeHoles(calls: FileCalls, facts: FileFacts, fd: number): boolean {
  if (facts.kind === "device") return calls.canZeroRanges && facts.takesHoles
  return calls.canMakeHoles(fd, facts.sizeBytes)
}

/**
 * In an open file of its own: an error of writing back that is told to its flush is told to the
 * next flush of data too.
 */
async function growFile(
  path: string,
  fd: number,
  sizeBytes: number,
  sizeBytesMax = Number.MAX_SAFE_INTEGER,
): Promise<void> {
  const { bavail, bsize } = await fs.promises.statfs(path)
  const have = fs.fstatSync(fd).size
  if (sizeBytes > sizeBytesMax || sizeBytes - have > bavail * bsize) {
    throw new RmrError("no-space", `there is no room for ${path} to grow to ${sizeBytes} bytes`)
  }
  try {
    const handle = await fs.promises.open(sameFile(fd), "r+")
    try {
      if (sizeBytes > have) await handle.truncate(sizeBytes)
      await handle.datasync()
    } finally {
      await handle.close()
    }
  } catch (thrown) {
    throw openingError(path, thrown)
  }
}
