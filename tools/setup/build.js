/**
 * Builds the packages: tsup writes JavaScript, `tsc -b` declarations, side by side into `dist`.
 *
 * Both have caches of their own, but asking them costs seconds; the stamp of the sources answers
 * "is there anything to do" in milliseconds. A build that fails is not the end of `npm test`: its
 * stages say better what is wrong, and most of them work on sources.
 */
import { existsSync, readdirSync, rmSync } from "node:fs"
import { at, packageFolders, plainEnv, readJson } from "./paths.js"
import { failureText, run } from "./run.js"
import { readStamp, statStamp, writeStamp } from "./stamps.js"

const BUILD_MS_MAX = 10 * 60_000
const SHARED_INPUTS = [
  "package.json",
  "pnpm-lock.yaml",
  "tsconfig.base.json",
  "tsconfig.json",
  "tsup.base.ts",
  "turbo.json",
]
const PACKAGE_INPUTS = ["src", "package.json", "tsconfig.json", "tsup.config.ts"]

/** @returns {import("./steps.js").StepState} */
export function buildState() {
  const isBuilt = packageFolders().every((folder) => entryFiles(folder).every(existsAt))
  return { isDone: isBuilt && readStamp("build")?.inputs === inputs(), notes: [] }
}

/** @returns {Promise<import("./steps.js").StepResult>} */
export async function buildPackages() {
  const stamp = inputs()
  const options = { cwd: at(), env: plainEnv(), timeoutMs: BUILD_MS_MAX }
  const results = await Promise.all([
    run(process.execPath, ["node_modules/typescript/bin/tsc", "-b"], options),
    run("turbo", ["run", "build", "--output-logs=errors-only"], options),
  ])
  const failed = results.filter((result) => !result.ok)
  if (failed.length > 0) {
    return { ok: false, text: failed.map((result) => failureText(result)).join("\n") }
  }
  for (const folder of packageFolders()) dropOrphans(`${folder}/dist`, `${folder}/src`)
  const missing = packageFolders()
    .flatMap(entryFiles)
    .filter((file) => !existsAt(file))
  if (missing.length > 0) {
    return { ok: false, text: `  named in exports, but not built: ${missing.join(", ")}` }
  }
  writeStamp("build", { inputs: stamp })
  return { ok: true, notes: [] }
}

function inputs() {
  const own = packageFolders().flatMap((folder) =>
    PACKAGE_INPUTS.map((name) => `${folder}/${name}`),
  )
  return statStamp([...SHARED_INPUTS, ...own], (path) => !path.endsWith(".test.ts"))
}

/**
 * Every file that the package's `exports` name.
 * @param {string} folder
 */
function entryFiles(folder) {
  /** @type {Record<string, Record<string, string>>} */
  const entries = readJson(at(folder, "package.json"))["exports"] ?? {}
  return Object.values(entries).flatMap((entry) =>
    Object.values(entry).map((file) => `${folder}/${file.replace("./", "")}`),
  )
}

/**
 * Removes declarations whose source is gone: the compiler never does, and they would be published.
 *
 * @param {string} dist
 * @param {string} src
 */
function dropOrphans(dist, src) {
  for (const name of readdirSync(at(dist), { recursive: true })) {
    const match = /^(.*)\.d\.ts(\.map)?$/.exec(String(name))
    if (match !== null && !existsAt(`${src}/${match[1]}.ts`)) rmSync(at(dist, String(name)))
  }
}

/** @param {string} file */
function existsAt(file) {
  return existsSync(at(file))
}
