/**
 * Ours as a target: one file, exported by NBD on a unix socket by a process of its own.
 */
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { fileOfRandomBytes } from "./files.js"
import { fioByNbd, Processes, type Target, type TargetOptions, untilSocket } from "./target.js"

export async function startExport(options: TargetOptions): Promise<Target> {
  const { folder, volumeBytes, isDirect } = options
  const processes = new Processes()
  const file = fileOfRandomBytes(join(folder, "ours.img"), volumeBytes)
  const socket = join(folder, "ours.sock")
  const root = fileURLToPath(new URL("../..", import.meta.url))
  // One process, so that its CPU time is all there is: the loader is a module, not a parent.
  const program = join(root, "bench", "device", "export-file.ts")
  const words = ["--import", "tsx", program, file, socket, isDirect ? "on" : "off"]
  const child = processes.start(process.execPath, words, {
    TSX_TSCONFIG_PATH: join(root, "tsconfig.run.json"),
  })
  try {
    await untilSocket(socket)
  } catch (error) {
    const said = processes.said(child)
    await processes.stop()
    throw new Error(`the export does not start: ${said}`, { cause: error })
  }
  return {
    name: "ours, one copy",
    fio: fioByNbd(`nbd+unix:///x?socket=${socket}`),
    pids: processes.pids,
    isOurs: true,
    stop: () => processes.stop(),
  }
}
