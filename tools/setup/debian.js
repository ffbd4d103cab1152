/**
 * Installs the Debian packages of debian-packages.txt that are missing, where apt can be used.
 *
 * None of them is needed to work: each carries a feature, and where it cannot be installed the run
 * says in one line which feature is off and why, and goes on. An attempt that failed is remembered
 * for an hour, so that a machine without network or rights pays for it once, not at every run.
 */
import { existsSync, readFileSync, statSync } from "node:fs"
import { at, toolEnv } from "./paths.js"
import { run } from "./run.js"
import { contentStamp, readStamp, writeStamp } from "./stamps.js"

/**
 * @typedef {object} Wanted
 * @property {readonly string[]} names alternatives, possibly with `*`
 * @property {string} feature
 */

const LIST = "tools/setup/debian-packages.txt"
const DPKG_STATUS = "/var/lib/dpkg/status"
const RETRY_AFTER_MS = 3_600_000
const QUERY_MS_MAX = 30_000
const UPDATE_MS_MAX = 120_000
const INSTALL_MS_MAX = 600_000
/** A mirror that does not answer must not eat the time limit of the whole command. */
const APT_OPTIONS = [
  ...["-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20"],
  ...["-o", "Acquire::https::Timeout=20", "-o", "DPkg::Lock::Timeout=60"],
]

/** @returns {import("./steps.js").StepState} */
export function debianState() {
  const stamp = readStamp("debian")
  if (stamp?.list !== listStamp()) return { isDone: false, notes: [] }
  const isRecent = Date.now() - stamp.triedMs < RETRY_AFTER_MS
  const isUnchanged = stamp.dpkg === dpkgStamp()
  return { isDone: isUnchanged && (stamp.off.length === 0 || isRecent), notes: stamp.off }
}

/** @returns {Promise<import("./steps.js").StepResult>} */
export async function installDebianPackages() {
  const wanted = parseList(readFileSync(at(LIST), "utf8"))
  const { missing, reason } = await tryInstall(wanted)
  const off = missing.map(
    (item) => `off: ${item.feature} (no ${item.names.join(" or ")}: ${reason})`,
  )
  writeStamp("debian", { list: listStamp(), dpkg: dpkgStamp(), triedMs: Date.now(), off })
  return { ok: true, notes: off }
}

/**
 * @param {string} text
 * @returns {Wanted[]}
 */
export function parseList(text) {
  const wanted = []
  for (const line of text.split("\n")) {
    const [names = "", feature = ""] = line.split("#").map((part) => part.trim())
    if (names === "") continue
    if (feature === "") throw new Error(`${LIST}: "${names}" does not say which feature needs it`)
    wanted.push({ names: names.split("|").map((name) => name.trim()), feature })
  }
  return wanted
}

/**
 * The newest of the known packages that fits, or undefined; earlier alternatives win.
 *
 * @param {readonly string[]} names
 * @param {readonly string[]} known
 */
export function bestMatch(names, known) {
  for (const name of names) {
    const fits = known.filter((candidate) => pattern(name).test(candidate))
    fits.sort((a, b) => a.localeCompare(b, "en", { numeric: true }))
    const newest = fits.at(-1)
    if (newest !== undefined) return newest
  }
  return undefined
}

/** @param {string} name */
function pattern(name) {
  const parts = name.split("*").map((part) => part.replace(/[.+]/g, "\\$&"))
  return new RegExp(`^${parts.join(".*")}$`)
}

/**
 * @param {readonly Wanted[]} wanted
 * @returns {Promise<{ missing: readonly Wanted[], reason: string }>}
 */
async function tryInstall(wanted) {
  if (!existsSync(DPKG_STATUS)) return { missing: wanted, reason: "this is no Debian or Ubuntu" }
  const missing = await missingOf(wanted)
  if (missing.length === 0) return { missing, reason: "" }
  const asRoot = await rootPrefix()
  if (asRoot === undefined)
    return { missing, reason: "apt-get needs root or sudo without password" }

  console.log(`  installing Debian packages for: ${missing.map((item) => item.feature).join(", ")}`)
  let reason = await install(missing, asRoot)
  if (reason !== undefined) {
    // Package lists may be absent or old; a network that cannot refresh them cannot install either.
    reason = (await apt(asRoot, ["update"], UPDATE_MS_MAX)) ?? (await install(missing, asRoot))
  }
  return { missing: await missingOf(wanted), reason: reason ?? "apt-get did not install it" }
}

/**
 * @param {readonly Wanted[]} missing
 * @param {readonly string[]} asRoot
 * @returns {Promise<string | undefined>} why it did not work
 */
async function install(missing, asRoot) {
  const { stdout } = await query("apt-cache", ["pkgnames"])
  const known = stdout.split("\n")
  const found = missing.flatMap((item) => bestMatch(item.names, known) ?? [])
  if (found.length < missing.length) return "apt knows no such package"
  return apt(asRoot, ["install", "-y", "--no-install-recommends", ...found], INSTALL_MS_MAX)
}

/**
 * @param {readonly string[]} asRoot
 * @param {readonly string[]} args
 * @param {number} timeoutMs
 * @returns {Promise<string | undefined>} why it did not work
 */
async function apt(asRoot, args, timeoutMs) {
  const words = [...asRoot, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", ...APT_OPTIONS]
  const [program = "", ...rest] = [...words, ...args]
  const result = await run(program, rest, { env: toolEnv(), timeoutMs })
  if (result.ok) return undefined
  const lines = result.output.trimEnd().split("\n")
  const complaint = lines.findLast((line) => /^(E|Err|W):/.test(line)) ?? lines.at(-1) ?? ""
  return `apt-get ${args[0]}: ${complaint.trim() || result.ending}`
}

/** @param {readonly Wanted[]} wanted */
async function missingOf(wanted) {
  const patterns = wanted.flatMap((item) => item.names)
  const format = ["-W", "-f", "$" + "{db:Status-Abbrev} $" + "{Package}\\n"]
  const { stdout } = await query("dpkg-query", [...format, ...patterns])
  const lines = stdout.split("\n").filter((line) => line.startsWith("ii"))
  const installed = lines.map((line) => line.split(/\s+/)[1] ?? "")
  return wanted.filter((item) => bestMatch(item.names, installed) === undefined)
}

/** How to become root, or undefined. */
async function rootPrefix() {
  if (process.getuid?.() === 0) return []
  return (await query("sudo", ["-n", "true"])).ok ? ["sudo", "-n"] : undefined
}

/**
 * @param {string} program
 * @param {readonly string[]} args
 */
function query(program, args) {
  return run(program, args, { env: toolEnv(), timeoutMs: QUERY_MS_MAX })
}

function listStamp() {
  return contentStamp([LIST])
}

function dpkgStamp() {
  return statSync(DPKG_STATUS, { throwIfNoEntry: false })?.mtimeMs ?? 0
}
