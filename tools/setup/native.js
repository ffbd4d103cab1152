/**
 * Builds the native addon of `@rmr/io`, where this machine can.
 *
 * Everything works without it, so a machine without compiler is told in one line what is off, at
 * every run: finding no compiler takes milliseconds. Sources that a compiler refuses are a failure.
 */
import { existsSync, readdirSync } from "node:fs"
import { at, plainEnv } from "./paths.js"
import { failureText, run } from "./run.js"
import { contentStamp, readStamp, writeStamp } from "./stamps.js"

const FOLDER = "packages/rmr-io/native"
const BUILD_MS_MAX = 3 * 60_000
/** The exit code of build.mjs where there is no compiler, or none of the headers. */
const EXIT_UNABLE = 3

/** @returns {import("./steps.js").StepState} */
export function nativeState() {
  const name = `rmr-io-${process.platform}-${process.arch}.node`
  const isBuilt = existsSync(at(FOLDER, "build", name))
  return { isDone: isBuilt && readStamp("native")?.inputs === inputs(), notes: [] }
}

/** @returns {Promise<import("./steps.js").StepResult>} */
export async function buildNative() {
  const stamp = inputs()
  const args = [at(FOLDER, "build.mjs"), "--strict"]
  const result = await run(process.execPath, args, { env: plainEnv(), timeoutMs: BUILD_MS_MAX })
  if (result.code === EXIT_UNABLE) {
    const reason = result.stdout.trim().replace(/^.*?: /, "")
    return { ok: true, notes: [`off: fast checksums and giving back space (${reason})`] }
  }
  if (!result.ok) return { ok: false, text: failureText(result) }
  writeStamp("native", { inputs: stamp })
  return { ok: true, notes: [] }
}

function inputs() {
  const sources = readdirSync(at(FOLDER)).filter((name) => /\.(c|h|mjs)$/.test(name))
  const files = sources.sort().map((name) => `${FOLDER}/${name}`)
  return contentStamp(files, [process.platform, process.arch])
}
