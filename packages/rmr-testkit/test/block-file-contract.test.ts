/**
 * The simulated disk keeps every promise of a block file, and is as weak as they allow.
 */
import { blockFileContract } from "../src/contract/block-file/index.js"
import { simFileHarness } from "./block-file-harness.js"

jest.setTimeout(30_000)

blockFileContract("on a simulated disk", { open: () => simFileHarness() })

blockFileContract("with sectors of 512 bytes under blocks of 4 KiB", {
  open: () => simFileHarness({ seed: 2, disk: { atomicBytes: 512 } }),
})

blockFileContract("that honours neither FUA nor unmap", {
  open: () =>
    simFileHarness({
      seed: 3,
      disk: { blockBytes: 512, supports: { forcedUnitAccess: false, unmap: false } },
    }),
})
