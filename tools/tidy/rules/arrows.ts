/**
 * The arrows between packages: who may import whom, and that every declaration of it agrees.
 *
 * ```
 *   e2e  bench  examples          may use anything
 *          rmr-cli                composition root
 *   rmr-server   brmr-client
 *        rmr-client               transport-tcp   transport-rdma   brmr-store
 *                                 rmr-io
 *                       rmr-core  imports nothing
 *   rmr-testkit -> rmr-core alone; devDependency of the others.   rmr-sim -> all library packages
 * ```
 *
 * An arrow stands in four places: here, in package.json, in the project references that the
 * compiler follows, and in the imports. All four must say the same.
 */
import { posix } from "node:path"
import { isSource, isTest, type Repository, type TextFile } from "../repository.js"
import type { Finding, Rule } from "../rule.js"
import { moduleNames } from "../walk.js"
import { type Manifest, manifestOf, packageFolders, referencesOf } from "./manifest.js"

interface Arrows {
  readonly may: readonly string[]
  /** Besides: tests and scripts. */
  readonly inTests: readonly string[]
}

const SUITES = ["rmr-testkit"]
const LIBRARIES = [
  ...["rmr-core", "rmr-io", "rmr-client", "rmr-server"],
  ...["transport-tcp", "transport-rdma", "brmr-store", "brmr-client"],
]

export const ARROWS: Readonly<Record<string, Arrows>> = {
  "rmr-core": { may: [], inTests: [] },
  "rmr-testkit": { may: ["rmr-core"], inTests: [] },
  "rmr-io": { may: ["rmr-core"], inTests: SUITES },
  "transport-tcp": { may: ["rmr-core", "rmr-io"], inTests: SUITES },
  "transport-rdma": { may: ["rmr-core", "rmr-io"], inTests: SUITES },
  "brmr-store": { may: ["rmr-core", "rmr-io"], inTests: SUITES },
  "rmr-client": { may: ["rmr-core"], inTests: SUITES },
  "rmr-server": { may: ["rmr-core", "rmr-client"], inTests: [...SUITES, "brmr-store"] },
  "brmr-client": { may: ["rmr-core", "rmr-client", "rmr-io"], inTests: SUITES },
  "rmr-cli": { may: LIBRARIES, inTests: SUITES },
  "rmr-sim": { may: [...LIBRARIES, "rmr-testkit"], inTests: [] },
}

export const arrows: Rule = {
  name: "arrows",
  title: "packages depend on each other only along the arrows, and say so everywhere alike",
  check: (repository) =>
    packageFolders(repository).flatMap((folder) => {
      const allowed = ARROWS[folder]
      const path = `packages/${folder}/package.json`
      if (allowed === undefined) {
        return [{ path, line: 0, message: "no arrows for this package in tools/tidy" }]
      }
      const manifest = manifestOf(repository, folder)
      if (manifest === undefined) return [{ path, line: 0, message: "cannot be read" }]
      return [
        ...manifestFindings(repository, path, manifest, allowed),
        ...referenceFindings(repository, folder, manifest),
        ...importFindings(repository, folder, manifest),
      ]
    }),
}

/** package.json against the table. */
function manifestFindings(
  repository: Repository,
  path: string,
  manifest: Manifest,
  allowed: Arrows,
): Finding[] {
  const check = (names: readonly string[], may: readonly string[], where: string): Finding[] =>
    names.flatMap((name) => {
      const folder = folderOf(repository, name)
      if (folder === undefined || may.includes(folder)) return []
      return [{ path, line: 0, message: `${where}: ${name} is no arrow of this package` }]
    })
  return [
    ...check(manifest.dependencies, allowed.may, "dependencies"),
    ...check(manifest.devDependencies, [...allowed.may, ...allowed.inTests], "devDependencies"),
  ]
}

/** The compiler's project references against package.json. */
function referenceFindings(repository: Repository, folder: string, manifest: Manifest): Finding[] {
  const path = `packages/${folder}/tsconfig.json`
  const declared = manifest.dependencies.flatMap((name) => folderOf(repository, name) ?? [])
  const referenced = referencesOf(repository, path).map((reference) => posix.basename(reference))
  const rootReferences = referencesOf(repository, "tsconfig.json")
  const findings: Finding[] = []
  if (declared.toSorted().join() !== referenced.toSorted().join()) {
    const message = `references are [${referenced}], dependencies are [${declared}]`
    findings.push({ path, line: 0, message })
  }
  if (!rootReferences.includes(`packages/${folder}`)) {
    findings.push({ path: "tsconfig.json", line: 0, message: `no reference to packages/${folder}` })
  }
  return findings
}

/** Every import against package.json. */
function importFindings(repository: Repository, folder: string, manifest: Manifest): Finding[] {
  const root = `packages/${folder}/`
  const files = repository.files.filter(({ path }) => path.startsWith(root) && isSource(path))
  return files.flatMap((file) => {
    const isShipped = file.path.startsWith(`${root}src/`) && !isTest(file.path)
    return moduleNames(file.tree).flatMap((name) => {
      const complaint = name.text.startsWith(".")
        ? relativeComplaint(file, root, name.text)
        : nameComplaint(repository, manifest, isShipped, name.text)
      if (complaint === undefined) return []
      return [{ path: file.path, line: file.lineOf(name), message: complaint }]
    })
  })
}

function relativeComplaint(file: TextFile, root: string, name: string): string | undefined {
  const target = posix.join(posix.dirname(file.path), name)
  const isBuildConfig = file.path === `${root}tsup.config.ts` && target === "tsup.base.js"
  return target.startsWith(root) || isBuildConfig ? undefined : `${name} leaves the package`
}

function nameComplaint(
  repository: Repository,
  manifest: Manifest,
  isShipped: boolean,
  name: string,
): string | undefined {
  // Which packages may know Node at all is the rule `ambient`.
  if (name.startsWith("node:")) return undefined
  const parts = name.split("/")
  const packageName = parts.slice(0, name.startsWith("@") ? 2 : 1).join("/")
  if (manifest.dependencies.includes(packageName)) return undefined
  if (isShipped) return `${packageName} is not in dependencies`
  const isOwnName = packageName === manifest.name
  const isTool = folderOf(repository, packageName) === undefined
  if (isOwnName || isTool || manifest.devDependencies.includes(packageName)) return undefined
  return `${packageName} is not in devDependencies`
}

/** The folder of one of our own packages by its npm name. */
function folderOf(repository: Repository, name: string): string | undefined {
  if (!name.startsWith("@rmr/")) return undefined
  const isOwn = (folder: string): boolean => manifestOf(repository, folder)?.name === name
  return packageFolders(repository).find(isOwn) ?? name
}
