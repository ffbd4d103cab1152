/**
 * What the device bench needs of the machine, beside what the set-up of the repository installs.
 */
import { accessSync, constants } from "node:fs"
import { delimiter, join } from "node:path"

/** A program, and the package of Debian that has it. */
const TOOLS = [
  ["fio", "fio"],
  ["nbdinfo", "libnbd-bin"],
  ["nbdcopy", "libnbd-bin"],
  ["qemu-storage-daemon", "qemu-system-common"],
] as const

/** Undefined where all are there; otherwise which are not, and how to get them. */
export function missingTools(): string | undefined {
  const missing = TOOLS.filter(([program]) => !isThere(program))
  if (missing.length === 0) return undefined
  const programs = missing.map(([program]) => program).join(", ")
  const packages = [...new Set(missing.map(([, name]) => name))].join(" ")
  return `this machine has no ${programs}; apt-get install ${packages}`
}

/** Whether a program is found. */
export function isThere(program: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
