/**
 * B16: what names the boot of the machine changes when the machine went down, and only then.
 */
import type { RigClause } from "../block-io/clause.js"
import { check, checkEqual } from "../check.js"
import type { FileRig } from "./rig.js"

export const bootClauses: readonly RigClause<FileRig>[] = [
  {
    promise: "B16",
    title: "the boot has a name, the same while open and after reopening",
    run: async (rig) => {
      const before = await rig.bootId()
      check(before.length > 0, "a boot to have a name")
      await rig.reopen()
      checkEqual(await rig.bootId(), before, "the boot after reopening")
      await rig.close()
      checkEqual(await rig.bootId(), before, "the boot while closed")
    },
  },
  {
    promise: "B16",
    title: "a process that dies does not change the boot",
    needs: ["kill"],
    run: async (rig) => {
      const before = await rig.bootId()
      await rig.kill()
      checkEqual(await rig.bootId(), before, "the boot after a process died")
    },
  },
  {
    promise: "B16",
    title: "every power cut makes another boot",
    needs: ["powerCut"],
    run: async (rig) => {
      const boots = [await rig.bootId()]
      for (let cut = 1; cut <= 3; cut++) {
        await rig.powerCut()
        boots.push(await rig.bootId())
        await rig.open()
      }
      checkEqual(new Set(boots).size, boots.length, "boots that differ")
    },
  },
]
