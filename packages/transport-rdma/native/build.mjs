/**
 * Builds the native addon of @rmr/transport-rdma on the machine it is for: one call of a C
 * compiler, which needs the headers of libibverbs and librdmacm besides those of Node-API.
 *
 * ```
 * node native/build.mjs             builds; where something is missing it says what, which is fine
 * node native/build.mjs --strict    warnings are errors: for those who work on the sources
 * node native/build.mjs --sanitize  a build beside it that watches its memory: for tests of it
 * ```
 *
 * Exit codes: 0 built, 1 the sources do not compile, 3 this machine cannot build (it says why).
 */
import { spawnSync } from "node:child_process"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const HERE = import.meta.dirname
/** Checksums, what is used of libuv, and how C becomes an addon, are those of @rmr/io. */
const SHARED = fileURLToPath(new URL("../native", import.meta.resolve("@rmr/io")))
const COMPILE_MS_MAX = 120_000
const LIBRARIES = ["-libverbs", "-lrdmacm"]

const { compile } = await import(join(SHARED, "compile.mjs"))
const isSanitized = process.argv.includes("--sanitize")
const suffix = isSanitized ? "-sanitized" : ""
const own = readdirSync(HERE).filter((name) => name.endsWith(".c"))
// As src/native-addon.ts looks for it.
const target = join(HERE, "build", `rmr-rdma-${process.platform}-${process.arch}${suffix}.node`)
const { code, text } = compile({
  sources: [...own.sort().map((name) => join(HERE, name)), join(SHARED, "crc32c.c")],
  shapeOf,
  isStrict: process.argv.includes("--strict"),
  isSanitized,
})
process.stdout.write(`${text}\n`)
process.exitCode = code

/** @param {string} compiler */
function shapeOf(compiler) {
  const input =
    "#include <infiniband/verbs.h>\n#include <rdma/rdma_cma.h>\nint main(void) { return 0; }\n"
  const args = ["-x", "c", "-o", "/dev/null", "-", ...LIBRARIES]
  if (spawnSync(compiler, args, { input, timeout: COMPILE_MS_MAX }).status !== 0) {
    return { why: "there are no headers of RDMA; install libibverbs-dev and librdmacm-dev" }
  }
  return { target, args: ["-iquote", SHARED, ...LIBRARIES] }
}
