/**
 * package.json and tsconfig.json as the rules need them, and the shape that every package.json has.
 */
import ts from "typescript"
import type { Repository } from "../repository.js"
import type { Finding, Rule } from "../rule.js"

export interface Manifest {
  readonly name: string
  readonly dependencies: readonly string[]
  readonly devDependencies: readonly string[]
  readonly fields: Readonly<Record<string, unknown>>
}

/** What is the same in every published package. */
const FIELDS: Readonly<Record<string, unknown>> = {
  license: "Apache-2.0",
  type: "module",
  sideEffects: false,
}

export const manifests: Rule = {
  name: "manifests",
  title: "every package.json has the same shape: ESM, types first, no side effects",
  check: (repository) =>
    packageFolders(repository).flatMap((folder) => {
      const manifest = manifestOf(repository, folder)
      if (manifest === undefined) return []
      const path = `packages/${folder}/package.json`
      return complaints(repository, manifest).map(
        (message): Finding => ({ path, line: 0, message }),
      )
    }),
}

function complaints(repository: Repository, { name, fields }: Manifest): string[] {
  const found: string[] = []
  if (!name.startsWith("@rmr/")) found.push(`name: ${name} is not in @rmr/`)
  for (const [field, value] of Object.entries(FIELDS)) {
    if (fields[field] !== value) found.push(`${field}: not ${JSON.stringify(value)}`)
  }
  const engines = rootFields(repository)["engines"]
  if (JSON.stringify(fields["engines"]) !== JSON.stringify(engines)) {
    found.push("engines: not those of the root")
  }
  if (typeof fields["description"] !== "string") found.push("description: missing")
  for (const [subpath, entry] of Object.entries(record(fields["exports"]))) {
    const conditions = Object.keys(record(entry)).join()
    if (conditions !== "types,default") found.push(`exports ${subpath}: not types, then default`)
  }
  for (const [dependency, range] of Object.entries(record(fields["dependencies"]))) {
    const isOwn = dependency.startsWith("@rmr/")
    if (isOwn && range !== "workspace:*") found.push(`${dependency}: not workspace:*`)
  }
  return found
}

/** Folders of `packages/` that have a package.json. */
export function packageFolders({ files }: Repository): string[] {
  return files.flatMap(({ path }) => /^packages\/([^/]+)\/package\.json$/.exec(path)?.[1] ?? [])
}

export function manifestOf(repository: Repository, folder: string): Manifest | undefined {
  const text = repository.file(`packages/${folder}/package.json`)?.text
  if (text === undefined) return undefined
  const fields = record(JSON.parse(text))
  return {
    name: String(fields["name"]),
    dependencies: Object.keys(record(fields["dependencies"])),
    devDependencies: Object.keys(record(fields["devDependencies"])),
    fields,
  }
}

/** Paths of a tsconfig's project references, as written. Its comments are no JSON. */
export function referencesOf(repository: Repository, path: string): string[] {
  const text = repository.file(path)?.text ?? "{}"
  const { config } = ts.parseConfigFileTextToJson(path, text) as { config?: unknown }
  const references = record(config)["references"]
  if (!Array.isArray(references)) return []
  return references.map((reference) => String(record(reference)["path"]))
}

function rootFields(repository: Repository): Readonly<Record<string, unknown>> {
  return record(JSON.parse(repository.file("package.json")?.text ?? "{}"))
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {}
}
