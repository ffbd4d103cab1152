/**
 * Where things are in this repository, and the environment in which its tools run.
 */
import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs"
import { homedir } from "node:os"
import { delimiter, join } from "node:path"
import { fileURLToPath } from "node:url"

export const ROOT = fileURLToPath(new URL("../../", import.meta.url))
/** What set-up remembers between runs. It may be deleted at any time. */
export const CACHE = join(ROOT, ".cache", "setup")

/**
 * A file of this repository by its path from the root.
 * @param {readonly string[]} parts
 */
export function at(...parts) {
  return join(ROOT, ...parts)
}

/**
 * @param {string} path
 * @returns {Record<string, any>}
 */
export function readJson(path) {
  return JSON.parse(readFileSync(path, "utf8"))
}

/**
 * Workspace folders from the root that have a package.json; the root itself comes first, as `.`.
 */
export function workspaceFolders() {
  const packages = readdirSync(at("packages")).map((name) => `packages/${name}`)
  const folders = [...packages.sort(), "bench", "e2e", "examples"]
  return [".", ...folders.filter((folder) => existsSync(at(folder, "package.json")))]
}

/** `packages/*` folders, the ones that are built. */
export function packageFolders() {
  return workspaceFolders().filter((folder) => folder.startsWith("packages/"))
}

/** The pinned pnpm, as `10.34.9`. */
export function pinnedPnpm() {
  return String(readJson(at("package.json"))["packageManager"]).replace(/^pnpm@/, "")
}

/**
 * The environment of every tool: our own programs first in the path, nobody asks questions, nothing
 * phones home; and where the home directory cannot be written, caches live in this repository.
 *
 * @returns {NodeJS.ProcessEnv}
 */
export function toolEnv() {
  /** @type {NodeJS.ProcessEnv} */
  const env = {
    ...process.env,
    PATH: `${at("node_modules", ".bin")}${delimiter}${process.env["PATH"] ?? ""}`,
    TURBO_TELEMETRY_DISABLED: "1",
    TURBO_NO_UPDATE_NOTIFIER: "1",
    DO_NOT_TRACK: "1",
    npm_config_update_notifier: "false",
    // A network that fails is asked again soon, and then given up: ten seconds, not seventy.
    npm_config_fetch_retry_mintimeout: "1000",
    npm_config_fetch_retry_maxtimeout: "10000",
  }
  if (isWritable(homedir())) return env
  const caches = at(".cache", "home")
  mkdirSync(caches, { recursive: true })
  return {
    ...env,
    npm_config_cache: join(caches, "npm"),
    npm_config_store_dir: join(caches, "pnpm-store"),
    XDG_CACHE_HOME: join(caches, "cache"),
    XDG_CONFIG_HOME: join(caches, "config"),
    XDG_DATA_HOME: join(caches, "data"),
    XDG_STATE_HOME: join(caches, "state"),
  }
}

/**
 * The same for programs whose output is read by a program: no colours, and nobody to ask.
 *
 * @returns {NodeJS.ProcessEnv}
 */
export function plainEnv() {
  const { FORCE_COLOR: _, ...env } = toolEnv()
  return { ...env, NO_COLOR: "1", CI: "true" }
}

/** @param {string} folder */
function isWritable(folder) {
  try {
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return false
  }
}
