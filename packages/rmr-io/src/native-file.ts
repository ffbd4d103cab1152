/**
 * The file of the native addon: where it may lie, and which one is taken.
 *
 * What was built here comes first, since whoever built it wants it; then the prebuild that came in
 * the tarball (ADR 19). A file that cannot be loaded, or is of another state of the sources, is
 * passed over, and the reason says so. A prebuild is asked for by the C library that this process
 * runs on: musl loads what was made for glibc, and the two mean different things by the same bytes.
 *
 * This file lies directly in `src`, so that `native` and `prebuilds` are beside its folder both as
 * source and as built.
 */
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

/** What a file has to fit. */
export interface Machine {
  readonly platform: string
  readonly arch: string
  /** The first number of libuv's version, whose functions the addon calls beside Node-API. */
  readonly uv: string
  readonly libc: "glibc" | "musl"
}

export interface Loaded<A> {
  readonly addon: A | undefined
  /** The file that is loaded, or why none is. */
  readonly reason: string
}

const BUILDER = pathOf("native/build.mjs")

export function thisMachine(): Machine {
  const { platform, arch } = process
  const uv = process.versions.uv.split(".")[0] ?? ""
  return { platform, arch, uv, libc: platform === "linux" ? libcOf(mappedFiles()) : "glibc" }
}

/** As native/build.mjs and native/prebuild.mjs name them; none where there is no addon at all. */
export function nativeFiles({ platform, arch, uv, libc }: Machine): readonly string[] {
  if (platform !== "linux") return []
  return [
    pathOf(`native/build/rmr-io-${platform}-${arch}.node`),
    pathOf(`prebuilds/${platform}-${arch}/rmr-io.napi.uv${uv}.${libc}.node`),
  ]
}

/** What `native/build.mjs --sanitize` makes. */
export function sanitizedFiles({ platform, arch }: Machine): readonly string[] {
  return platform === "linux"
    ? [pathOf(`native/build/rmr-io-${platform}-${arch}-sanitized.node`)]
    : []
}

/** By what a process has mapped, as /proc/self/maps lists it. Nothing of glibc: it is musl. */
export function libcOf(maps: string): Machine["libc"] {
  return /\/libc(\.so\.6|-2\.\d+\.so)$/m.test(maps) ? "glibc" : "musl"
}

/** The first of these files that loads and has this version; each other one is in the reason. */
export function loadFirst<A extends { readonly version: number }>(
  paths: readonly string[],
  version: number,
  open: (path: string) => A = openAddon,
): Loaded<A> {
  if (paths.length === 0) return { addon: undefined, reason: "the native addon is for Linux" }
  const failures: string[] = []
  for (const path of paths.filter((each) => existsSync(each))) {
    const addon = opened(path, version, open)
    if (typeof addon !== "string") return { addon, reason: [path, ...failures].join("; not ") }
    failures.push(addon)
  }
  const missing = paths.filter((path) => !existsSync(path)).map((path) => `there is no ${path}`)
  const help = `"node ${BUILDER}" builds one for this machine`
  return { addon: undefined, reason: [...failures, ...missing, help].join("; ") }
}

/** Or why not. */
function opened<A extends { readonly version: number }>(
  path: string,
  version: number,
  open: (path: string) => A,
): A | string {
  try {
    const addon = open(path)
    if (addon.version === version) return addon
    return `${path}: it is version ${addon.version}, and ${version} is needed`
  } catch (thrown) {
    return `${path}: it cannot be loaded: ${(thrown as Error).message}`
  }
}

function openAddon<A>(path: string): A {
  const loading = { exports: {} as A }
  process.dlopen(loading, path)
  return loading.exports
}

function mappedFiles(): string {
  try {
    return readFileSync("/proc/self/maps", "latin1")
  } catch {
    return ""
  }
}

function pathOf(file: string): string {
  return fileURLToPath(new URL(`../${file}`, import.meta.url))
}
