/**
 * A machine on which nothing can be compiled: its path has Node and npm, and nothing else.
 *
 * What is installed there comes from tarballs alone, and runs as for a user who has no compiler.
 */
import { execFileSync } from "node:child_process"
import { cpSync, mkdirSync, readFileSync, realpathSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { at, plainEnv } from "../../tools/setup/paths.js"
import { type RunResult, run } from "../../tools/setup/run.js"

const STEP_MS_MAX = 180_000

/** What native-user.ts says. */
export interface NativeUse {
  readonly isLoaded: boolean
  readonly reason: string
  readonly checksum: string
  readonly unmap: boolean
  readonly ended: string
  readonly sum: number
}

/** An environment with a path of its own, made in this folder. */
export function bareEnv(folder: string): NodeJS.ProcessEnv {
  mkdirSync(folder)
  const npm = execFileSync("sh", ["-c", "command -v npm"], { encoding: "utf8" }).trim()
  symlinkSync(process.execPath, join(folder, "node"))
  symlinkSync(realpathSync(npm), join(folder, "npm"))
  const { CC: _, RMR_NATIVE: __, ...env } = plainEnv()
  return { ...env, PATH: folder }
}

export function runNode(
  cwd: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<RunResult> {
  return run(process.execPath, args, { cwd, env, timeoutMs: STEP_MS_MAX })
}

/** Only `jsonLog` writes to stderr, and Node when it fails. */
export function useOf({ output }: RunResult): NativeUse {
  return JSON.parse(output) as NativeUse
}

/** The package's C sources and prebuilds with `gather.mjs` beside them, as before packing. */
export function copyOfSources(installed: string, into: string): string {
  mkdirSync(into)
  for (const name of ["native", "prebuilds"]) {
    cpSync(join(installed, name), join(into, name), { recursive: true })
  }
  cpSync(at("packages/rmr-io/native/gather.mjs"), join(into, "native", "gather.mjs"))
  return join(into, "native", "gather.mjs")
}

/** The number that a source names so. */
export function versionIn(path: string, pattern: RegExp): number {
  return Number(pattern.exec(readFileSync(at(path), "utf8"))?.[1])
}
