/**
 * Peers with one copy that need no daemon of QEMU: nbdkit's file plugin, and the file itself, which
 * fio visits with nobody in between. Both visit the file that QEMU's single copy has, in turns.
 */
import { join } from "node:path"
import { singleFile } from "./files.js"
import {
  fioByNbd,
  LeftOut,
  Processes,
  type Target,
  type TargetOptions,
  untilSocket,
} from "./target.js"
import { isThere } from "./tools.js"

export const RAW = "fio on the file, one copy"
export const NBDKIT = "nbdkit, one copy"

export async function startNbdkit(options: TargetOptions): Promise<Target> {
  if (!isThere("nbdkit")) throw new LeftOut("this machine has no nbdkit; apt-get install nbdkit")
  if (options.isDirect) throw new LeftOut("its file plugin does not go past the kernel's cache")
  const processes = new Processes()
  const socket = join(options.folder, "nbdkit.sock")
  const args = ["--foreground", "--unix", socket, "file", singleFile(options)]
  const child = processes.start("nbdkit", args)
  try {
    await untilSocket(socket)
  } catch (error) {
    const said = processes.said(child)
    await processes.stop()
    throw new Error(`nbdkit does not start: ${said}`, { cause: error })
  }
  return {
    name: NBDKIT,
    fio: fioByNbd(`nbd+unix:///?socket=${socket}`),
    pids: processes.pids,
    isOurs: false,
    stop: () => processes.stop(),
  }
}

/** All of its work is fio's own. */
export function startRaw(options: TargetOptions): Promise<Target> {
  const file = `--filename=${singleFile(options)}`
  const direct = `--direct=${options.isDirect ? 1 : 0}`
  return Promise.resolve({
    name: RAW,
    fio: ["--ioengine=io_uring", file, direct, "--overwrite=1"],
    pids: [],
    isOurs: false,
    stop: () => Promise.resolve(),
  })
}
