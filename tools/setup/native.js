/**
 * Builds the native addons of `@rmr/io` and `@rmr/transport-rdma`, where this machine can.
 *
 * Everything but RDMA works without them, so a machine without compiler is told in one line what is
 * off, at every run: finding no compiler takes milliseconds. Sources that a compiler refuses are a
 * failure.
 */
import { existsSync, readdirSync } from "node:fs"
import { at, plainEnv } from "./paths.js"
import { failureText, run } from "./run.js"
import { contentStamp, readStamp, writeStamp } from "./stamps.js"

const BUILD_MS_MAX = 3 * 60_000
/** The exit code of build.mjs where there is no compiler, or none of the headers. */
const EXIT_UNABLE = 3

/**
 * @typedef {object} Addon
 * @property {string} folder
 * @property {string} name of the file
 * @property {string} stamp
 * @property {readonly string[]} sources folders
 * @property {string} off what is off without it
 */

/** @type {Addon} */
const IO = {
  folder: "packages/rmr-io/native",
  name: "rmr-io",
  stamp: "native",
  sources: ["packages/rmr-io/native"],
  off: "fast checksums and giving back space",
}
/** @type {Addon} */
const RDMA = {
  folder: "packages/transport-rdma/native",
  name: "rmr-rdma",
  stamp: "native-rdma",
  // It is made of some of the other one's, too.
  sources: ["packages/transport-rdma/native", "packages/rmr-io/native"],
  off: "RDMA",
}

/** @returns {import("./steps.js").StepState} */
export function nativeState() {
  return { isDone: [IO, RDMA].every(isBuilt), notes: [] }
}

/** @returns {Promise<import("./steps.js").StepResult>} */
export async function buildNative() {
  const results = [await build(IO), await build(RDMA)]
  const failed = results.find(({ ok }) => !ok)
  if (failed !== undefined) return failed
  return { ok: true, notes: results.flatMap((result) => (result.ok ? result.notes : [])) }
}

/**
 * @param {Addon} addon
 * @returns {Promise<import("./steps.js").StepResult>}
 */
async function build(addon) {
  if (isBuilt(addon)) return { ok: true, notes: [] }
  const stamp = inputs(addon)
  const args = [at(addon.folder, "build.mjs"), "--strict"]
  const result = await run(process.execPath, args, { env: plainEnv(), timeoutMs: BUILD_MS_MAX })
  if (result.code === EXIT_UNABLE) {
    const reason = result.stdout.trim().replace(/^.*?: /, "")
    return { ok: true, notes: [`off: ${addon.off} (${reason})`] }
  }
  if (!result.ok) return { ok: false, text: failureText(result) }
  writeStamp(addon.stamp, { inputs: stamp })
  return { ok: true, notes: [] }
}

/** @param {Addon} addon */
function isBuilt(addon) {
  const name = `${addon.name}-${process.platform}-${process.arch}.node`
  return (
    existsSync(at(addon.folder, "build", name)) && readStamp(addon.stamp)?.inputs === inputs(addon)
  )
}

/** @param {Addon} addon */
function inputs({ sources }) {
  const files = sources.flatMap((folder) =>
    readdirSync(at(folder))
      .filter((name) => /\.(c|h|mjs)$/.test(name))
      .map((name) => `${folder}/${name}`),
  )
  return contentStamp(files.sort(), [process.platform, process.arch])
}
