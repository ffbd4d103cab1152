/**
 * An export as a mounted file system, without a kernel's NBD: nbdfuse shows it as a file, a loop
 * device makes that a disk. Whatever was begun is ended in reverse order, also where a test fails.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { whyNoMount } from "./mounts.js"
import { missing, tool, tried } from "./nbd-tools.js"

const READY_MS_MAX = 20_000
const END_MS_MAX = 20_000
const BLOCK_BYTES = 4096

/** Why this machine cannot do that; empty where it can. */
export function whyNoFileSystem(): string {
  const why = whyNoMount() || missing("nbdfuse", "losetup", "mkfs.ext4", "fsck.ext4")
  return why || whyNotIn(["ext4", "fuse"], ["/dev/fuse", "/dev/loop-control"])
}

/** Why no process can show a file of its own here; empty where one can. */
export function whyNoFuse(): string {
  const why = whyNoMount() || missing("nbdfuse", "nbdkit")
  return why || whyNotIn(["fuse"], ["/dev/fuse"])
}

function whyNotIn(fileSystems: readonly string[], devices: readonly string[]): string {
  const known = readFileSync("/proc/filesystems", "utf8")
  const lacking = fileSystems.filter((name) => !new RegExp(`\\b${name}$`, "m").test(known))
  if (lacking.length > 0) return `the kernel has no ${lacking.join(" and no ")}`
  for (const device of devices) {
    try {
      closeSync(openSync(device, "r+"))
    } catch (thrown) {
      return `${device} cannot be opened: ${(thrown as NodeJS.ErrnoException).code}`
    }
  }
  return ""
}

export class FileSystem {
  /** Where it is mounted. */
  readonly place: string
  private readonly folder: string
  private readonly fuse: string
  private child: ChildProcess | undefined
  private loop = ""
  private isMounted = false

  constructor(folder: string) {
    this.folder = folder
    this.place = join(folder, "mounted")
    this.fuse = join(folder, "fuse")
    for (const path of [this.place, this.fuse]) mkdirSync(path)
  }

  /** The export is a disk from here on. */
  async attach(uri: string): Promise<void> {
    const file = join(this.fuse, "disk")
    const child = spawn("nbdfuse", [file, uri], { stdio: "ignore" })
    this.child = child
    const limit = performance.now() + READY_MS_MAX
    while (!existsSync(file)) {
      const ended = child.exitCode ?? child.signalCode
      if (ended !== null) throw new Error(`nbdfuse ended with ${ended}`)
      if (performance.now() > limit) throw new Error("nbdfuse shows no file")
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    // libnbd refuses what is no whole block before the server sees it, and ext4 writes its first
    // superblock by sectors: they have to be blocks, as the kernel's own NBD makes them.
    const sectors = ["--sector-size", String(BLOCK_BYTES)]
    this.loop = (await tool(this.folder, "losetup", ...sectors, "--find", "--show", file)).trim()
  }

  async make(): Promise<void> {
    await tool(this.folder, "mkfs.ext4", "-q", "-F", this.loop)
  }

  async mount(): Promise<void> {
    await tool(this.folder, "mount", "-t", "ext4", "-o", "errors=remount-ro", this.loop, this.place)
    this.isMounted = true
  }

  async unmount(): Promise<void> {
    await tool(this.folder, "umount", this.place)
    this.isMounted = false
  }

  /** Every structure of it is read, and nothing mended. Answers what was found. */
  async check(): Promise<{ readonly code: number; readonly output: string }> {
    const { code, output } = await tried(this.folder, "fsck.ext4", "-f", "-n", this.loop)
    return { code, output }
  }

  /** Whatever of it is there goes. Idempotent. */
  async detach(): Promise<void> {
    if (this.isMounted) {
      const { ok } = await tried(this.folder, "umount", this.place)
      if (!ok) await tried(this.folder, "umount", "--lazy", this.place)
      this.isMounted = false
    }
    if (this.loop !== "") await tried(this.folder, "losetup", "--detach", this.loop)
    this.loop = ""
    const { child } = this
    this.child = undefined
    if (child === undefined) return
    // It may have ended by itself, with whom it asks: then its place is there still.
    const isGone = child.exitCode !== null || child.signalCode !== null
    const gone = isGone ? undefined : new Promise((resolve) => child.once("exit", resolve))
    const { ok } = await tried(this.folder, "umount", this.fuse)
    const timer = setTimeout(() => child.kill("SIGKILL"), END_MS_MAX)
    // Somebody may look into it still, as who detaches the loop device: then it goes behind them.
    if (!ok) await tried(this.folder, "umount", "--lazy", this.fuse)
    await gone
    clearTimeout(timer)
  }
}
