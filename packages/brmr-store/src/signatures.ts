/**
 * What a place holds already, by the marks that file systems and others leave (for `create`).
 *
 * Most of them are near its start, some are only at its end: the place may read zero where the data
 * of an array begins. Whatever is not zero near the start is somebody's, known or not.
 */
import type { MetaIo } from "./meta-io.js"
import { looksLikeSuperblock, SUPERBLOCK_BYTES } from "./superblock.js"

interface Signature {
  readonly what: string
  /** Offsets in the place; negative ones from its end. */
  readonly at: readonly number[]
  /** As text, `\\x` for what is none. */
  readonly bytes: string
}

const KIB = 1024
const PAGES = [4, 8, 16, 32, 64].map((kib) => kib * KIB)
/** Where ZFS keeps uberblocks: in the second half of a label of 256 KiB; which is chance. */
const UBERBLOCKS = Array.from({ length: 128 }, (_, nth) => (128 + nth) * KIB)

const SIGNATURES: readonly Signature[] = [
  { what: "an ext2, ext3 or ext4 file system", at: [1080], bytes: "\\x53\\xef" },
  { what: "an XFS file system", at: [0], bytes: "XFSB" },
  { what: "a Btrfs file system", at: [64 * KIB + 64], bytes: "_BHRfS_M" },
  { what: "a ZFS pool", at: UBERBLOCKS, bytes: "\\x0c\\xb1\\xba\\x00" },
  { what: "an F2FS file system", at: [1024], bytes: "\\x10\\x20\\xf5\\xf2" },
  { what: "a bcache or bcachefs member", at: [4120], bytes: "\\xc6\\x85\\x73\\xf6" },
  { what: "a GFS2 file system", at: [64 * KIB], bytes: "\\x01\\x16\\x19\\x70" },
  { what: "an OCFS2 file system", at: [1, 2, 4, 8].map((kib) => kib * KIB), bytes: "OCFSV2" },
  { what: "a JFS file system", at: [32 * KIB], bytes: "JFS1" },
  { what: "a ReiserFS file system", at: [64 * KIB + 52], bytes: "ReIsEr" },
  { what: "a NILFS2 file system", at: [1030], bytes: "\\x34\\x34" },
  { what: "an NTFS file system", at: [3], bytes: "NTFS    " },
  { what: "an exFAT file system", at: [3], bytes: "EXFAT   " },
  { what: "a FAT file system", at: [54], bytes: "FAT1" },
  { what: "a FAT file system", at: [82], bytes: "FAT32" },
  { what: "an APFS container", at: [32], bytes: "NXSB" },
  { what: "an HFS+ file system", at: [1024], bytes: "H+" },
  { what: "an ISO 9660 file system", at: [32 * KIB + 1], bytes: "CD001" },
  { what: "a squashfs image", at: [0], bytes: "hsqs" },
  { what: "an EROFS image", at: [1024], bytes: "\\xe2\\xe1\\xf5\\xe0" },
  { what: "a VMFS file system", at: [1024 * KIB], bytes: "\\x0d\\xd0\\x01\\xc0" },
  { what: "an LVM volume", at: [0, 512, 1024, 1536], bytes: "LABELONE" },
  { what: "a LUKS volume", at: [0], bytes: "LUKS\\xba\\xbe" },
  { what: "a BitLocker volume", at: [3], bytes: "-FVE-FS-" },
  { what: "a dm-verity volume", at: [0], bytes: "verity\\x00\\x00" },
  { what: "a dm-integrity volume", at: [0], bytes: "integrt\\x00" },
  { what: "a VDO volume", at: [0], bytes: "dmvdo001" },
  { what: "a Stratis member", at: [516], bytes: "!Stra0tis" },
  { what: "a Ceph BlueStore device", at: [0], bytes: "bluestore block device" },
  { what: "an Oracle ASM disk", at: [32], bytes: "ORCLDISK" },
  { what: "a swap area", at: PAGES.map((page) => page - 10), bytes: "SWAPSPACE2" },
  { what: "a partition table", at: [510], bytes: "\\x55\\xaa" },
  { what: "a GPT partition table", at: [512, 4096], bytes: "EFI PART" },
  { what: "an md RAID member", at: [0, 4096], bytes: "\\xfc\\x4e\\x2b\\xa9" },
  { what: "a qcow2 image", at: [0], bytes: "QFI\\xfb" },
  { what: "a VMDK image", at: [0], bytes: "KDMV" },
  { what: "a VDI image", at: [64], bytes: "\\x7f\\x10\\xda\\xbe" },
  { what: "a VHDX image", at: [0], bytes: "vhdxfile" },
  { what: "a VHD image", at: [0], bytes: "conectix" },
]

/** What is known by its end only. */
const AT_END: readonly Signature[] = [
  { what: "an md RAID member", at: [-8 * KIB], bytes: "\\xfc\\x4e\\x2b\\xa9" },
  { what: "a DRBD member", at: [60 - 4 * KIB], bytes: "\\x83\\x74\\x02" },
  { what: "a GPT partition table", at: [-512, -4 * KIB], bytes: "EFI PART" },
  { what: "a VHD image", at: [-512], bytes: "conectix" },
]
/** Of format 0.90, whose block begins the last whole 64 KiB. */
const MD_090: Signature = {
  what: "an md RAID member",
  at: [-64 * KIB],
  bytes: "\\xfc\\x4e\\x2b\\xa9",
}

const LOOK_BYTES = 1028 * KIB
const LOOK_END_BYTES = 128 * KIB

/** In words, what is there; undefined for a place whose beginning is all zero. */
export async function foreignContent(io: MetaIo, sizeBytes: number): Promise<string | undefined> {
  const start = await io.log.read(0, Math.min(LOOK_BYTES, sizeBytes))
  for (const copy of [0, 1]) {
    const block = start.subarray(copy * SUPERBLOCK_BYTES, (copy + 1) * SUPERBLOCK_BYTES)
    if (looksLikeSuperblock(block)) return "a store of a pool"
  }
  const known = SIGNATURES.find(({ at, bytes }) => at.some((from) => hasMark(start, from, bytes)))
  if (known !== undefined) return known.what
  if (!start.every((byte) => byte === 0)) return "data of somebody else"
  return markAtEnd(io, sizeBytes)
}

async function markAtEnd(io: MetaIo, sizeBytes: number): Promise<string | undefined> {
  const from = Math.max(0, sizeBytes - LOOK_END_BYTES)
  const bytes = await io.log.read(from, sizeBytes - from)
  const isAt = (end: number, signature: Signature): boolean =>
    signature.at.some((back) => hasMark(bytes, end + back - from, signature.bytes))
  const down = (unit: number): number => Math.floor(sizeBytes / unit) * unit
  const ends = new Set([sizeBytes, down(4 * KIB)])
  const found = AT_END.find((signature) => [...ends].some((end) => isAt(end, signature)))
  if (found !== undefined) return found.what
  return isAt(down(64 * KIB), MD_090) ? MD_090.what : undefined
}

function hasMark(bytes: Uint8Array, at: number, text: string): boolean {
  return at >= 0 && markOf(text).every((byte, nth) => bytes[at + nth] === byte)
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
