/**
 * Modules that Debian's kernel leaves out, built from Debian's source of that kernel: iWARP in
 * software (siw), and RNBD over RTRS, the kernel's own block devices over RDMA.
 *
 * Headers, the kernel's build tools and its source are fetched as packages and unpacked, not
 * installed. It takes a quarter of a gigabyte for a while, and a minute.
 */
import * as fs from "node:fs"
import { join } from "node:path"
import type { Kernel } from "./kernel.js"
import { LabError, publish, runOrFail, tryToRun } from "./runs.js"

const QUERY_SECONDS = 60
const DOWNLOAD_SECONDS = 900
const UNPACK_SECONDS = 300
const BUILD_SECONDS = 600

/** Where their sources lie, the folder that each is built in, and what turns it on. */
const PARTS = [
  { from: "drivers/infiniband/sw/siw", to: "siw" },
  { from: "drivers/infiniband/ulp/rtrs", to: "rtrs" },
  { from: "drivers/block/rnbd", to: "rnbd" },
] as const
const SWITCHES = [
  ...["RDMA_SIW", "INFINIBAND_RTRS", "INFINIBAND_RTRS_CLIENT", "INFINIBAND_RTRS_SERVER"],
  ...["BLK_DEV_RNBD", "BLK_DEV_RNBD_CLIENT", "BLK_DEV_RNBD_SERVER"],
].map((name) => `CONFIG_${name}=m`)

/** Builds them among the kernel's own, unless they are there. */
export async function buildModules(kernel: Kernel, say: (line: string) => void): Promise<void> {
  const own = join(kernel.folder, "lib/modules", kernel.version)
  // They are there when the kernel's list of modules has them, which is the last step.
  if (fs.readFileSync(join(own, "modules.dep"), "utf8").includes("updates/")) return
  const work = `${kernel.folder}.${process.pid}`
  fs.rmSync(work, { recursive: true, force: true })
  fs.mkdirSync(join(work, "debs"), { recursive: true })
  try {
    say(`fetching the source of Linux ${kernel.version}`)
    const headers = await unpackSources(kernel, work)
    say("building modules that Debian leaves out")
    await build(headers, work, kernel.version)
    const draft = join(work, "updates")
    fs.mkdirSync(draft)
    for (const file of modulesIn(join(work, "parts"))) {
      fs.copyFileSync(file, join(draft, file.slice(file.lastIndexOf("/") + 1)))
    }
    publish(draft, join(own, "updates"))
    await runOrFail("depmod", ["-b", kernel.folder, kernel.version], { seconds: UNPACK_SECONDS })
  } finally {
    fs.rmSync(work, { recursive: true, force: true })
  }
}

/** Answers the folder of headers that modules are built against. */
async function unpackSources({ version }: Kernel, work: string): Promise<string> {
  const numbers = version.replace(/-amd64$/, "")
  const series = version.split(".").slice(0, 2).join(".")
  const headers = [`linux-headers-${version}`, `linux-headers-${numbers}-common`]
  const packages = [...headers, `linux-kbuild-${series}`, `linux-source-${series}`]
  const debs = join(work, "debs")
  await runOrFail("apt-get", ["download", ...packages], { cwd: debs, seconds: DOWNLOAD_SECONDS })
  for (const name of fs.readdirSync(debs)) {
    await runOrFail("dpkg", ["-x", join(debs, name), work], { seconds: UNPACK_SECONDS })
  }
  const source = `linux-source-${series}`
  const archive = join(work, "usr/src", `${source}.tar.xz`)
  const folders = PARTS.map(({ from }) => `${source}/${from}`)
  await runOrFail("tar", ["-C", work, "-xJf", archive, ...folders], { seconds: UNPACK_SECONDS })
  fs.mkdirSync(join(work, "parts"))
  for (const { from, to } of PARTS) {
    fs.renameSync(join(work, source, from), join(work, "parts", to))
  }
  return join(work, "usr/src", `linux-headers-${version}`)
}

async function build(headers: string, work: string, version: string): Promise<void> {
  for (const program of ["make", "gcc"]) {
    const { ok } = await tryToRun(program, ["--version"], { seconds: QUERY_SECONDS })
    if (!ok)
      throw new LabError(`modules of Linux ${version} are built with a ${program} that works`)
  }
  // Headers name their other half by where it would be installed.
  const makefile = join(headers, "Makefile")
  const text = fs.readFileSync(makefile, "utf8")
  fs.writeFileSync(makefile, text.replaceAll(" /usr/src/", ` ${work}/usr/src/`))
  const parts = join(work, "parts")
  const rnbd = join(parts, "rnbd", "Makefile")
  const flags = "ccflags-y := -I$(src)/../rtrs"
  fs.writeFileSync(rnbd, fs.readFileSync(rnbd, "utf8").replace(/^ccflags-y.*$/m, flags))
  fs.writeFileSync(
    join(parts, "Makefile"),
    `obj-m += ${PARTS.map(({ to }) => `${to}/`).join(" ")}\n`,
  )
  const args = ["-C", headers, `M=${parts}`, ...SWITCHES, "-j2", "modules"]
  await runOrFail("make", args, { seconds: BUILD_SECONDS })
}

function modulesIn(folder: string): string[] {
  return fs
    .readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ko"))
    .map((name) => join(folder, name))
}
