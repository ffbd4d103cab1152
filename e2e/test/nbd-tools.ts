/**
 * The programs with which these tests use a device, and what is compared afterwards.
 *
 * A tool that this machine lacks is said in the title of what is skipped, with its package.
 */
import { accessSync, closeSync, constants, openSync, readSync, writeFileSync } from "node:fs"
import { delimiter, join } from "node:path"
import { failureText, type RunResult, run } from "../../tools/setup/run.js"
import { type PoolProcesses, until } from "./pool-processes.js"
import { rmr } from "./rmr-program.js"

export const MIB: number = 1024 * 1024
/** The long shares have loads of ten minutes. */
const TOOL_MS_MAX = isLong() ? 900_000 : 120_000
/** A load that has written so much is in its middle. */
const LOAD_BYTES = 4 * MIB

const PACKAGES = {
  nbdinfo: "libnbd-bin",
  nbdcopy: "libnbd-bin",
  nbdfuse: "libnbd-bin",
  nbdsh: "python3-libnbd",
  "qemu-img": "qemu-utils",
  "qemu-io": "qemu-utils",
  "qemu-storage-daemon": "qemu-system-common",
  "qemu-system-x86_64": "qemu-system-x86",
  busybox: "busybox-static",
  depmod: "kmod",
  mdadm: "mdadm",
  drbdsetup: "drbd-utils",
  "nbd-client": "nbd-client",
  make: "make",
  gcc: "gcc",
  fio: "fio",
  losetup: "mount",
  mount: "mount",
  umount: "mount",
  unshare: "util-linux",
  setpriv: "util-linux",
  nbdkit: "nbdkit",
  fusermount3: "fuse3",
  "mkfs.ext4": "e2fsprogs",
  "fsck.ext4": "e2fsprogs",
  script: "bsdutils",
} as const
export type Tool = keyof typeof PACKAGES

/** Programs of the system come first: nbdsh is a module of the system's own Python. */
const SYSTEM_PATH = ["/usr/bin", "/usr/sbin", "/sbin"].join(delimiter)
const TOOL_ENV = {
  ...process.env,
  PATH: `${SYSTEM_PATH}${delimiter}${process.env["PATH"] ?? ""}`,
  LC_ALL: "C",
}

/** What is missing, for the title of a skipped test; empty where all of them are there. */
export function missing(...tools: Tool[]): string {
  return tools
    .filter((tool) => !isInstalled(tool))
    .map((tool) => `${tool} is not installed (package ${PACKAGES[tool]})`)
    .join(", ")
}

/** Whether what takes minutes is run as well. */
export function isLong(): boolean {
  return (process.env["RMR_LONG"] ?? "") !== ""
}

/** A test that needs something of this machine; why it is skipped is part of its title. */
export function itWhere(title: string, why: string, test: () => Promise<void>): void {
  if (why === "") it(title, test)
  else it.skip(`${title} (skipped: ${why})`, test)
}

/** What the tool printed; fails where it fails, with what it said. */
export async function tool(folder: string, name: Tool, ...args: string[]): Promise<string> {
  const result = await tried(folder, name, ...args)
  if (!result.ok) throw new Error(failureText(result))
  return result.output
}

/** Runs it in the folder, since some leave files where they are. */
export function tried(folder: string, name: Tool, ...args: string[]): Promise<RunResult> {
  return run(name, args, { timeoutMs: TOOL_MS_MAX, cwd: folder, env: TOOL_ENV })
}

/** Runs lines as a person pastes them into a shell; the first that fails ends them. */
export function pasted(folder: string, lines: readonly string[]): Promise<RunResult> {
  const program = ["set -euo pipefail", ...lines].join("\n")
  return run("bash", ["-c", program], { timeoutMs: TOOL_MS_MAX, cwd: folder, env: TOOL_ENV })
}

/** A script with `h`, connected to the export; `fails` expects a refusal by its errno. */
export function nbdsh(folder: string, uri: string, script: string): Promise<string> {
  const preamble = `
h.set_strict_mode(0)
def fails(errno, f):
    try:
        f()
    except nbd.Error as e:
        assert e.errno == errno, "%s, not %s" % (e.errno, errno)
        return
    assert False, "it was not refused with " + errno
h.add_meta_context("base:allocation")
h.connect_uri("${uri}")
size = h.get_size()
`
  return tool(folder, "nbdsh", "-c", `${preamble}${script}\nh.shutdown()`)
}

