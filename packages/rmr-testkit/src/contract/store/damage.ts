/**
 * S19: damage is told, never taken for absence.
 */

import type { RigClause } from "../block-io/clause.js"
import { stamped } from "../block-io/content.js"
import { checkBytes, checkEqual, checkFails, checkList } from "../check.js"
import { cellWrite } from "./cells.js"
import type { StoreRig } from "./rig.js"

export const damageClauses: readonly RigClause<StoreRig>[] = [
  {
    promise: "S19",
    title: "a damaged cell fails with corrupt, is still listed, and the others are read",
    needs: ["damageCell"],
    run: async (rig) => {
      await rig.commit([1, 2, 3].map((index) => cellWrite("map-page", index, index)))
      await rig.close()
      await rig.power("damageCell")("map-page", 2)
      await rig.open()
      checkList(rig.io.cellIndexes("map-page"), [1, 2, 3], "indexes with a damaged cell")
      await checkFails(rig.cell("map-page", 2), "corrupt", "reading a damaged cell")
      for (const index of [1, 3]) {
        const found = await rig.cell("map-page", index)
        checkBytes(found!, stamped(0, 64, index), `cell ${index} beside a damaged one`)
      }
    },
  },
  {
    promise: "S19",
    title: "a damaged cell that is committed anew, or removed, is damaged no more",
    needs: ["damageCell"],
    run: async (rig) => {
      await rig.commit([cellWrite("map-page", 1, 1), cellWrite("map-page", 2, 2)])
      await rig.close()
      await rig.power("damageCell")("map-page", 1)
      await rig.power("damageCell")("map-page", 2)
      await rig.open()
      await rig.commit([
        cellWrite("map-page", 1, 7),
        { kind: "map-page", index: 2, bytes: undefined },
      ])
      for (const _life of [1, 2]) {
        checkBytes((await rig.cell("map-page", 1))!, stamped(0, 64, 7), "a cell written anew")
        checkEqual(await rig.cell("map-page", 2), undefined, "a damaged cell that was removed")
        await rig.reopen()
      }
    },
  },
  {
    promise: "S19",
    title: "a damaged hot set is unreadable, not empty, at every open until that is settled",
    needs: ["damageHotSet", "kill"],
    run: async (rig) => {
      await rig.heat([1, 2])
      await rig.close()
      await rig.power("damageHotSet")()
      await rig.open()
      checkEqual(rig.io.hotAtOpen, "unreadable", "a damaged hot set")
      await rig.write(3 * rig.shape.extentBytes, stamped(0, rig.io.blockBytes, 1))
      await rig.kill()
      await rig.open()
      checkEqual(rig.io.hotAtOpen, "unreadable", "a damaged hot set after a crash")
      await rig.reopen()
      checkEqual(rig.io.hotAtOpen, "unreadable", "a damaged hot set after a clean close")
      await rig.heat([4])
      await rig.settleRestart()
      await rig.kill()
      await rig.open()
      checkList([...rig.io.hotAtOpen], [3, 4], "hot extents of a log that was settled")
    },
  },
]
