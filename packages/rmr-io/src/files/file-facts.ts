/**
 * What there is to know of a file or block device before it is used: size, blocks, whether bytes
 * can go past the kernel's cache.
 *
 * Nothing is assumed. A device says its logical block size; a file system that takes direct IO may
 * want memory and offsets in multiples of a page, so a file has blocks of 4 KiB then, and of 512
 * bytes through the cache. What is never torn is 512 bytes either way: every disk promises that.
 */
import fs from "node:fs"
import { BLOCK_BYTES_MIN, RmrError, VOLUME_BLOCK_BYTES } from "@rmr/core"

export interface FileFacts {
  readonly kind: "file" | "device"
  readonly sizeBytes: number
  readonly blockBytes: number
  /** It is nothing but cache: tmpfs or ramfs. */
  readonly isInMemory: boolean
  /**
   * Its file system can have many writes at once. FUSE is not trusted with that: servers mix their
   * bytes (the one of QEMU did for years), and the kernel forgets to flush forced ones.
   */
  readonly takesMany: boolean
  /** Names it for the lock, also through links and other paths. */
  readonly device: number
  readonly inode: number
  /** Of a device: whether what was zeroed takes no space in it. */
  readonly takesHoles: boolean
}

/** What the kernel calls tmpfs and ramfs. */
const IN_MEMORY: ReadonlySet<number> = new Set([0x01021994, 0x858458f6])
const FUSE = 0x65735546

/** `isDirect`: it was opened past the cache. */
export function factsOfFile(path: string, fd: number, isDirect: boolean): FileFacts {
  const stat = fs.fstatSync(fd)
  if (stat.isFile()) {
    const blockBytes = isDirect ? VOLUME_BLOCK_BYTES : BLOCK_BYTES_MIN
    const fileSystem = fs.statfsSync(sameFile(fd)).type
    return {
      kind: "file",
      sizeBytes: stat.size,
      blockBytes,
      isInMemory: IN_MEMORY.has(fileSystem),
      takesMany: fileSystem !== FUSE,
      device: stat.dev,
      inode: stat.ino,
      takesHoles: false,
    }
  }
  if (stat.isBlockDevice()) {
    const about = `/sys/dev/block/${majorOf(stat.rdev)}:${minorOf(stat.rdev)}`
    const sizeBytes = numberIn(`${about}/size`) * 512
    return {
      kind: "device",
      sizeBytes,
      blockBytes: Math.max(BLOCK_BYTES_MIN, logicalBlockBytes(about)),
      isInMemory: false,
      takesMany: true,
      device: 0,
      inode: stat.rdev,
      takesHoles: takesHoles(about),
    }
  }
  const what = stat.isDirectory() ? "is a folder" : "is neither a file nor a block device"
  throw new RmrError("invalid-argument", `${path} ${what}; name a file or a block device`)
}

function logicalBlockBytes(about: string): number {
  return queueNumber(about, "logical_block_size") ?? VOLUME_BLOCK_BYTES
}

/** A device may zero a range without giving anything back, or the other way round. */
function takesHoles(about: string): boolean {
  const limits = ["discard_max_bytes", "write_zeroes_max_bytes"]
  return limits.every((name) => (queueNumber(about, name) ?? 0) > 0)
}

function queueNumber(about: string, name: string): number | undefined {
  // A partition has no queue of its own: that of its disk counts.
  for (const place of [`${about}/queue`, `${about}/../queue`]) {
    if (fs.existsSync(`${place}/${name}`)) return numberIn(`${place}/${name}`)
  }
  return undefined
}

function numberIn(path: string): number {
  const value = Number(fs.readFileSync(path, "utf8").trim())
  if (!Number.isSafeInteger(value)) throw new RmrError("io-error", `${path} has no number`)
  return value
}

/** As the kernel packs them into one number. */
function majorOf(rdev: number): number {
  return Math.floor(rdev / 2 ** 8) % 2 ** 12
}

function minorOf(rdev: number): number {
  return (rdev % 2 ** 8) + (Math.floor(rdev / 2 ** 20) % 2 ** 12) * 2 ** 8
}

/** Opens the file that is open, whatever its path names by now. */
export function sameFile(fd: number): string {
  return `/proc/self/fd/${fd}`
}
