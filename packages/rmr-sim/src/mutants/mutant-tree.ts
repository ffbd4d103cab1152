/**
 * A copy of the product's sources in which one rule at a time is taken out.
 *
 * What is run there is what is written there, without a build: `tsconfig.run.json` resolves the
 * packages to their sources. Third-party modules are those of the repository, by links.
 */
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import type { ProductMutant, SourceEdit } from "./product-mutants.js"

export const REPOSITORY: string = fileURLToPath(new URL("../../../..", import.meta.url))
const PACKAGES = ["rmr-core", "rmr-client", "rmr-server", "brmr-store", "rmr-testkit", "rmr-sim"]
const FILES = ["package.json", "tsconfig.json", "tsconfig.base.json", "tsconfig.run.json"]

export class MutantTree {
  readonly root: string

  private constructor(root: string) {
    this.root = root
  }

  static async make(): Promise<MutantTree> {
    const root = await mkdtemp(join(tmpdir(), "rmr-mutants-"))
    for (const file of FILES) await cp(join(REPOSITORY, file), join(root, file))
    for (const name of PACKAGES) {
      for (const part of ["src", "package.json"]) {
        await cp(join(REPOSITORY, "packages", name, part), join(root, "packages", name, part), {
          recursive: true,
        })
      }
    }
    await symlink(join(REPOSITORY, "node_modules"), join(root, "node_modules"))
    return new MutantTree(root)
  }

  get main(): string {
    return join(this.root, "packages/rmr-sim/src/main.ts")
  }

  /** How its hunters are started; what runs them (tsx) asks the environment where to look. */
  get environment(): NodeJS.ProcessEnv {
    return { ...process.env, TSX_TSCONFIG_PATH: join(this.root, "tsconfig.run.json") }
  }

  /** Runs with the rule taken out; afterwards the copy is whole again. */
  async without<T>(mutant: ProductMutant, run: () => Promise<T>): Promise<T> {
    const sources = new Map<string, string>()
    try {
      for (const edit of editsOf(mutant)) {
        const path = join(this.root, "packages", edit.file)
        const source = await readFile(path, "utf8")
        if (!sources.has(path)) sources.set(path, source)
        await writeFile(path, applied(edit, source))
      }
      return await run()
    } finally {
      for (const [path, source] of sources) await writeFile(path, source)
    }
  }

  async remove(): Promise<void> {
    if (relative(tmpdir(), this.root).startsWith("..")) throw new Error("not a copy of ours")
    await rm(this.root, { recursive: true })
  }
}

export function editsOf(mutant: ProductMutant): readonly SourceEdit[] {
  return [mutant, ...(mutant.also ?? [])]
}

/** The source with the edit made; fails where its text is not there, or more than once. */
export function applied({ file, find, replace }: SourceEdit, source: string): string {
  const pieces = source.split(find)
  if (pieces.length === 2) return pieces.join(replace)
  throw new Error(`"${find}" is ${pieces.length - 1} times in ${file}, not once`)
}
