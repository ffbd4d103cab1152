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

/** What every operation of a store owes in each state. */
const OWED = { promise: "S12", results: UNTIL_CLOSED }

export const storeLifecycleClauses: readonly Clause<BlockHarness<Store>>[] = traitClauses(
  blockLifecycle(storeRig),
  [
    ...blockTraits<Store, ReturnType<typeof storeRig>>(OWED),
    {
      ...OWED,
      operation: "committing",
      run: (rig) => end(rig, rig.startCommit([cellWrite("state", 0, 1)])),
    },
    { ...OWED, operation: "heating", run: (rig) => end(rig, rig.startHeat([3])) },
    { ...OWED, operation: "settling", run: (rig) => end(rig, rig.startSettle()) },
    {
      ...OWED,
      operation: "reading a cell",
      run: async (rig) => void (await rig.cell("state")),
    },
  ],
)
