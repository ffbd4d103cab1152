/**
 * How these tests start `rmr`: as it was built, which is what users run and starts in a third of a
 * second; from its sources where the build is older than they are, so that a test never passes on
 * yesterday's program.
 */
import { readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { at, packageFolders, toolEnv } from "../../tools/setup/paths.js"
import { type RunResult, run } from "../../tools/setup/run.js"

const VERB_MS_MAX = 60_000

let words: readonly string[] | undefined

/** What comes behind `node` in front of a verb. */
export function rmrWords(): readonly string[] {
  words ??= isBuilt()
    ? [at("packages/rmr-cli/dist/main.js")]
    : ["--import", "tsx", at("packages/rmr-cli/src/main.ts")]
  return words
}

/** Whether every package was built after its sources were changed. */
export function isBuilt(): boolean {
  return packageFolders().every((folder) => {
    const built = changedMs(at(folder, "dist"), /\.js$/, Math.min)
    return built !== undefined && built >= (changedMs(at(folder, "src"), /\.ts$/, Math.max) ?? 0)
  })
}

export function rmrEnv(): NodeJS.ProcessEnv {
  return { ...toolEnv(), TSX_TSCONFIG_PATH: at("tsconfig.run.json") }
}

/** `rmr` with these words, as a person would type them. */
export function rmr(...args: string[]): Promise<RunResult> {
  const all = [...rmrWords(), ...args]
  return run(process.execPath, all, { cwd: at(), env: rmrEnv(), timeoutMs: VERB_MS_MAX })
}

function changedMs(
  folder: string,
  names: RegExp,
  pick: (a: number, b: number) => number,
): number | undefined {
  let found: number | undefined
  let listed: string[]
  try {
    listed = readdirSync(folder, { recursive: true }).map(String)
  } catch {
    return undefined
  }
  for (const name of listed) {
    if (!names.test(name) || /\.test\.ts$|\.d\.ts$/.test(name)) continue
    const { mtimeMs } = statSync(join(folder, name))
    found = found === undefined ? mtimeMs : pick(found, mtimeMs)
  }
  return found
}
