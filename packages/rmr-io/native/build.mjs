/**
 * Builds the native addon of @rmr/io on the machine it is for: one call of a C compiler.
 *
 * ```
 * node native/build.mjs             builds; without compiler or headers it says so, which is fine
 * node native/build.mjs --strict    warnings are errors: for those who work on the sources
 * node native/build.mjs --prebuild  one that is shipped (prebuild.mjs)
 * node native/build.mjs --sanitize  a build beside it that watches its memory: for tests of it
 * ```
 *
 * A sanitized build ends the process where it touches memory that is not its own or does what C
 * leaves undefined. It is taken with `RMR_NATIVE=sanitize`, in a process that was started with the
 * `LD_PRELOAD` that is printed here.
 *
 * Exit codes: 0 built, 1 the sources do not compile, 3 this machine cannot build (it says why).
 */
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { compile } from "./compile.mjs"
import { prebuildOf } from "./prebuild.mjs"

const HERE = import.meta.dirname

const isSanitized = process.argv.includes("--sanitize")
const suffix = isSanitized ? "-sanitized" : ""
const sources = readdirSync(HERE).filter((name) => name.endsWith(".c"))
// As src/native-file.ts looks for it.
const target = join(HERE, "build", `rmr-io-${process.platform}-${process.arch}${suffix}.node`)
const { code, text } = compile({
  sources: sources.sort().map((name) => join(HERE, name)),
  shapeOf: process.argv.includes("--prebuild") ? prebuildOf : () => ({ target }),
  isStrict: process.argv.includes("--strict"),
  isSanitized,
})
process.stdout.write(`${text}\n`)
process.exitCode = code
