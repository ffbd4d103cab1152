/**
 * How a guest's processors run: by KVM where that can boot the guest's kernel, else by emulation.
 *
 * A machine may have /dev/kvm and yet boot no ordinary kernel with it, as one that is a guest
 * itself. So it is tried once for each kernel of guest and host, and remembered.
 */
import { accessSync, constants, readFileSync, writeFileSync } from "node:fs"
import { release } from "node:os"
import { join } from "node:path"
import type { Kernel } from "./kernel.js"

export interface Accelerator {
  readonly name: "kvm" | "tcg" | "counted"
  readonly accel: string
  readonly cpu: string
  readonly more?: readonly string[]
}

/**
 * Nehalem, since newer ones have instructions that copy by the byte, which kernels then use for
 * everything, and which emulation runs byte by byte: copies take seven times as long.
 */
export const EMULATED: Accelerator = {
  name: "tcg",
  accel: "tcg,thread=multi,tb-size=1024",
  cpu: "Nehalem",
}
/**
 * An instruction is a nanosecond of the guest, whatever it takes us, and its clocks tell how many
 * there were: of compiled JavaScript, C and the kernel alike. Where nothing runs, time leaps. Two
 * processors would wait for each other for ever.
 */
export const COUNTED: Accelerator = {
  name: "counted",
  accel: "tcg,thread=single,tb-size=1024",
  cpu: "Nehalem",
  more: ["-icount", "shift=0,sleep=off"],
}
export const BY_KVM: Accelerator = { name: "kvm", accel: "kvm", cpu: "host" }

const DEVICE = "/dev/kvm"

/** `boots` starts a guest that does nothing, and answers whether it ended well. */
export async function acceleratorFor(
  kernel: Kernel,
  cache: string,
  boots: (accelerator: Accelerator) => Promise<boolean>,
): Promise<Accelerator> {
  if (!isThere()) return EMULATED
  const file = join(cache, "kvm.json")
  const key = `${kernel.version} on ${release()}`
  const known = triedBefore(file)
  const isGood = known[key] ?? (await boots(BY_KVM))
  if (known[key] === undefined) writeFileSync(file, JSON.stringify({ ...known, [key]: isGood }))
  return isGood ? BY_KVM : EMULATED
}

function isThere(): boolean {
  try {
    accessSync(DEVICE, constants.R_OK | constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** What was never tried, or cannot be read, is tried. */
function triedBefore(file: string): Record<string, boolean> {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Record<string, boolean>
  } catch {
    return {}
  }
}
