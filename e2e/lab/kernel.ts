/**
 * The guest's kernel: what Debian ships today, unpacked into a folder and not installed.
 *
 * Its name carries a number that changes with every update, and old ones leave the archive, so apt
 * is asked what the metapackage stands for.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { LabError, publish, runOrFail, tryToRun } from "./runs.js"

const METAPACKAGE = "linux-image-amd64"
const QUERY_SECONDS = 60
const DOWNLOAD_SECONDS = 600
const UNPACK_SECONDS = 120

export interface Kernel {
  /** Of its modules, as `uname -r` says it. */
  readonly version: string
  /** What the package has in its root. */
  readonly folder: string
  readonly image: string
}

/** Unpacks it below `cache`, unless it is there. */
export async function currentKernel(cache: string, say: (line: string) => void): Promise<Kernel> {
  const name = await currentPackage()
  const folder = join(cache, name)
  if (!existsSync(folder)) {
    say(`fetching ${name}`)
    const draft = `${folder}.${process.pid}`
    rmSync(draft, { recursive: true, force: true })
    mkdirSync(draft, { recursive: true })
    await runOrFail("apt-get", ["download", name], { cwd: draft, seconds: DOWNLOAD_SECONDS })
    const archive = readdirSync(draft).find((file) => file.endsWith(".deb"))
    if (archive === undefined) throw new LabError(`apt-get brought no package of ${name}`)
    const root = join(draft, "root")
    await runOrFail("dpkg", ["-x", join(draft, archive), root], { seconds: UNPACK_SECONDS })
    const modules = onlyOf(join(root, "lib/modules"))
    await runOrFail("depmod", ["-b", root, modules], { seconds: UNPACK_SECONDS })
    rmSync(join(draft, archive))
    publish(draft, folder)
  }
  return kernelIn(join(folder, "root"))
}

/** What the metapackage depends on; the lists of packages may have to be read first. */
async function currentPackage(): Promise<string> {
  const known = await dependency()
  if (known !== undefined) return known
  await runOrFail("apt-get", ["update"], { seconds: DOWNLOAD_SECONDS })
  const found = await dependency()
  if (found === undefined) throw new LabError(`apt knows no ${METAPACKAGE}: is this Debian, amd64?`)
  return found
}

async function dependency(): Promise<string | undefined> {
  const words = ["depends", "--important", METAPACKAGE]
  const { output } = await tryToRun("apt-cache", words, { seconds: QUERY_SECONDS })
  return /Depends: (linux-image-\S+-amd64)/.exec(output)?.[1]
}

function kernelIn(folder: string): Kernel {
  const version = onlyOf(join(folder, "lib/modules"))
  return { version, folder, image: join(folder, "boot", `vmlinuz-${version}`) }
}

function onlyOf(folder: string): string {
  const names = readdirSync(folder)
  const [name] = names
  if (name === undefined || names.length > 1) {
    throw new LabError(`${folder} has ${names.length} entries, and one was expected`)
  }
  return name
}

/** Files of these modules and of what they need, in the order in which they are loaded. */
export function modulesFor({ folder, version }: Kernel, names: readonly string[]): string[] {
  const own = join(folder, "lib/modules", version)
  const needs = new Map<string, readonly string[]>()
  for (const line of readFileSync(join(own, "modules.dep"), "utf8").split("\n")) {
    const [file, rest] = line.split(":")
    if (file !== undefined && rest !== undefined) needs.set(file, rest.split(" ").filter(Boolean))
  }
  const ordered = new Set<string>()
  const add = (file: string): void => {
    for (const needed of needs.get(file) ?? []) add(needed)
    ordered.add(file)
  }
  for (const name of names) {
    const file = [...needs.keys()].find((path) => path.endsWith(`/${name}.ko`))
    if (file === undefined) throw new LabError(`Linux ${version} has no module ${name}`)
    add(file)
  }
  return [...ordered].map((file) => join(own, file))
}
