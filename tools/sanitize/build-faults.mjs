/**
 * Builds faults.c as the sanitized addon is built: `build-faults.mjs TARGET`. Its exit codes are
 * those of build.mjs.
 */
import { join } from "node:path"
import { compile } from "../../packages/rmr-io/native/compile.mjs"

const { code, text } = compile({
  sources: [join(import.meta.dirname, "faults.c")],
  shapeOf: () => ({ target: process.argv[2] ?? "" }),
  isStrict: true,
  isSanitized: true,
})
process.stdout.write(`${text}\n`)
process.exitCode = code
