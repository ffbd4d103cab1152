/** Disks for tests: loop devices over files, with sectors of 4 KiB as new disks have them. */
import { closeSync, openSync, truncateSync, writeFileSync } from "node:fs"
import { whyNoMount } from "./mounts.js"
import { missing, tool, tried } from "./nbd-tools.js"

export const SECTOR_BYTES = 4096

/** Why this machine has no loop devices for us; empty where it has. */
export function whyNoLoop(): string {
  const why = whyNoMount() || missing("losetup")
  if (why !== "") return why
  try {
    closeSync(openSync("/dev/loop-control", "r+"))
    return ""
  } catch (thrown) {
    return `/dev/loop-control cannot be opened: ${(thrown as NodeJS.ErrnoException).code}`
  }
}

/** Runs with a disk of this size whose bytes are in a new file, and takes it away again. */
export async function withDisk<T>(
  folder: string,
  backing: string,
  sizeBytes: number,
  run: (device: string) => Promise<T>,
): Promise<T> {
  writeFileSync(backing, "", { flag: "wx" })
  truncateSync(backing, sizeBytes)
  const sectors = ["--sector-size", String(SECTOR_BYTES)]
  const device = (await tool(folder, "losetup", ...sectors, "--find", "--show", backing)).trim()
  try {
    return await run(device)
  } finally {
    await tried(folder, "losetup", "--detach", device)
  }
}
