/**
 * Files for the device bench: written all over, since a hole is faster than any disk.
 */

import { randomFillSync } from "node:crypto"
import { closeSync, existsSync, openSync, statSync, writeSync } from "node:fs"
import { join } from "node:path"
import type { TargetOptions } from "./target.js"

const PIECE_BYTES = 1024 * 1024

export function fileOfRandomBytes(path: string, bytes: number): string {
  if (existsSync(path) && statSync(path).size === bytes) return path
  const file = openSync(path, "w")
  try {
    const piece = randomFillSync(new Uint8Array(PIECE_BYTES))
    for (let at = 0; at < bytes; at += PIECE_BYTES) {
      writeSync(file, piece, 0, Math.min(PIECE_BYTES, bytes - at))
    }
  } finally {
    closeSync(file)
  }
  return path
}

/** That of all foreign targets with one copy: they take turns, and so can have the same one. */
export function singleFile({ folder, volumeBytes }: TargetOptions): string {
  return fileOfRandomBytes(join(folder, "single.img"), volumeBytes)
}
