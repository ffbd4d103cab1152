/**
 * One guest: a QEMU process that runs one command in the host's root, as root, and ends.
 *
 * What the command says comes as it is said; what kernel and init say is kept in a file, and its
 * end is shown where there is no exit code. Nothing of the guest outlives its deadline.
 */
import { spawn } from "node:child_process"
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Accelerator } from "./accelerator.js"
import type { Kernel } from "./kernel.js"
import { LabError } from "./runs.js"

const QEMU = "qemu-system-x86_64"
const CONSOLE_LINES = 30
const FIRST = fileURLToPath(new URL("first.sh", import.meta.url))
/** What a shell says of a command that took too long. */
export const TOO_LATE = 124

export interface GuestOptions {
  readonly kernel: Kernel
  readonly initramfs: string
  readonly accelerator: Accelerator
  /** Its folder on the host, which the guest sees as /share. */
  readonly share: string
  /** Lines of a shell. */
  readonly script: string
  readonly seconds: number
  readonly memoryMib: number
  readonly processors: number
  /** Its card is on this wire, as this guest of those that are. */
  readonly wire?: { readonly path: string; readonly number: number }
  readonly onSaid: (bytes: Buffer) => void
}

/** The command's exit code. Fails with `LabError` where there is none. */
export async function runGuest(options: GuestOptions): Promise<number> {
  const { share, script, seconds } = options
  mkdirSync(share, { recursive: true })
  rmSync(join(share, "code"), { force: true })
  copyFileSync(FIRST, join(share, "first.sh"))
  writeFileSync(join(share, "command.sh"), script)
  const consoleFile = join(share, "console.log")
  const { isLate, complaint } = await runQemu(argsOf(options, consoleFile), options)
  if (isLate) return TOO_LATE
  const code = read(join(share, "code")).trim()
  if (/^\d+$/.test(code)) return Number(code)
  const lines = read(consoleFile).trimEnd().split(/\r?\n/).slice(-CONSOLE_LINES).join("\n")
  throw new LabError(
    `the guest ended without an exit code within ${seconds} s:\n${complaint}${lines}`,
  )
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return ""
  }
}

interface Ended {
  readonly isLate: boolean
  readonly complaint: string
}

function runQemu(args: readonly string[], { seconds, onSaid }: GuestOptions): Promise<Ended> {
  return new Promise((resolve, reject) => {
    // An input that is open, or QEMU takes its end of the port for closed.
    const child = spawn(QEMU, args, { stdio: ["pipe", "pipe", "pipe"] })
    let complaint = ""
    let isLate = false
    const deadline = setTimeout(() => {
      isLate = true
      child.kill("SIGKILL")
    }, seconds * 1000)
    const end = (): boolean => child.kill("SIGKILL")
    process.once("exit", end)
    child.stdout.on("data", onSaid)
    child.stderr.on("data", (bytes: Buffer) => {
      complaint += bytes.toString()
    })
    child.on("error", (error: NodeJS.ErrnoException) => {
      const how = "apt-get install qemu-system-x86"
      const words = error.code === "ENOENT" ? `there is no ${QEMU}: ${how}` : error.message
      clearTimeout(deadline)
      reject(new LabError(words))
    })
    child.on("close", () => {
      clearTimeout(deadline)
      process.removeListener("exit", end)
      resolve({ isLate, complaint })
    })
  })
}

function argsOf(options: GuestOptions, consoleFile: string): string[] {
  const { kernel, initramfs, accelerator, share, memoryMib, processors, wire } = options
  const modules = join(kernel.folder, "lib/modules")
  const words = ["console=ttyS0", "quiet", "panic=-1", "mitigations=off", "nokaslr"]
  words.push(`modules=${modules}`, `layer=${Math.floor(memoryMib / 4)}m`)
  const port = "virtserialport,chardev=said,name=lab.said"
  const host = "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap"
  return [
    ...["-accel", accelerator.accel, "-cpu", accelerator.cpu, ...(accelerator.more ?? [])],
    ...["-machine", "q35"],
    ...["-smp", String(processors), "-m", `${memoryMib}M`, "-nodefaults", "-no-user-config"],
    ...["-display", "none", "-no-reboot", "-monitor", "none", "-serial", `file:${consoleFile}`],
    ...["-kernel", kernel.image, "-initrd", initramfs, "-append", words.join(" ")],
    ...["-device", "virtio-rng-pci", "-device", "virtio-serial-pci"],
    ...["-chardev", "stdio,id=said,signal=off", "-device", port],
    ...["-fsdev", host, "-device", "virtio-9p-pci,fsdev=host,mount_tag=host"],
    ...["-fsdev", `local,id=share,path=${share},security_model=none`],
    ...["-device", "virtio-9p-pci,fsdev=share,mount_tag=share"],
    ...cardOf(wire),
  ]
}

function cardOf(wire: GuestOptions["wire"]): string[] {
  if (wire === undefined) return []
  const at = `stream,id=card,server=off,addr.type=unix,addr.path=${wire.path}`
  const mac = `52:54:00:00:00:${wire.number.toString(16).padStart(2, "0")}`
  return ["-netdev", at, "-device", `virtio-net-pci,netdev=card,mac=${mac},romfile=`]
}
