/**
 * A store inside a wrapper is a store: it keeps every promise, whatever stands between.
 */
import { storeContract } from "../src/contract/store/index.js"
import type { FailStoreSource } from "../src/wrap/index.js"
import { delayStore, failStore, traceStore } from "../src/wrap/index.js"
import { memoryHarness } from "./store-harness.js"

jest.setTimeout(30_000)

storeContract("memory inside delayStore", {
  open: () =>
    memoryHarness({
      seed: 3,
      wrap: (source, random) => delayStore(source, { random, delayMs: [0, 2] }),
    }),
})

storeContract("memory inside failStore, where flushes and commits fail by rule", {
  open: () =>
    memoryHarness({
      seed: 4,
      wrap: (source) => failStore(source),
      powers: (source) => {
        const { addRule } = source as FailStoreSource
        const failNext = (kind: "flush" | "commit"): void => {
          addRule.call(source, { on: [kind], fails: "io-error", times: 1 })
        }
        return {
          failNextFlush: () => failNext("flush"),
          failNextCommit: () => failNext("commit"),
        }
      },
    }),
})

storeContract("memory inside a delayed traceStore", {
  open: () =>
    memoryHarness({
      seed: 5,
      store: { latencyMs: [0, 1] },
      wrap: (source, random) =>
        delayStore(
          traceStore(source, () => undefined),
          { random, delayMs: [0, 1] },
        ),
    }),
})
