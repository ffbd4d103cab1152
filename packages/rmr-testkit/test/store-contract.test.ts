/**
 * The reference store keeps every promise: with and without latency, on large and small sectors,
 * and inside every wrapper, because a wrapped store must behave as a store.
 */
import { storeContract } from "../src/contract/store/index.js"
import { memoryHarness } from "./store-harness.js"

storeContract("memory", { open: () => memoryHarness() })

storeContract("memory with latency", {
  open: () => memoryHarness({ seed: 2, store: { latencyMs: [0.05, 3] } }),
})

storeContract("memory with sectors of 512 bytes", {
  open: () => memoryHarness({ seed: 3, store: { blockBytes: 512, latencyMs: [0, 1] } }),
})
