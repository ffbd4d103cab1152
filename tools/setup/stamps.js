/**
 * Stamps: what a step was last done for, so that doing it again can be skipped.
 *
 * A stamp is a small JSON file. Installing is stamped by content, because a wrong answer there
 * costs minutes of confusion; building by name, size and time of each source file, because reading
 * them all would cost more than it saves, and a build that runs once too often only costs seconds.
 */
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { at, CACHE } from "./paths.js"

/**
 * @param {string} name
 * @returns {any} what was stored, or undefined
 */
export function readStamp(name) {
  try {
    return JSON.parse(readFileSync(join(CACHE, `${name}.json`), "utf8"))
  } catch {
    return undefined
  }
}

/**
 * @param {string} name
 * @param {unknown} value
 */
export function writeStamp(name, value) {
  mkdirSync(CACHE, { recursive: true })
  writeFileSync(join(CACHE, `${name}.json`), `${JSON.stringify(value, undefined, 2)}\n`)
}

/**
 * @param {readonly string[]} files from the root; a missing one counts too
 * @param {readonly string[]} [words] whatever else the answer depends on
 */
export function contentStamp(files, words = []) {
  const hash = createHash("sha256")
  for (const word of words) hash.update(`${word}\0`)
  for (const file of files) {
    hash.update(`${file}\0`)
    if (existsSync(at(file))) hash.update(readFileSync(at(file)))
    hash.update("\0")
  }
  return hash.digest("hex")
}

/**
 * @param {readonly string[]} paths files and folders from the root; folders are walked
 * @param {(path: string) => boolean} isInput
 */
export function statStamp(paths, isInput) {
  const hash = createHash("sha256")
  const visit = (/** @type {string} */ path) => {
    const stat = statSync(at(path), { bigint: true, throwIfNoEntry: false })
    if (stat?.isDirectory()) {
      for (const name of readdirSync(at(path)).sort()) visit(`${path}/${name}`)
    } else if (isInput(path)) {
      hash.update(`${path}\0${stat?.size}\0${stat?.mtimeNs}\0`)
    }
  }
  for (const path of paths) visit(path)
  return hash.digest("hex")
}
