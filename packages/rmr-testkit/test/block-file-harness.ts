/**
 * Simulated disks, as the block-file suite wants them: a fresh disk per place, a host per process.
 */
import type { BlockFileSource } from "@rmr/core"
import { buddyMemory } from "@rmr/core"
import type { FileHarness, FilePlace } from "../src/contract/block-file/index.js"
import { worldWaiting } from "../src/contract/waiting.js"
import { nodeWorld } from "../src/node/index.js"
import type { SimDisk, SimDiskOptions } from "../src/world/sim-disk.js"
import { simDisk } from "../src/world/sim-disk.js"

export interface FileHarnessOptions {
  readonly seed?: number
  readonly disk?: Partial<SimDiskOptions>
  /** Breaks a sound file, in tests of the suite. */
  readonly wrap?: (source: BlockFileSource, disk: SimDisk) => BlockFileSource
  readonly wrapPowers?: (powers: FilePlace["powers"], disk: SimDisk) => FilePlace["powers"]
}

export function simFileHarness(options: FileHarnessOptions = {}): FileHarness {
  const { seed = 1, wrap = (source) => source, wrapPowers = (powers) => powers } = options
  const world = nodeWorld({ seed })
  let processCount = 0
  let placeCount = 0
  const host = () => world.host(`process-${processCount}`)
  return {
    waiting: worldWaiting(world),
    random: world.random.fork("suite"),
    newProcess: () => {
      processCount++
      const memory = buddyMemory({ arenas: [4 * 1024 * 1024], leaseCountMax: 1024 })
      return { env: host().env, memory }
    },
    fresh: async ({ sizeBytes, mediumBytes }) => {
      const disk = simDisk(world, {
        name: `disk-${++placeCount}`,
        sizeBytes,
        sizeBytesMax: mediumBytes,
        ...options.disk,
      })
      const powers = powersOf(disk, () => host().kill())
      return { source: wrap(disk.source(), disk), powers: wrapPowers(powers, disk) }
    },
  }
}

function powersOf(disk: SimDisk, killHost: () => void): FilePlace["powers"] {
  return {
    kill: () => {
      disk.kill()
      killHost()
    },
    powerCut: () => {
      disk.powerCut()
      killHost()
    },
    failReads: (offset, bytes) => disk.damage(offset, bytes, "reads"),
    failWrites: (offset, bytes) => disk.damage(offset, bytes, "writes"),
    failNextFlush: () => void disk.addRule({ on: ["flush"], fails: "io-error", times: 1 }),
    allocatedBytes: () => disk.allocatedBytes,
  }
}
