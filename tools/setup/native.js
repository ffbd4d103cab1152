/**
 * Builds the native part of rmr-io where there is a C compiler. Nothing needs it: what it does is
 * also done in JavaScript, and everybody who loads it can do without.
 */
import { existsSync, mkdirSync } from "node:fs"
import { dirname } from "node:path"
import { at, plainEnv } from "./paths.js"
import { failureText, run } from "./run.js"
import { readStamp, statStamp, writeStamp } from "./stamps.js"

const SOURCE = "packages/rmr-io/native/rmr-io.c"
const OUTPUT = "packages/rmr-io/build/rmr-io.node"
const HEADERS = "node_modules/node-api-headers/include"
const COMPILE_MS_MAX = 60_000

/** @returns {import("./steps.js").StepState} */
export function nativeState() {
  const isBuilt = existsSync(at(OUTPUT)) && readStamp("native")?.inputs === inputs()
  return { isDone: isBuilt, notes: [] }
}

/** @returns {Promise<import("./steps.js").StepResult>} */
export async function buildNative() {
  const stamp = inputs()
  mkdirSync(dirname(at(OUTPUT)), { recursive: true })
  const flags = ["-O3", "-std=c11", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared"]
  const args = [...flags, `-I${at(HEADERS)}`, "-o", at(OUTPUT), at(SOURCE)]
  const result = await run("cc", args, {
    cwd: at(),
    env: plainEnv(),
    timeoutMs: COMPILE_MS_MAX,
  })
  if (!result.ok) return { ok: false, text: failureText(result) }
  writeStamp("native", { inputs: stamp })
  return { ok: true, notes: [] }
}

function inputs() {
  return statStamp([SOURCE, HEADERS], () => true)
}
