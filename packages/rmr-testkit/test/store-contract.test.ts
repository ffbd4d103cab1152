/**
 * The reference store keeps every promise: with and without latency, on large and small sectors.
 */
import { storeContract } from "../src/contract/store/index.js"
import { memoryHarness } from "./store-harness.js"

jest.setTimeout(30_000)

storeContract("memory", { open: () => memoryHarness() })

storeContract("memory with latency, in sectors of 512 bytes", {
  open: () => memoryHarness({ seed: 2, store: { blockBytes: 512, latencyMs: [0.05, 3] } }),
})