/** fio on an export. It keeps no state file; whatever else it leaves is in the folder. */
export function fio(folder: string, uri: string, ...args: string[]): Promise<string> {
  const engine = ["--name=load", "--ioengine=nbd", `--uri=${uri}`, "--eta=never"]
  return tool(folder, "fio", ...engine, "--verify_state_save=0", "--randrepeat=0", ...args)
}

/** Bytes that are the same whenever the seed is; as many as are whole words. */
export function seededBytes(seed: number, bytes: number): Buffer {
  // Names of its own: in a test, looking for a global one costs more than all the rest.
  const { imul } = Math
  const words = new Uint32Array(bytes >>> 2)
  const count = words.length
  let state = seed
  for (let nth = 0; nth < count; nth++) {
    state = (imul(state, 1_664_525) + 1_013_904_223) | 0
    words[nth] = state
  }
  return Buffer.from(words.buffer)
}

export function seededFile(folder: string, name: string, bytes: number, seed = 1): string {
  const path = join(folder, name)
  writeFileSync(path, seededBytes(seed, bytes))
  return path
}

/**
 * Repeats a load, kills one storage node of the pool in the middle of a round, and goes on until
 * that round and one more are over. Answers the stores of those that live.
 */
export async function withVictim(
  pool: PoolProcesses,
  victim: number,
  round: (nth: number) => Promise<unknown>,
): Promise<string[]> {
  let roundsLeft = Number.POSITIVE_INFINITY
  const load = async (): Promise<void> => {
    for (let nth = 0; roundsLeft > 0; nth++, roundsLeft--) await round(nth)
  }
  const before = (await pool.client.status()).client?.nbd.writtenBytes ?? 0
  let hasFailed = false
  const rounds = load()
  rounds.catch(() => {
    hasFailed = true
  })
  await until("a load is in its middle", pool.client, ({ client }) => {
    return hasFailed || (client?.nbd.writtenBytes ?? 0) > before + LOAD_BYTES
  })
  await pool.storage[victim]!.kill()
  roundsLeft = 2
  await rounds
  return pool.stores.filter((_, nth) => nth !== victim)
}

/** Stores that were closed cleanly hold the same volume. */
export async function expectSameStores(paths: readonly string[]): Promise<void> {
  const [first = "", ...others] = paths
  const volumes = await Promise.all([first, ...others].map(placeOfVolume))
  const [reference] = volumes
  for (const other of volumes.slice(1)) expectSameVolume(reference!, other)
}

interface VolumePlace {
  readonly path: string
  readonly start: number
  readonly bytes: number
}

async function placeOfVolume(path: string): Promise<VolumePlace> {
  const result = await rmr("store", "inspect", path, "--json")
  if (!result.ok) throw new Error(failureText(result))
  const { dataStart, sizeBytes, isClean } = JSON.parse(result.stdout).superblock
  expect(isClean).toBe(true)
  return { path, start: dataStart, bytes: sizeBytes }
}

function expectSameVolume(one: VolumePlace, other: VolumePlace): void {
  expect(other.bytes).toBe(one.bytes)
  const pieces = [Buffer.alloc(MIB), Buffer.alloc(MIB)] as const
  const files = [openSync(one.path, "r"), openSync(other.path, "r")] as const
  try {
    for (let at = 0; at < one.bytes; at += MIB) {
      const bytes = Math.min(MIB, one.bytes - at)
      readSync(files[0], pieces[0], 0, bytes, one.start + at)
      readSync(files[1], pieces[1], 0, bytes, other.start + at)
      if (pieces[0].compare(pieces[1], 0, bytes, 0, bytes) === 0) continue
      const first = pieces[0].findIndex((byte, nth) => byte !== pieces[1][nth])
      throw new Error(`${one.path} and ${other.path} differ at byte ${at + first} of the volume`)
    }
  } finally {
    for (const file of files) closeSync(file)
  }
}

function isInstalled(name: Tool): boolean {
  return TOOL_ENV.PATH.split(delimiter).some((place) => {
    try {
      accessSync(join(place, name), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
