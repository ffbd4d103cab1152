/** What a place holds already, by the marks that file systems and others leave (for `create`). */
import type { MetaIo } from "./meta-io.js"
import { looksLikeSuperblock, SUPERBLOCK_BYTES } from "./superblock.js"

interface Signature {
  readonly what: string
  readonly at: number
  readonly bytes: string
}

/** Marks as text, `\\x` for what is none. */
const SIGNATURES: readonly Signature[] = [
  { what: "an ext2, ext3 or ext4 file system", at: 1080, bytes: "\\x53\\xef" },
  { what: "an XFS file system", at: 0, bytes: "XFSB" },
  { what: "a Btrfs file system", at: 65_600, bytes: "_BHRfS_M" },
  { what: "an LVM volume", at: 512, bytes: "LABELONE" },
  { what: "a LUKS volume", at: 0, bytes: "LUKS\\xba\\xbe" },
  { what: "a swap area", at: 4086, bytes: "SWAPSPACE2" },
  { what: "a partition table", at: 510, bytes: "\\x55\\xaa" },
  { what: "a GPT partition table", at: 512, bytes: "EFI PART" },
  { what: "an md RAID member", at: 4096, bytes: "\\xfc\\x4e\\x2b\\xa9" },
  { what: "a qcow2 image", at: 0, bytes: "QFI\\xfb" },
]

const LOOK_BYTES = 128 * 1024

/** In words, what is there; undefined for a place whose beginning is all zero. */
export async function foreignContent(io: MetaIo, sizeBytes: number): Promise<string | undefined> {
  const bytes = await io.read(0, Math.min(LOOK_BYTES, sizeBytes))
  for (const copy of [0, 1]) {
    const block = bytes.subarray(copy * SUPERBLOCK_BYTES, (copy + 1) * SUPERBLOCK_BYTES)
    if (looksLikeSuperblock(block)) return "a store of a pool"
  }
  for (const { what, at, bytes: mark } of SIGNATURES) {
    if (hasMark(bytes, at, markOf(mark))) return what
  }
  return bytes.every((byte) => byte === 0) ? undefined : "data of somebody else"
}

function hasMark(bytes: Uint8Array, at: number, mark: readonly number[]): boolean {
  return mark.every((byte, nth) => bytes[at + nth] === byte)
}

function markOf(text: string): number[] {
  const mark: number[] = []
  for (let at = 0; at < text.length; at++) {
    if (text[at] === "\\" && text[at + 1] === "x") {
      mark.push(Number.parseInt(text.slice(at + 2, at + 4), 16))
      at += 3
    } else {
      mark.push(text.charCodeAt(at))
    }
  }
  return mark
}
