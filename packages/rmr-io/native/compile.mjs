/**
 * How C files become an addon: one call of whatever C compiler there is.
 *
 * Nothing is downloaded. Node-API is the same in every Node since the version that we name, so the
 * headers of any Node will do: those of the npm package node-api-headers, or those that lie beside
 * the Node that runs this. A build replaces the file at once, so that a program which has the old
 * one open goes on with it.
 *
 * A sanitized build wants the run-time libraries of GCC's AddressSanitizer and UBSan. Node itself
 * is built without, so the first of them has to be there before Node is: `LD_PRELOAD` names it.
 */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, isAbsolute, join } from "node:path"

const EXIT_BROKEN = 1
const EXIT_UNABLE = 3
const COMPILE_MS_MAX = 120_000
const FLAGS = [
  "-std=c11",
  "-fPIC",
  "-shared",
  "-fvisibility=hidden",
  "-pthread",
  "-Wall",
  "-Wextra",
]
/** UBSan lies in the addon itself: beside a library of the other's it says nothing in files. */
const SANITIZED = [
  ...["-O1", "-g", "-fno-omit-frame-pointer"],
  ...["-fsanitize=address,undefined,float-cast-overflow", "-fno-sanitize-recover=all"],
  ...["-static-libubsan", "-Wl,--exclude-libs,libubsan.a"],
]

/**
 * What is made, and what is compiled besides the sources.
 *
 * @typedef {object} Shape
 * @property {string} target
 * @property {readonly string[]} [args] behind the sources
 * @property {string} [input] for an argument that is "-"
 */

/**
 * @typedef {object} Compiling
 * @property {readonly string[]} sources
 * @property {(compiler: string) => Shape | { why: string }} shapeOf
 * @property {boolean} isStrict
 * @property {boolean} isSanitized
 */

/**
 * @param {Compiling} compiling
 * @returns {{ code: number, text: string }} the exit code of build.mjs, and what people read
 */
export function compile({ sources, shapeOf, isStrict, isSanitized }) {
  if (process.platform !== "linux") return unable(`it is for Linux, not for ${process.platform}`)
  const compiler = findCompiler()
  if (compiler === undefined) return unable("there is no C compiler (cc, gcc, clang or $CC)")
  const headers = findHeaders()
  if (headers === undefined) {
    return unable("there is no node_api.h; install the npm package node-api-headers")
  }
  const preload = isSanitized ? findSanitizer(compiler) : ""
  if (preload === undefined) return unable(`${compiler} is no GCC with libasan and libubsan`)
  const shape = shapeOf(compiler)
  if ("why" in shape) return unable(shape.why)
  const { target, input = "" } = shape
  mkdirSync(dirname(target), { recursive: true })
  const made = `${target}.${process.pid}`
  const args = [
    ...[...FLAGS, ...(isSanitized ? SANITIZED : ["-O2"]), ...(isStrict ? ["-Werror"] : [])],
    ...["-isystem", headers, "-o", made, ...sources, ...(shape.args ?? [])],
  ]
  const result = spawnSync(compiler, args, { input, encoding: "utf8", timeout: COMPILE_MS_MAX })
  if (result.status !== 0) {
    rmSync(made, { force: true })
    const why = result.error?.message ?? result.stderr.trim()
    return { code: EXIT_BROKEN, text: `the native addon does not compile:\n${why}` }
  }
  renameSync(made, target)
  const how = isSanitized ? `\nit runs with LD_PRELOAD=${preload}` : ""
  return { code: 0, text: `built ${target}${how}` }
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

/**
 * The run-time library that must be loaded first. Of GCC alone: those of Clang have other names.
 * @param {string} compiler
 */
function findSanitizer(compiler) {
  const input = "#ifdef __clang__\n#error\n#endif\nint main(void) { return 0; }\n"
  const args = [...SANITIZED, "-x", "c", "-o", "/dev/null", "-"]
  if (spawnSync(compiler, args, { input, timeout: COMPILE_MS_MAX }).status !== 0) return undefined
  const asking = { encoding: /** @type {const} */ ("utf8"), timeout: COMPILE_MS_MAX }
  const { stdout } = spawnSync(compiler, ["-print-file-name=libasan.so"], asking)
  const path = stdout.trim()
  return isAbsolute(path) && existsSync(path) ? path : undefined
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
