/**
 * Where the repository is. Tests run these scripts as CommonJS and tsx as modules, so neither
 * `__dirname` nor `import.meta` serves both; the workspace file above the working directory does.
 */
import { existsSync } from "node:fs"
import { dirname, join } from "node:path"

export function repositoryFolder(): string {
  for (let folder = process.cwd(); ; folder = dirname(folder)) {
    if (existsSync(join(folder, "pnpm-workspace.yaml"))) return folder
    if (dirname(folder) === folder) throw new Error(`${process.cwd()} is not inside the repository`)
  }
}

export function coreFolder(): string {
  return join(repositoryFolder(), "packages/rmr-core")
}
