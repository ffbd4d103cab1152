/**
 * S12: every operation of a store in every state it can be in.
 */
import type { Store } from "@rmr/core"
import type { BlockHarness } from "../block-io/harness.js"
import { blockLifecycle, blockTraits, end, UNTIL_CLOSED } from "../block-io/lifecycle.js"
import type { Clause } from "../clause.js"
import { traitClauses } from "../traits.js"
import { cellWrite } from "./cells.js"
import { storeRig } from "./rig.js"

const promise = "S12"
const results = UNTIL_CLOSED

export const storeLifecycleClauses: readonly Clause<BlockHarness<Store>>[] = traitClauses(
  blockLifecycle(storeRig),
  [
    ...blockTraits<Store, ReturnType<typeof storeRig>>(promise),
    {
      promise,
      results,
      operation: "committing",
      run: (rig) => end(rig, rig.startCommit([cellWrite("state", 0, 1)])),
    },
    { promise, results, operation: "heating", run: (rig) => end(rig, rig.startHeat([3])) },
    { promise, results, operation: "settling", run: (rig) => end(rig, rig.startSettle()) },
    {
      promise,
      results,
      operation: "reading a cell",
      run: async (rig) => void (await rig.cell("state")),
    },
  ],
)
