/**
 * Archives as the kernel unpacks them at start: cpio in its "newc" format, uncompressed.
 *
 * A header of ASCII hexadecimal, the name with a zero behind it, and the bytes; names and bytes end
 * on a multiple of four. The last entry has a name that says so.
 */
import { Buffer } from "node:buffer"

export interface ArchiveEntry {
  /** Without a slash in front; folders come before what is in them. */
  readonly name: string
  /** File type and permissions, as stat has them. */
  readonly mode: number
  readonly bytes?: Uint8Array
}

export const FOLDER = 0o040755
export const PROGRAM = 0o100755
export const PLAIN_FILE = 0o100644

const ALIGNMENT = 4
const LAST: ArchiveEntry = { name: "TRAILER!!!", mode: 0 }

export function archiveOf(entries: readonly ArchiveEntry[]): Buffer {
  return Buffer.concat([...entries, LAST].flatMap((entry, nth) => partsOf(entry, nth + 1)))
}

function partsOf({ name, mode, bytes = new Uint8Array(0) }: ArchiveEntry, inode: number): Buffer[] {
  const text = Buffer.from(`${name}\0`)
  // Inode, mode, user, group, links, time, size, device (two), its own device (two), name, sum.
  const fields = [inode, mode, 0, 0, 1, 0, bytes.length, 0, 0, 0, 0, text.length, 0]
  const hex = fields.map((field) => field.toString(16).padStart(8, "0")).join("")
  const head = Buffer.concat([Buffer.from(`070701${hex}`), text])
  return [head, padding(head.length), Buffer.from(bytes), padding(bytes.length)]
}

function padding(length: number): Buffer {
  return Buffer.alloc((ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT)
}
