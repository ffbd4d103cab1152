/**
 * Installs the npm dependencies with the pnpm that package.json names, and with no other.
 *
 * The first time there is no pnpm, and a global one is neither needed nor trusted to be the right
 * version: npx fetches the pinned one. It installs itself beside everything else, so that later
 * installs need no npx. The lockfile decides what is installed; an install that would change it
 * fails.
 */
import { existsSync } from "node:fs"
import { at, pinnedPnpm, plainEnv, readJson, workspaceFolders } from "./paths.js"
import { failureText, run } from "./run.js"
import { contentStamp, readStamp, writeStamp } from "./stamps.js"

const INSTALL_MS_MAX = 15 * 60_000
const INSTALL_ARGS = ["install", "--frozen-lockfile", "--prefer-offline", "--reporter=append-only"]

/** @returns {import("./steps.js").StepState} */
export function dependenciesState() {
  const isInstalled =
    existsSync(at("node_modules/.modules.yaml")) && linkedFolders().every(hasLinks)
  return { isDone: isInstalled && readStamp("dependencies")?.inputs === inputs(), notes: [] }
}

/** @returns {Promise<import("./steps.js").StepResult>} */
export async function installDependencies() {
  const stamp = inputs()
  const [program, ...args] = pnpmCommand()
  const result = await run(program, [...args, ...INSTALL_ARGS], {
    cwd: at(),
    // Nobody is there to answer pnpm's question whether node_modules of another store may go.
    env: plainEnv(),
    timeoutMs: INSTALL_MS_MAX,
  })
  if (!result.ok) return { ok: false, text: failureText(result) }
  writeStamp("dependencies", { inputs: stamp })
  return { ok: true, notes: [] }
}

/** @returns {[string, ...string[]]} */
function pnpmCommand() {
  const pinned = pinnedPnpm()
  const own = "node_modules/pnpm"
  if (existsSync(at(own)) && readJson(at(own, "package.json"))["version"] === pinned) {
    return [process.execPath, at(own, "bin/pnpm.cjs")]
  }
  return ["npx", "--yes", "--prefer-offline", `pnpm@${pinned}`]
}

function inputs() {
  const manifests = workspaceFolders().map((folder) => `${folder}/package.json`)
  const files = ["pnpm-lock.yaml", "pnpm-workspace.yaml", ...manifests]
  return contentStamp(files, [process.platform, process.arch, process.versions.modules])
}

/** Workspace folders that have dependencies, and so a node_modules of their own. */
function linkedFolders() {
  return workspaceFolders().filter((folder) => {
    const { dependencies, devDependencies } = readJson(at(folder, "package.json"))
    return Object.keys({ ...dependencies, ...devDependencies }).length > 0
  })
}

/** @param {string} folder */
function hasLinks(folder) {
  return existsSync(at(folder, "node_modules"))
}
