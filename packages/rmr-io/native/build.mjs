/**
 * Builds the native addon of @rmr/io on the machine it is for: one call of a C compiler.
 *
 * ```
 * node native/build.mjs            builds; without compiler or headers it says so and that is fine
 * node native/build.mjs --strict   warnings are errors: for those who work on the sources
 * node native/build.mjs --prebuild one that is shipped (prebuild.mjs), for what the compiler is for
 * ```
 *
 * Nothing is downloaded. Node-API is the same in every Node since the version that we name, so the
 * headers of any Node will do: those of the npm package node-api-headers, or those that lie beside
 * the Node that runs this. A build replaces the file at once, so that a program which has the old
 * one open goes on with it.
 *
 * Exit codes: 0 built, 1 the sources do not compile, 3 this machine cannot build (it says why).
 */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { prebuildOf } from "./prebuild.mjs"

const EXIT_BROKEN = 1
const EXIT_UNABLE = 3
const COMPILE_MS_MAX = 120_000
const HERE = import.meta.dirname
/** As src/native-file.ts looks for it. */
const TARGET = join(HERE, "build", `rmr-io-${process.platform}-${process.arch}.node`)

const { code, text } = build(process.argv.includes("--strict"), process.argv.includes("--prebuild"))
process.stdout.write(`${text}\n`)
process.exitCode = code

/** @param {boolean} isStrict @param {boolean} isPrebuild */
function build(isStrict, isPrebuild) {
  if (process.platform !== "linux") return unable(`it is for Linux, not for ${process.platform}`)
  const compiler = findCompiler()
  if (compiler === undefined) return unable("there is no C compiler (cc, gcc, clang or $CC)")
  const headers = findHeaders()
  if (headers === undefined) {
    return unable("there is no node_api.h; install the npm package node-api-headers")
  }
  const shape = isPrebuild ? prebuildOf(compiler) : { target: TARGET, args: [], input: "" }
  if ("why" in shape) return unable(shape.why)
  const { target, input } = shape
  mkdirSync(dirname(target), { recursive: true })
  const made = `${target}.${process.pid}`
  const sources = readdirSync(HERE).filter((name) => name.endsWith(".c"))
  const args = [
    ...["-std=c11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-pthread"],
    ...["-Wall", "-Wextra", ...(isStrict ? ["-Werror"] : [])],
    ...["-isystem", headers, "-o", made],
    ...sources.sort().map((name) => join(HERE, name)),
    ...shape.args,
  ]
  const result = spawnSync(compiler, args, { input, encoding: "utf8", timeout: COMPILE_MS_MAX })
  if (result.status !== 0) {
    rmSync(made, { force: true })
    const why = result.error?.message ?? result.stderr.trim()
    return { code: EXIT_BROKEN, text: `the native addon does not compile:\n${why}` }
  }
  renameSync(made, target)
  return { code: 0, text: `built ${target}` }
}

/** @param {string} why */
function unable(why) {
  return { code: EXIT_UNABLE, text: `no native addon is built: ${why}` }
}

function findCompiler() {
  const asked = process.env["CC"]
  const names = asked === undefined || asked === "" ? ["cc", "gcc", "clang"] : [asked]
  return names.find(canCompile)
}

/**
 * A compiler without the headers of the C library is none.
 * @param {string} name
 */
function canCompile(name) {
  const args = ["-fsyntax-only", "-x", "c", "-"]
  const input = "#include <stdlib.h>\n#include <unistd.h>\n"
  return spawnSync(name, args, { input, timeout: COMPILE_MS_MAX }).status === 0
}

/** The folder with node_api.h. */
function findHeaders() {
  return [headersOfPackage(), join(process.execPath, "../../include/node")].find(
    (folder) => folder !== undefined && existsSync(join(folder, "node_api.h")),
  )
}

function headersOfPackage() {
  try {
    const manifest = createRequire(import.meta.url).resolve("node-api-headers/package.json")
    return join(dirname(manifest), "include")
  } catch {
    return undefined
  }
}
