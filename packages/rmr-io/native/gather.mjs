/**
 * Makes the prebuild of this machine and looks at all that lie in `prebuilds`: what goes into the
 * tarball is of these sources, and what it is named for.
 *
 * ```
 * node native/gather.mjs             before packing; without a compiler there is one prebuild less
 * node native/gather.mjs --release   before publishing; each that a release has must be there
 * ```
 *
 * Prebuilds of other machines are copied into `prebuilds` before. Exit codes: 0 in order, 1 one of
 * them must not be shipped, or is missing in a release.
 */
import { spawnSync } from "node:child_process"
import { join, relative } from "node:path"
import { prebuilds, problemsOf, releasedPrebuilds } from "./prebuild.mjs"

const HERE = import.meta.dirname
const BUILD_MS_MAX = 3 * 60_000
/** As build.mjs leaves where there is no compiler. */
const EXIT_UNABLE = 3

process.exitCode = gather(process.argv.includes("--release")) ? 0 : 1

/** @param {boolean} isRelease */
function gather(isRelease) {
  const args = [join(HERE, "build.mjs"), "--strict", "--prebuild"]
  const { status } = spawnSync(process.execPath, args, { stdio: "inherit", timeout: BUILD_MS_MAX })
  if (status !== 0 && status !== EXIT_UNABLE) return false
  const paths = prebuilds()
  const wrong = paths.flatMap((path) => problemsOf(path).map((why) => `${shown(path)}: ${why}`))
  const released = isRelease ? releasedPrebuilds() : []
  const missing = released.filter((path) => !paths.includes(path))
  const lacks = missing.map((path) => `${shown(path)}: a release has it, and it is not there`)
  const good = paths.length - new Set(wrong.map((line) => line.split(":")[0])).size
  const lines = [...wrong, ...lacks, `prebuilds in order: ${good}`]
  process.stdout.write(`${lines.join("\n")}\n`)
  return wrong.length + missing.length === 0
}

/** @param {string} path */
function shown(path) {
  return relative(join(HERE, ".."), path)
}
