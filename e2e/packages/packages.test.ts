/**
 * Every package works alone, as published: nothing is missing from its tarball, its types are right
 * for those who compile against it, and a small program does something real with it.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  closureOf,
  compileAndRun,
  consumerOf,
  importedBy,
  install,
  PACKAGES,
  pack,
  strangersOf,
  type Tarball,
  tool,
} from "./tarballs.js"

const UNWANTED = /\.tsbuildinfo$|\.d\.ts\.map$|\.test\.|^src\/|^test\//

// Packing builds, and installing starts a package manager.
jest.setTimeout(300_000)

let folder = ""
let tarballs: Tarball[] = []

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "rmr-packages-"))
  for (const name of PACKAGES) tarballs.push(await pack(name, folder))
})

afterAll(() => {
  tarballs = []
  rmSync(folder, { recursive: true, force: true })
})

describe.each(PACKAGES)("%s", (name) => {
  const tarball = (): Tarball => {
    const found = tarballs.find((candidate) => candidate.folder === name)
    if (found === undefined) throw new Error(`${name} was not packed`)
    return found
  }

  it("ships what it says and a licence, and nothing else", () => {
    const { files, manifest } = tarball()
    const promised = Object.values(manifest.exports).flatMap((entry) => Object.values(entry))
    expect(files).toEqual(expect.arrayContaining(promised.map((file) => file.slice(2))))
    expect(files).toContain("LICENSE")
    expect(files.filter((file) => UNWANTED.test(file))).toEqual([])
  })

  it("names versions, and nothing of this workspace", () => {
    const { manifest } = tarball()
    const ranges = { ...manifest.dependencies, ...manifest.peerDependencies }
    for (const range of Object.values(ranges)) expect(range).toMatch(/^[\^~>=\d][\d.<>=^~ |]*$/)
  })

  it("has nothing that publint complains about", async () => {
    const { output } = await tool("publint", "run", tarball().path, "--strict")
    expect(output).toContain("All good")
  })

  it("has types that are right for everyone who can import it", async () => {
    const quiet = ["--no-definitely-typed", "--no-emoji", "--no-color"]
    const { output } = await tool("attw", tarball().path, "--profile", "esm-only", ...quiet)
    expect(output).toContain(`${tarball().name} v`)
  })

  it("installs into an empty project, compiles there and does something real", async () => {
    expect(existsSync(consumerOf(name))).toBe(true)
    const project = join(folder, `project-${name}`)
    const asked = [...new Set([tarball(), ...importedBy(consumerOf(name), tarballs)])]
    const needed = [...new Set(asked.flatMap((one) => closureOf(one, tarballs)))]
    await install(project, asked, needed, join(folder, `cache-${name}`))
    await compileAndRun(project, consumerOf(name))
  })
})

describe("rmr-core", () => {
  it("needs nothing of anybody", () => {
    const core = tarballs.filter(({ folder: name }) => name === "rmr-core")
    expect(core).toHaveLength(1)
    expect(strangersOf(core)).toEqual([])
    expect(closureOf(core[0]!, tarballs)).toEqual(core)
  })
})
