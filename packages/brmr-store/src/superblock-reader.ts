/** Reading the superblock: which of its copies is good, and what is wrong with the others. */
import { RmrError } from "@rmr/core"
import { SUPERBLOCK_PLACES } from "./layout.js"
import type { MetaIo } from "./meta-io.js"
import {
  decodeSuperblock,
  newestSuperblock,
  SUPERBLOCK_BYTES,
  type SuperblockCopy,
} from "./superblock.js"
import type { GoodSuperblock } from "./superblock-file.js"

/** A store that was made under format 1 has its second copy here. */
export const FORMAT_1_SECOND_AT = 4096
export const SUPERBLOCKS_AT: readonly number[] = [
  SUPERBLOCK_PLACES[0],
  FORMAT_1_SECOND_AT,
  SUPERBLOCK_PLACES[1],
]

/** The superblock that counts; fails with what is wrong with it. */
export async function readSuperblock(name: string, io: MetaIo): Promise<GoodSuperblock> {
  const copies: SuperblockCopy[] = []
  let blankCount = 0
  for (const at of SUPERBLOCKS_AT) {
    const bytes = await superblockBytes(io, at)
    const isThere = typeof bytes !== "string"
    if (isBlank(bytes)) blankCount++
    copies.push(isThere ? decodeSuperblock(bytes) : bytes)
  }
  const block = newestSuperblock(copies)
  if (block instanceof RmrError) throw block
  if (typeof block === "object") return { block, goodAt: SUPERBLOCKS_AT[copies.indexOf(block)]! }
  if (block === "none" || isCutOff(blankCount)) {
    throw new RmrError("not-found", `${name} holds no store; create one there`)
  }
  throw new RmrError("corrupt", `${name} held a store; both copies of its superblock are damaged`)
}

/** One that is torn, beside nothing at all: a store that was being made, or wiped. */
export function isCutOff(blankCount: number): boolean {
  return blankCount === SUPERBLOCKS_AT.length - 1
}

export function isBlank(bytes: Uint8Array | "none" | "damaged"): boolean {
  return typeof bytes !== "string" && bytes.every((byte) => byte === 0)
}

/** What lies there, where something can be read. */
export async function superblockBytes(
  io: MetaIo,
  at: number,
): Promise<Uint8Array | "none" | "damaged"> {
  try {
    return await io.log.read(at, SUPERBLOCK_BYTES)
  } catch (thrown) {
    const error = RmrError.from(thrown)
    if (error.code === "invalid-range") return "none"
    if (error.code === "media-error") return "damaged"
    throw error
  }
}
