/**
 * The simulated transport keeps every promise of the port, on a calm network, on a weak one, and
 * with small limits. It is the reference: what it is allowed to do, callers must live with.
 */
import { transportContract } from "../src/contract/transport/index.js"
import { CALM_LINK } from "../src/world/index.js"
import { simTransportHarness } from "./transport-sim-harness.js"

transportContract("sim, calm links", {
  open: () => simTransportHarness({ seed: 1, links: CALM_LINK }),
})

for (const seed of ["weak-1", "weak-2"]) {
  transportContract(`sim, weak links, seed ${seed}`, { open: () => simTransportHarness({ seed }) })
}

transportContract("sim, payloads not checked, small limits", {
  open: () =>
    simTransportHarness({
      seed: "small",
      transport: {
        payloadChecked: false,
        headerBytesMax: 64,
        payloadBytesMax: 8192,
        creditsMax: [64, 16, 16],
        turnMsMax: 1,
      },
    }),
})

transportContract("sim, slow and narrow links", {
  open: () =>
    simTransportHarness({
      seed: "narrow",
      links: { delayMsMin: 1, delayMsMax: 30, bytesPerMs: 5000, resetChance: 0 },
    }),
})
