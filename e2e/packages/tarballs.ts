/**
 * Packages as a user gets them: packed by pnpm, and installed by npm into a project of its own.
 *
 * A tarball has been built afresh (`prepack`), so what is tested is what would be published. The
 * project is outside of this workspace; nothing of it can be found by accident.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { at, packageFolders, plainEnv } from "../../tools/setup/paths.js"
import { failureText, type RunResult, run } from "../../tools/setup/run.js"

/** package.json as packed, as far as it matters here. */
export interface PackedManifest {
  readonly name: string
  readonly exports: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

export interface Tarball {
  /** Folder in `packages/`. */
  readonly folder: string
  readonly name: string
  readonly path: string
  readonly manifest: PackedManifest
  /** Paths inside, without the leading `package/`. */
  readonly files: readonly string[]
}

const STEP_MS_MAX = 180_000

/** What is packed, and how far in: `packages/rmr-core` → `rmr-core`. */
export const PACKAGES: readonly string[] = packageFolders().map((path) => path.split("/")[1] ?? "")

export async function pack(folder: string, into: string): Promise<Tarball> {
  const target = join(into, folder)
  mkdirSync(target)
  const pnpm = [at("node_modules/pnpm/bin/pnpm.cjs"), "pack", "--pack-destination", target]
  await must(process.execPath, pnpm, at("packages", folder))
  const path = join(target, readdirSync(target)[0] ?? "")
  const listed = await must("tar", ["-tzf", path], target)
  const { stdout } = await must("tar", ["-xzOf", path, "package/package.json"], target)
  const manifest = JSON.parse(stdout) as PackedManifest
  const files = listed.stdout
    .trim()
    .split("\n")
    .map((file) => file.replace(/^package\//, ""))
  return { folder, name: manifest.name, path, manifest, files }
}

/** The package and our packages that it needs, and theirs. */
export function closureOf(tarball: Tarball, all: readonly Tarball[]): Tarball[] {
  const closure = new Set([tarball])
  for (const member of closure) {
    const names = Object.keys(member.manifest.dependencies ?? {})
    for (const other of all) if (names.includes(other.name)) closure.add(other)
  }
  return [...closure]
}

/** Dependencies that are not ours. Where there are none, installing needs no network at all. */
export function strangersOf(tarballs: readonly Tarball[]): string[] {
  const own = tarballs.map(({ name }) => name)
  const needed = tarballs.flatMap(({ manifest }) => Object.keys(manifest.dependencies ?? {}))
  return needed.filter((name) => !own.includes(name))
}

/** Our packages that a program imports: a user would install them beside the one it is about. */
export function importedBy(program: string, all: readonly Tarball[]): Tarball[] {
  const text = readFileSync(program, "utf8")
  return all.filter(
    ({ name }) => text.includes(`from "${name}"`) || text.includes(`from "${name}/`),
  )
}

/**
 * An empty project with these tarballs, the first ones asked for, the others because they need
 * them. `cache` is npm's cache: an empty one proves that nothing comes from anywhere else.
 */
export async function install(
  folder: string,
  asked: readonly Tarball[],
  tarballs: readonly Tarball[],
  cache: string,
  env: NodeJS.ProcessEnv = plainEnv(),
): Promise<void> {
  const fileOf = ({ name, path }: Tarball): [string, string] => [name, `file:${path}`]
  const dependencies = Object.fromEntries(asked.map(fileOf))
  const others = tarballs.filter(({ name }) => dependencies[name] === undefined)
  const overrides = Object.fromEntries(others.map(fileOf))
  const manifest = {
    name: "a-user",
    private: true,
    type: "module",
    dependencies,
    overrides,
  }
  mkdirSync(folder)
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest))
  const network = strangersOf(tarballs).length === 0 ? "--offline" : "--prefer-offline"
  const quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock"]
  await must("npm", ["install", network, ...quiet, "--cache", cache], folder, env)
}

/** Compiles one file as a strict user would, library declarations included, and runs the result. */
export async function compileAndRun(folder: string, program: string): Promise<void> {
  await compile(folder, program)
  await must(process.execPath, ["program.js"], folder)
}

/** The result is `program.js`. */
export async function compile(folder: string, program: string): Promise<void> {
  writeFileSync(join(folder, "program.ts"), readFileSync(program, "utf8"))
  const compilerOptions = {
    ...{ module: "nodenext", moduleResolution: "nodenext", target: "es2023", lib: ["es2023"] },
    ...{ strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false, types: [] },
  }
  const config = { compilerOptions, files: ["program.ts"] }
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config))
  await must(process.execPath, [at("node_modules/typescript/bin/tsc"), "-p", "."], folder)
}

/** One of our own tools, by name. */
export function tool(name: string, ...args: string[]): Promise<RunResult> {
  return must(at("node_modules/.bin", name), args, at())
}

async function must(
  program: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv = plainEnv(),
): Promise<RunResult> {
  const result = await run(program, args, { cwd, env, timeoutMs: STEP_MS_MAX })
  if (!result.ok) throw new Error(`in ${cwd}\n${failureText(result, 60)}`)
  return result
}

/** The program that uses a package, if somebody wrote it. */
export function consumerOf(folder: string): string {
  return at("e2e/packages/consumers", `${folder}.ts`)
}
