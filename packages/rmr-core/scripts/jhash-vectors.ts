/**
 * Where the golden vectors of the group id come from: the kernel's own `linux/jhash.h`.
 *
 *   tsx packages/rmr-core/scripts/jhash-vectors.ts [--write]
 *
 * Without `--write` it compiles that header, asks it for every vector again and compares. It needs
 * cc and Debian's `linux-headers-*-common`; where one is missing it says which, and the test that
 * calls this is skipped with that reason.
 */
import { execFileSync } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { coreFolder } from "./folders.js"

export interface JhashVector {
  readonly hex: string
  readonly initval: number
  readonly hash: number
}

const SOURCES = "/usr/src"
const scripts: string = join(coreFolder(), "scripts")
export const GOLDEN: string = join(coreFolder(), "src/wire/golden/jhash.json")

/** Why the kernel cannot be asked on this machine, or undefined where it can. */
export function whyNoKernel(): string | undefined {
  if (kernelInclude() === undefined) {
    return `no linux/jhash.h under ${SOURCES} (Debian package linux-headers-*-common)`
  }
  try {
    execFileSync("cc", ["--version"], { stdio: "ignore" })
  } catch {
    return "no C compiler `cc`"
  }
  return undefined
}

/** Every input that the vectors cover: each length to 64, each length of a name, and beyond. */
export function vectorInputs(): readonly Omit<JhashVector, "hash">[] {
  const inputs: Omit<JhashVector, "hash">[] = []
  for (let length = 0; length <= 64; length++) {
    inputs.push({ hex: hexOfName(length), initval: 0 })
    // Bytes above 127 show a sign that slipped in; an initval shows where it is added.
    inputs.push({ hex: "ff".repeat(length), initval: 0 })
    inputs.push({ hex: hexOfName(length), initval: 0x9e3779b9 })
  }
  for (const length of [
    65, 100, 127, 128, 129, 200, 251, 252, 253, 254, 255, 256, 257, 1000, 4096,
  ]) {
    inputs.push({ hex: hexOfName(length), initval: 0 })
  }
  for (const name of ["pool", "rmr_pool_1", "db-primary", "a", "tank"]) {
    inputs.push({ hex: Buffer.from(name, "ascii").toString("hex"), initval: 0 })
  }
  return inputs
}

/** What the kernel's header answers for these inputs. */
export function askKernel(inputs: readonly Omit<JhashVector, "hash">[]): readonly JhashVector[] {
  const include = kernelInclude()
  if (include === undefined) throw new Error(whyNoKernel())
  const folder = mkdtempSync(join(tmpdir(), "rmr-jhash-"))
  try {
    const program = join(folder, "jhash-vectors")
    execFileSync("cc", [
      "-O2",
      `-I${join(scripts, "kernel-shim")}`,
      `-idirafter${include}`,
      join(scripts, "jhash-vectors.c"),
      `-o${program}`,
    ])
    const lines = inputs.map(({ hex, initval }) => `${initval} ${hex}\n`).join("")
    const answer = execFileSync(program, { input: lines, encoding: "ascii", timeout: 20_000 })
    const hashes = answer.trim().split("\n").map(Number)
    if (hashes.length !== inputs.length) throw new Error("the kernel's answer has another length")
    return inputs.map((input, index) => ({ ...input, hash: hashes[index]! }))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export function readVectors(): readonly JhashVector[] {
  return JSON.parse(readFileSync(GOLDEN, "utf8")) as JhashVector[]
}

/** Visible ASCII without '/', so that it is a pool name too wherever it is short enough. */
function hexOfName(length: number): string {
  const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+@:=~"
  let hex = ""
  for (let index = 0; index < length; index++) {
    hex += alphabet.charCodeAt((index * 7 + length) % alphabet.length).toString(16)
  }
  return hex
}

function kernelInclude(): string | undefined {
  if (!existsSync(SOURCES)) return undefined
  return readdirSync(SOURCES)
    .filter((name) => /^linux-headers-.*-common/.test(name))
    .sort()
    .map((name) => join(SOURCES, name, "include"))
    .findLast((include) => existsSync(join(include, "linux/jhash.h")))
}

function main(): void {
  const missing = whyNoKernel()
  if (missing !== undefined) {
    process.stderr.write(`cannot ask the kernel: ${missing}\n`)
    process.exitCode = 1
    return
  }
  const asked = `[\n${askKernel(vectorInputs())
    .map((vector) => JSON.stringify(vector))
    .join(",\n")}\n]\n`
  if (process.argv.includes("--write")) {
    writeFileSync(GOLDEN, asked)
    process.stdout.write(`wrote ${GOLDEN}\n`)
  } else if (readFileSync(GOLDEN, "utf8") !== asked) {
    process.stderr.write("the kernel answers something else than the golden vectors\n")
    process.exitCode = 1
  }
}

if (process.argv[1]?.endsWith("jhash-vectors.ts")) main()
