/**
 * What a prebuild is: its place, how it is compiled, and what is wrong with one that lies there.
 *
 * Names are those of prebuildify, so that node-gyp-build finds the files too; src/native-file.ts
 * knows them as well. What a file is for is asked of the compiler, not of this machine: one for
 * another processor or C library makes a prebuild for that.
 *
 * A prebuild runs on machines that nobody here has seen. So it asks of a processor only what each
 * of its kind has, and of glibc nothing that a Node which we support does without. It carries a
 * sum of the sources that it was made of: one of other sources is found out without loading it,
 * also on a machine that could not.
 */
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"

const HERE = import.meta.dirname
const PREBUILDS = join(HERE, "..", "prebuilds")
const COMPILE_MS_MAX = 120_000
/** Official builds of Node 20 need as much. */
const GLIBC_MAX = [2, 28]
/** Each with its macro, the least of its processors, and its number in an ELF file. */
const ARCHES = [
  { arch: "x64", macro: "__x86_64__", march: "x86-64", machine: 62 },
  { arch: "arm64", macro: "__aarch64__", march: "armv8-a", machine: 183 },
]
/** By what a file names that is linked to it; musl's loader knows itself by both of its names. */
const LIBCS = { glibc: /\0libc\.so\.6\0/, musl: /\0libc\.(musl-\w+\.so\.1|so)\0/ }
const ELF_MACHINE_AT = 18

/**
 * Where the prebuild of this compiler goes, and what is compiled besides; or why there is none.
 *
 * @param {string} compiler
 * @returns {{ target: string, args: string[], input: string } | { why: string }}
 */
export function prebuildOf(compiler) {
  const args = ["-dM", "-E", "-x", "c", "-"]
  const input = "#include <features.h>\n"
  const result = spawnSync(compiler, args, { input, encoding: "utf8", timeout: COMPILE_MS_MAX })
  const has = (/** @type {string} */ macro) => result.stdout.includes(`#define ${macro} `)
  const known = ARCHES.find(({ macro }) => has(macro))
  if (known === undefined) return { why: `prebuilds are for ${namesOf(ARCHES)}` }
  return {
    target: pathOf(known.arch, has("__GLIBC__") ? "glibc" : "musl"),
    args: [`-march=${known.march}`, "-s", "-x", "c", "-"],
    input: `const char rmr_io_sources[] = "${sourcesMark()}";\n`,
  }
}

/** All that lie there. */
export function prebuilds() {
  if (!existsSync(PREBUILDS)) return []
  const files = readdirSync(PREBUILDS, { recursive: true, withFileTypes: true })
  const paths = files
    .filter((file) => file.isFile())
    .map((file) => join(file.parentPath, file.name))
  return paths.sort()
}

/** Those that a release has: what official and Alpine's builds of Node are for. */
export function releasedPrebuilds() {
  return ARCHES.flatMap(({ arch }) => Object.keys(LIBCS).map((libc) => pathOf(arch, libc)))
}

/**
 * Why this file must not be shipped; empty where it may.
 * @param {string} path
 * @returns {string[]}
 */
export function problemsOf(path) {
  if (!releasedPrebuilds().includes(path)) return ["it has no name of a prebuild"]
  const known = ARCHES.find(({ arch }) => basename(dirname(path)) === `linux-${arch}`)
  const libc = basename(path).includes(".glibc.") ? "glibc" : "musl"
  const bytes = readFileSync(path)
  const text = bytes.toString("latin1")
  if (!text.startsWith("\x7fELF")) return ["it is no program of Linux"]
  const isOther = bytes.readUInt16LE(ELF_MACHINE_AT) !== known?.machine
  const isStale = !text.includes(sourcesMark())
  const tooNew = [...new Set(text.match(/GLIBC_[\w.]+/g))].filter(isTooNew)
  return [
    ...(isOther ? ["it is for another processor"] : []),
    ...(LIBCS[libc].test(text) ? [] : [`it is not linked to ${libc}`]),
    ...(isStale ? ["it was made of other sources; make it again"] : []),
    ...(tooNew.length > 0 ? [`it needs ${tooNew.join(", ")}`] : []),
  ]
}

/** @param {string} version */
function isTooNew(version) {
  const [, major, minor] = /^GLIBC_(\d+)\.(\d+)/.exec(version) ?? []
  if (major === undefined) return true
  return Number(major) > Number(GLIBC_MAX[0]) || Number(minor) > Number(GLIBC_MAX[1])
}

/** As src/native-file.ts looks for it. @param {string} arch @param {string} libc */
function pathOf(arch, libc) {
  const [uv] = process.versions.uv.split(".")
  return join(PREBUILDS, `linux-${arch}`, `rmr-io.napi.uv${uv}.${libc}.node`)
}

function sourcesMark() {
  const hash = createHash("sha256")
  for (const name of readdirSync(HERE).sort()) {
    if (/\.(c|h|mjs)$/.test(name)) {
      hash.update(`${name}\0`).update(readFileSync(join(HERE, name)))
    }
  }
  return `rmr-io made of ${hash.digest("hex")}`
}

/** @param {readonly { arch: string }[]} arches */
function namesOf(arches) {
  return arches.map(({ arch }) => arch).join(" and ")
}
