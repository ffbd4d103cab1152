/**
 * Files of this machine keep every promise of a block file, through the kernel's cache and past it.
 */
import { existsSync } from "node:fs"
import { tmpdir } from "node:os"
import { blockFileContract } from "@rmr/testkit/contract/block-file"
import { ABSENT, type RealFiles, realFiles } from "./file-harness.js"

jest.setTimeout(60_000)

const SEED = "files"
const opened: RealFiles[] = []

function open(folder: string, direct: "on" | "off") {
  return async () => {
    const files = realFiles(folder, direct, SEED)
    opened.push(files)
    return files.harness
  }
}

afterAll(() => {
  for (const files of opened) files.remove()
})

blockFileContract(`of a file through the cache (seed ${SEED})`, {
  open: open(tmpdir(), "off"),
  absent: ABSENT,
})

blockFileContract(`of a file past the cache (seed ${SEED})`, {
  open: open(process.cwd(), "on"),
  absent: ABSENT,
})

if (existsSync("/dev/shm")) {
  blockFileContract(`of a file on tmpfs (seed ${SEED})`, {
    open: open("/dev/shm", "off"),
    absent: ABSENT,
  })
} else {
  process.stdout.write("files on tmpfs are not tested: there is no /dev/shm on this machine\n")
}
