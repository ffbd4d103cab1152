/**
 * The digest of a dirty map: whether the receiver of a map update has what its source has (rule
 * M3).
 *
 * It is a tree of digests, along the tree of pages: a page's over its stamp and bytes, a group's
 * over its pages, a directory's over its groups, the map's over its counts and directories. Each is
 * remembered until something below it changes. So the digest that is taken while IO stands still
 * costs only what the last delta changed, however large the volume is (promise P9), and the shared
 * pages of a fully dirty map cost nothing.
 */
import type { Digest } from "../wire/field-types.js"
import { Hash128 } from "./hash128.js"
import {
  DIGEST_WORDS,
  EMPTY_DIRECTORY,
  GROUP_COUNT,
  GROUP_SHIFT,
  type MapDirectory,
} from "./map-directory.js"
import {
  BYTE_WORDS,
  BYTES_AT,
  EPOCH_AT,
  FLAG_DIGESTED,
  FLAGS_AT,
  lowestBit,
  type MapPage,
  PAGE_DIGEST_AT,
  setFlag,
  VERSION_AT,
} from "./map-page.js"
import type { MapTree } from "./map-tree.js"

const TWO_32 = 2 ** 32

/** 128 bits as 32 hex digits. Not for adversaries; see hash128.ts. */
export function digestOf(tree: MapTree): Digest {
  const pages = new Hash128()
  for (const directory of tree.root) {
    if (directory !== EMPTY_DIRECTORY && !directory.isDigested) digestDirectory(directory, pages)
  }
  const hash = new Hash128()
  addNumber(hash, tree.chunkCount)
  for (const count of tree.totals) addNumber(hash, count)
  for (let index = 0; index < tree.root.length; index++) {
    const directory = tree.root[index]!
    if (directory === EMPTY_DIRECTORY) continue
    hash.add(index, directory.usedCount, 0, 0)
    hash.addWords(directory.digest, 0, 4)
  }
  const words = new Int32Array(4)
  hash.end(words, 0)
  return Array.from(words, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("")
}

/** Of a directory, and of the groups and pages in it that have none. */
export function digestDirectory(directory: MapDirectory, hash: Hash128): void {
  const { present, groupDigests } = directory
  // First the pages, then a group over them, then the directory: one hash serves all in turn.
  for (let group = 0; group < GROUP_COUNT; group++) {
    if ((directory.digestedGroups & (1 << group)) === 0) digestGroup(directory, group, hash)
  }
  hash.begin()
  for (let group = 0; group < GROUP_COUNT; group++) {
    if (present[group] !== 0) addDigest(hash, group, groupDigests, group * DIGEST_WORDS)
  }
  hash.end(directory.digest, 0)
  directory.isDigested = true
}

function digestGroup(directory: MapDirectory, group: number, hash: Hash128): void {
  const { present, pages, groupDigests } = directory
  const first = group << GROUP_SHIFT
  const at = group * DIGEST_WORDS
  for (let rest = present[group]!; rest !== 0; rest &= rest - 1) {
    digestPage(pages[first + lowestBit(rest)]!, hash)
  }
  if (present[group] === 0) {
    groupDigests.fill(0, at, at + DIGEST_WORDS)
  } else {
    hash.begin()
    for (let rest = present[group]!; rest !== 0; rest &= rest - 1) {
      const slot = first + lowestBit(rest)
      addDigest(hash, slot, pages[slot]!, PAGE_DIGEST_AT)
    }
    hash.end(groupDigests, at)
  }
  directory.digestedGroups |= 1 << group
}

/** A page of a group or a group of a directory, by its place and its digest. */
export function addDigest(hash: Hash128, place: number, digest: Int32Array, at: number): void {
  hash.add(place, 0, 0, 0)
  hash.addWords(digest, at, DIGEST_WORDS)
}

export function digestPage(page: MapPage, hash: Hash128): void {
  if ((page[FLAGS_AT]! & FLAG_DIGESTED) !== 0) return
  hash.begin()
  hash.add(page[EPOCH_AT]!, page[VERSION_AT]!, 0, 0)
  hash.addWords(page, BYTES_AT, BYTE_WORDS)
  hash.end(page, PAGE_DIGEST_AT)
  setFlag(page, FLAG_DIGESTED)
}

/** As two words: the conversion to a word takes the lower 32 bits of an integer. */
function addNumber(hash: Hash128, value: number): void {
  hash.add(value | 0, Math.floor(value / TWO_32), 0, 0)
}
