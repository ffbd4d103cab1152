/**
 * The lab: a Debian kernel in throw-away guests, for what the host's kernel cannot do or must not
 * be asked to.
 *
 * Guests see the host's root as it is, with whatever is built there, and keep what they write to
 * themselves. What is prepared once is kept in a cache folder, for the kernel that Debian has now.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { homedir, tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { type Accelerator, acceleratorFor, BY_KVM, COUNTED } from "./accelerator.js"
import { runGuest } from "./guest.js"
import { writeInitramfs } from "./initramfs.js"
import { currentKernel, type Kernel } from "./kernel.js"
import { buildModules } from "./modules.js"
import { checkRoom, type Peer, type Rdma, type RdmaKind, rdmaOf } from "./peers.js"
import { LabError } from "./runs.js"
import { quoted } from "./shell.js"
import { type Wire, wireIn } from "./wire.js"

const PROBE_SECONDS = 20
const MEMORY_MIB = 2048
const PROCESSORS = 2
const [SOFT_RDMA, PEERS] = ["soft-rdma.sh", "peers.sh"].map((name) => {
  return fileURLToPath(new URL(name, import.meta.url))
}) as [string, string]

export interface Lab {
  readonly kernel: Kernel
  readonly initramfs: string
  readonly accelerator: Accelerator
}

export interface LabRun {
  /** One word is a line for a shell; several are a program and its arguments. */
  readonly command: readonly string[]
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  readonly seconds: number
  /** On one wire; each runs the command, and GUEST says which it is. Default 1. */
  readonly guests?: number
  readonly memoryMib?: number
  readonly processors?: number
  /** Its clocks count instructions (accelerator.ts). */
  readonly isCounted?: boolean
  readonly rdma?: Rdma
  /** Each of several guests has such a device on the wire, at 10.70.0.GUEST. */
  readonly rdmaOnWire?: RdmaKind
  /** PEER_DEVICE is its path, PEER_COPIES are where its copies are. */
  readonly peer?: Peer
  readonly onSaid: (guest: number, bytes: Buffer) => void
  /** The wire between guests is there. */
  readonly onWire?: (wire: Wire) => void
}

/**
 * Fetches and builds what is not there yet, with modules that Debian leaves out where they are
 * wanted. Fails with `LabError`, which says what is missing.
 */
export async function prepareLab(
  say: (line: string) => void,
  { isWithMore = false } = {},
): Promise<Lab> {
  if (process.arch !== "x64") throw new LabError(`the lab is for x64, and this is ${process.arch}`)
  if (process.getuid?.() !== 0) throw new LabError("the lab shares the root with guests: be root")
  const cache = cacheFolder()
  mkdirSync(cache, { recursive: true })
  const kernel = await currentKernel(cache, say)
  if (isWithMore) await buildModules(kernel, say)
  const initramfs = join(cache, `${kernel.version}.cpio`)
  writeInitramfs(kernel, initramfs)
  const boots = async (accelerator: Accelerator): Promise<boolean> => {
    say("trying whether KVM boots this kernel")
    return tryToBoot({ kernel, initramfs, accelerator })
  }
  return { kernel, initramfs, accelerator: await acceleratorFor(kernel, cache, boots) }
}

function cacheFolder(): string {
  const { XDG_CACHE_HOME: cache } = process.env
  return join(cache === undefined || cache === "" ? join(homedir(), ".cache") : cache, "rmr-lab")
}

async function tryToBoot(lab: Lab): Promise<boolean> {
  const run: LabRun = {
    ...{ command: ["true"], cwd: "/", seconds: PROBE_SECONDS },
    onSaid: () => undefined,
  }
  try {
    return (await runInLab(lab, run)) === 0
  } catch (error) {
    // That it does not boot is what is asked; anything else fails again with emulation.
    if (error instanceof LabError) return false
    throw error
  }
}

/** The first exit code that is not 0, in the order of guests. */
export async function runInLab(lab: Lab, run: LabRun): Promise<number> {
  if (run.peer !== undefined) checkRoom(run.peer, run.memoryMib ?? MEMORY_MIB)
  const folder = mkdtempSync(join(tmpdir(), "rmr-lab-"))
  const count = run.guests ?? 1
  const wire = count > 1 ? await wireIn(folder, count) : undefined
  if (wire !== undefined) run.onWire?.(wire)
  try {
    const numbers = Array.from({ length: count }, (_, nth) => nth + 1)
    // All of them end before their folders are gone, also where one fails.
    const ends = await Promise.allSettled(
      numbers.map((number) => runOne(lab, run, join(folder, `guest-${number}`), number, wire)),
    )
    const failed = ends.find((end) => end.status === "rejected")
    if (failed !== undefined) throw failed.reason
    const codes = ends.map((end) => (end.status === "fulfilled" ? end.value : 0))
    return codes.find((code) => code !== 0) ?? 0
  } finally {
    await wire?.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

function runOne(
  lab: Lab,
  run: LabRun,
  share: string,
  number: number,
  wire: Wire | undefined,
): Promise<number> {
  return runGuest({
    ...lab,
    ...(run.isCounted === true ? { accelerator: COUNTED } : {}),
    share,
    script: scriptOf(run, number, wire !== undefined),
    // Emulation is slow, and whoever gives a limit thinks of the command, not of the boot.
    seconds: run.seconds + (lab.accelerator === BY_KVM ? 10 : 30),
    memoryMib: run.memoryMib ?? MEMORY_MIB,
    processors: run.processors ?? PROCESSORS,
    ...(wire === undefined ? {} : { wire: { path: wire.pathFor(number), number } }),
    onSaid: (bytes) => run.onSaid(number, bytes),
  })
}

function scriptOf(run: LabRun, number: number, isWired: boolean): string {
  const { command, cwd, env, peer, rdmaOnWire } = run
  const rdma = rdmaOf(peer, run.rdma)
  const [first = "true"] = command
  const line = command.length > 1 ? command.map(quoted).join(" ") : first
  const settings = Object.entries({ ...env, GUEST: String(number) })
  const orEnd = (words: string, lacking: string): string => {
    return `${words} || { echo 'lab: no ${lacking}'; exit 97; }`
  }
  return [
    `. ${quoted(SOFT_RDMA)}`,
    ...settings.map(([name, value]) => `export ${name}=${quoted(value)}`),
    ...(isWired ? [orEnd("wire_up", "wire")] : []),
    ...(rdmaOnWire === undefined ? [] : [orEnd(`rdma_on_wire ${rdmaOnWire}`, "RDMA on the wire")]),
    ...(rdma === undefined ? [] : [orEnd(`soft_rdma ${rdma.count} ${rdma.kind}`, "soft RDMA")]),
    ...(peer === undefined
      ? []
      : [`. ${quoted(PEERS)}`, orEnd(`peer ${peer.kind} ${peer.mib}`, peer.kind)]),
    `cd ${quoted(cwd)} || exit 97`,
    line,
    "",
  ].join("\n")
}
