/**
 * Every package works alone, as published: nothing is missing from its tarball, its types are right
 * for those who compile against it, and a small program does something real with it. The native
 * addon comes with its tarball, on a machine where nothing can be compiled.
 */
import { spawnSync } from "node:child_process"
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { at } from "../../tools/setup/paths.js"
import { bareEnv, copyOfSources, runNode, useOf, versionIn } from "./bare-machine.js"
import {
  closureOf,
  compile,
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

/** Who uses it for others' packages finds our prebuilds with it, too. */
const nodeGypBuild = createRequire(at("e2e/package.json"))("node-gyp-build") as {
  path(folder: string): string
}

const whyNoPrebuild = ((): string => {
  const args = [at("packages/rmr-io/native/build.mjs"), "--prebuild"]
  const { status, stdout } = spawnSync(process.execPath, args, { encoding: "utf8" })
  return status === 0 ? "" : stdout.trim()
})()

function prebuilt(title: string, test: () => Promise<void>): void {
  if (whyNoPrebuild === "") it(title, test)
  else it.skip(`${title} (skipped: ${whyNoPrebuild})`, test)
}

describe("the native addon of rmr-io, where nothing can be compiled", () => {
  let project = ""
  let installed = ""
  let env: NodeJS.ProcessEnv = {}
  /** Of this machine, as somebody else finds it. */
  let prebuild = ""

  beforeAll(async () => {
    project = join(folder, "bare")
    installed = join(project, "node_modules/@rmr/io")
    env = bareEnv(join(folder, "bin"))
    const asked = tarballs.filter(({ name }) => ["@rmr/core", "@rmr/io"].includes(name))
    await install(project, asked, asked, join(folder, "cache-bare"), env)
    await compile(project, at("e2e/packages/native-user.ts"))
    if (whyNoPrebuild === "") prebuild = nodeGypBuild.path(installed)
  })

  beforeEach(() => rmSync(join(project, "block"), { force: true }))

  const use = async (native = "on") => {
    const result = await runNode(project, ["program.js"], { ...env, RMR_NATIVE: native })
    expect(readFileSync(join(project, "block")).equals(Buffer.alloc(4096, 7))).toBe(true)
    return useOf(result)
  }

  const spoiling = async (change: () => void, test: () => Promise<void>) => {
    const kept = readFileSync(prebuild)
    try {
      change()
      await test()
    } finally {
      writeFileSync(prebuild, kept)
    }
  }

  it("nothing was compiled, and nothing can be", async () => {
    expect(existsSync(join(installed, "native/build"))).toBe(false)
    const result = await runNode(installed, ["native/build.mjs"], env)
    expect(result).toMatchObject({ code: 3 })
    expect(result.output).toContain("there is no C compiler")
  })

  prebuilt(
    "the prebuild is loaded, the one that node-gyp-build finds, and moves bytes",
    async () => {
      expect(prebuild).toContain("prebuilds")
      const { sum } = await use("off")
      rmSync(join(project, "block"))
      const native = await use("required")
      expect(native).toMatchObject({ isLoaded: true, reason: prebuild, ended: "0,0", sum })
      expect(native.checksum).not.toBe("javascript")
    },
  )

  prebuilt("the twin takes over where the prebuild is gone, and says what to do", async () => {
    await spoiling(
      () => rmSync(prebuild),
      async () => {
        const { isLoaded, reason, ended, unmap } = await use()
        expect({ isLoaded, ended, unmap }).toEqual({ isLoaded: false, ended: "0,0", unmap: false })
        expect(reason).toContain(`there is no ${prebuild}`)
        expect(reason).toContain(`"node ${join(installed, "native/build.mjs")}" builds one`)
        const refused = await runNode(project, ["program.js"], { ...env, RMR_NATIVE: "required" })
        expect(refused).toMatchObject({ ok: false })
        expect(refused.output).toContain(`RMR_NATIVE=required: ${reason}`)
      },
    )
  })

  prebuilt("the twin takes over where the prebuild is for another processor", async () => {
    const bytes = readFileSync(prebuild)
    bytes.writeUInt16LE(bytes.readUInt16LE(18) === 183 ? 62 : 183, 18)
    await spoiling(
      () => writeFileSync(prebuild, bytes),
      async () => {
        const { isLoaded, reason, ended } = await use()
        expect({ isLoaded, ended }).toEqual({ isLoaded: false, ended: "0,0" })
        expect(reason).toContain(`${prebuild}: it cannot be loaded: `)
      },
    )
  })

  it("a word that RMR_NATIVE does not have is refused, and not taken for another", async () => {
    const refused = await runNode(project, ["program.js"], { ...env, RMR_NATIVE: "require" })
    expect(refused).toMatchObject({ ok: false })
    expect(refused.output).toContain("RMR_NATIVE=require: it is off, on or required")
  })

  prebuilt(
    "a prebuild of other sources is not packed, and one that lacks not released",
    async () => {
      const gather = copyOfSources(installed, join(folder, "sources"))
      expect(await runNode(folder, [gather], env)).toMatchObject({ ok: true })
      rmSync(join(folder, "sources/prebuilds/linux-x64/rmr-io.napi.uv1.musl.node"), { force: true })
      const released = await runNode(folder, [gather, "--release"], env)
      expect(released).toMatchObject({ code: 1 })
      expect(released.output).toContain(
        "x64/rmr-io.napi.uv1.musl.node: a release has it, and it is not there",
      )
      appendFileSync(join(folder, "sources/native/addon.c"), "\n")
      const stale = await runNode(folder, [gather], env)
      expect(stale).toMatchObject({ code: 1 })
      expect(stale.output).toContain("it was made of other sources")
    },
  )

  it("sources in C and in TypeScript are of the same version", () => {
    const inC = versionIn("packages/rmr-io/native/addon.c", /RMR_NATIVE_VERSION (\d+)/)
    const inTs = versionIn("packages/rmr-io/src/native-addon.ts", /NATIVE_VERSION = (\d+)/)
    expect(inC).toBeGreaterThan(0)
    expect(inTs).toBe(inC)
  })
})
