/**
 * Files of this machine keep every promise of a block file, through the kernel's cache and past it,
 * with the calls of plain Node and with native ones.
 */
import { existsSync } from "node:fs"
import { tmpdir } from "node:os"
import { type AbsentPowers, blockFileContract } from "@rmr/testkit/contract/block-file"
import { type FileCalls, NODE_CALLS } from "../src/files/file-calls.js"
import { nativeCalls } from "../src/files/native-calls.js"
import { nativeAddon, nativeStatus } from "../src/native-addon.js"
import { ABSENT, ABSENT_IN_PLAIN, type RealFiles, realFiles } from "./file-harness.js"

jest.setTimeout(60_000)

const SEED = "files"
const IN_FLIGHT_MAX = 256
const opened: RealFiles[] = []
const addon = nativeAddon()

afterAll(() => {
  for (const files of opened) files.remove()
})

filesKeepTheirPromises("in plain Node", () => NODE_CALLS, ABSENT_IN_PLAIN)
if (addon !== undefined) {
  filesKeepTheirPromises("with native calls", () => nativeCalls(addon, IN_FLIGHT_MAX), ABSENT)
} else {
  process.stdout.write(`files are tested in plain Node alone: ${nativeStatus().reason}\n`)
}

function filesKeepTheirPromises(how: string, calls: () => FileCalls, absent: AbsentPowers): void {
  const places: readonly (readonly [what: string, folder: string, direct: "on" | "off"])[] = [
    ["a file through the cache", tmpdir(), "off"],
    ["a file past the cache", process.cwd(), "on"],
    ["a file on tmpfs", "/dev/shm", "off"],
  ]
  for (const [what, folder, direct] of places) {
    if (existsSync(folder)) {
      blockFileContract(`of ${what}, ${how} (seed ${SEED})`, {
        open: async () => {
          const files = realFiles({ folder, direct, seed: SEED, calls })
          opened.push(files)
          return files.harness
        },
        absent,
      })
    } else {
      process.stdout.write(`${what} is not tested: there is no ${folder} on this machine\n`)
    }
  }
}
