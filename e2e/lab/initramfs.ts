/** What the kernel starts with: busybox, the modules that show it the host, and init.sh. */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { basename } from "node:path"
import { fileURLToPath } from "node:url"
import { type ArchiveEntry, archiveOf, FOLDER, PLAIN_FILE, PROGRAM } from "./cpio.js"
import { type Kernel, modulesFor } from "./kernel.js"
import { LabError } from "./runs.js"

const BUSYBOX = "/bin/busybox"
const INIT = fileURLToPath(new URL("init.sh", import.meta.url))
const MODULES = ["virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay"]

export function writeInitramfs(kernel: Kernel, file: string): void {
  if (!existsSync(BUSYBOX))
    throw new LabError("there is no busybox: apt-get install busybox-static")
  const modules = modulesFor(kernel, MODULES)
  const order = `${modules.map((path) => basename(path)).join("\n")}\n`
  const folders = ["bin", "modules"].map((name): ArchiveEntry => ({ name, mode: FOLDER }))
  const program = (name: string, path: string): ArchiveEntry => {
    return { name, mode: PROGRAM, bytes: readFileSync(path) }
  }
  // Somebody else may be starting from it.
  const draft = `${file}.${process.pid}`
  writeFileSync(
    draft,
    archiveOf([
      ...folders,
      program("bin/busybox", BUSYBOX),
      program("init", INIT),
      { name: "order", mode: PLAIN_FILE, bytes: Buffer.from(order) },
      ...modules.map((path) => program(`modules/${basename(path)}`, path)),
    ]),
  )
  renameSync(draft, file)
}
