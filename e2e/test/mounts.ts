/** Small file systems in memory, for stores on disks that are full or may only be read. */
import { mkdirSync, readFileSync } from "node:fs"
import { missing, tool, tried } from "./nbd-tools.js"

const CAP_SYS_ADMIN = 21n

/** Why nothing can be mounted here; empty where it can. */
export function whyNoMount(): string {
  const tools = missing("mount", "umount")
  if (tools !== "") return tools
  const capabilities = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))
  const mayMount = (BigInt(`0x${capabilities?.[1] ?? "0"}`) & (1n << CAP_SYS_ADMIN)) !== 0n
  return mayMount ? "" : "mounting needs root with CAP_SYS_ADMIN"
}

/** Runs with a file system of this size at the place, and takes it away again. */
export async function withMemoryDisk<T>(
  folder: string,
  place: string,
  size: string,
  run: (disk: MemoryDisk) => Promise<T>,
): Promise<T> {
  mkdirSync(place, { recursive: true })
  await tool(folder, "mount", "-t", "tmpfs", "-o", `size=${size}`, "tmpfs", place)
  try {
    return await run({
      makeReadOnly: async () => {
        await tool(folder, "mount", "-o", "remount,ro", place)
      },
      grow: async (to) => {
        await tool(folder, "mount", "-o", `remount,size=${to}`, place)
      },
    })
  } finally {
    await tried(folder, "umount", "--lazy", place)
  }
}

export interface MemoryDisk {
  makeReadOnly(): Promise<void>
  grow(size: string): Promise<void>
}
