/** The file store keeps every promise of the port, on disks that lose, tear and reorder. */
import { storeContract } from "@rmr/testkit/contract/store"
import { simStoreHarness } from "./store-harness.js"

jest.setTimeout(60_000)

storeContract("file store", { open: () => simStoreHarness(1) })

storeContract("file store on a disk that tears at 512 and forces nothing", {
  open: () => simStoreHarness(2, { atomicBytes: 512, forcedUnitAccess: false }),
})

storeContract("file store that keeps sums", { open: () => simStoreHarness(3, { dataSums: true }) })

storeContract("file store that keeps sums, on a disk with sectors of 512 that forces nothing", {
  open: () =>
    simStoreHarness(4, {
      dataSums: true,
      blockBytes: 512,
      atomicBytes: 512,
      forcedUnitAccess: false,
    }),
})
