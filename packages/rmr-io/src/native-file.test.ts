/**
 * Which file of the addon is taken: what was built here before the prebuild of this machine, what
 * cannot be used is passed over, and the reason names each file and what to do.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { libcOf, loadFirst, type Machine, nativeFiles } from "./native-file.js"

const MACHINE: Machine = { platform: "linux", arch: "x64", uv: "1", libc: "glibc" }

let folder = ""
let built = ""
let prebuilt = ""

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rmr-native-"))
  built = join(folder, "built.node")
  prebuilt = join(folder, "prebuilt.node")
})

afterEach(() => rmSync(folder, { recursive: true }))

/** A file says which version it is of. */
function load(files: Readonly<Record<string, number>>) {
  for (const [path, version] of Object.entries(files)) writeFileSync(path, `${version}`)
  return loadFirst([built, prebuilt], 8, (path) => {
    const version = files[path]
    if (version === undefined || version === 0) throw new Error("wrong ELF class")
    return { version }
  })
}

describe("which file is taken", () => {
  it("what was built here, before what came in the tarball", () => {
    expect(load({ [built]: 8, [prebuilt]: 8 })).toEqual({ addon: { version: 8 }, reason: built })
    rmSync(built)
    expect(load({ [prebuilt]: 8 })).toEqual({ addon: { version: 8 }, reason: prebuilt })
  })

  it("the prebuild, where what was built is of other sources; and that is said", () => {
    const { addon, reason } = load({ [built]: 7, [prebuilt]: 8 })
    expect(addon).toEqual({ version: 8 })
    expect(reason).toBe(`${prebuilt}; not ${built}: it is version 7, and 8 is needed`)
  })

  it("none, where neither will do, with a reason for each and what to do", () => {
    const { addon, reason } = load({ [built]: 0, [prebuilt]: 9 })
    expect(addon).toBeUndefined()
    expect(reason).toContain(`${built}: it cannot be loaded: wrong ELF class; `)
    expect(reason).toContain(`${prebuilt}: it is version 9, and 8 is needed; `)
    expect(reason).toMatch(/"node .*\/native\/build\.mjs" builds one for this machine$/)
    rmSync(prebuilt)
    expect(load({ [built]: 0 }).reason).toContain(`there is no ${prebuilt}`)
  })

  it("none on another system, where nothing could be built either", () => {
    expect(nativeFiles({ ...MACHINE, platform: "darwin" })).toEqual([])
    expect(loadFirst([], 8)).toEqual({ addon: undefined, reason: "the native addon is for Linux" })
  })

  it("a prebuild by processor, libuv and C library", () => {
    const last = (machine: Machine) => nativeFiles(machine).at(-1)
    const musl = last({ ...MACHINE, arch: "arm64", libc: "musl" })
    expect(last(MACHINE)).toMatch(/\/prebuilds\/linux-x64\/rmr-io\.napi\.uv1\.glibc\.node$/)
    expect(musl).toMatch(/\/prebuilds\/linux-arm64\/rmr-io\.napi\.uv1\.musl\.node$/)
  })
})

it.each([
  ["glibc", "7f7 r-xp 00000000 08:01 7 /usr/lib/x86_64-linux-gnu/libc.so.6"],
  ["glibc", "7f7 r-xp 00000000 08:01 7 /lib/x86_64-linux-gnu/libc-2.31.so\n7f8 rw-p 0 0:0 0"],
  ["musl", "7f7 r-xp 00000000 08:01 7 /lib/ld-musl-x86_64.so.1"],
  ["musl", "7f7 r-xp 00000000 08:01 7 /usr/lib/libc.so"],
  ["musl", ""],
] as const)("the C library is %s, by what is mapped", (libc, maps) => {
  expect(libcOf(`${maps}\n7f9 r-xp 00000000 08:01 9 /usr/bin/node\n`)).toBe(libc)
})
