/**
 * Ours as a target: one file, exported by NBD on a unix socket by a process of its own.
 */
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { fileOfRandomBytes } from "./files.js"
import type { QemuOptions } from "./qemu.js"
import { Processes, type Target, untilSocket } from "./target.js"

export async function startExport({ folder, volumeBytes }: QemuOptions): Promise<Target> {
  const processes = new Processes()
  const file = fileOfRandomBytes(join(folder, "ours.img"), volumeBytes)
  const socket = join(folder, "ours.sock")
  const root = fileURLToPath(new URL("../..", import.meta.url))
  // One process, so that its CPU time is all there is: the loader is a module, not a parent.
  const program = join(root, "bench", "device", "export-file.ts")
  const child = processes.start(process.execPath, ["--import", "tsx", program, file, socket], {
    TSX_TSCONFIG_PATH: join(root, "tsconfig.run.json"),
  })
  try {
    await untilSocket(socket)
  } catch (error) {
    const said = processes.said(child)
    await processes.stop()
    throw new Error(`the export does not start: ${said}`, { cause: error })
  }
  const uri = `nbd+unix:///x?socket=${socket}`
  return { name: "ours, one copy", uri, pids: processes.pids, stop: () => processes.stop() }
}
