/**
 * S17: a store says what happened to it, and says it again until the consequences are durable.
 */
import type { RestartClass } from "@rmr/core"
import type { RigClause } from "../block-io/clause.js"
import { stamped } from "../block-io/content.js"
import { checkBytes, checkEqual } from "../check.js"
import type { StoreRig } from "./rig.js"

function checkRestart(rig: StoreRig, expected: RestartClass, after: string): void {
  checkEqual(rig.io.restart, expected, `the restart class after ${after}`)
}

async function work(rig: StoreRig): Promise<void> {
  await rig.write(0, stamped(0, 4 * rig.io.blockBytes, 1))
  await rig.commit([{ kind: "state", index: 0, bytes: stamped(0, 64, 1) }])
}

export const restartClauses: readonly RigClause<StoreRig>[] = [
  {
    promise: "S17",
    title: "a fresh store, and one that was closed, restart as none",
    run: async (rig) => {
      checkRestart(rig, "none", "create")
      for (let time = 0; time < 3; time++) {
        await work(rig)
        await rig.reopen()
        checkRestart(rig, "none", "close")
      }
    },
  },
  {
    promise: "S17",
    title: "after the process died the class is process, also when it died idle",
    needs: ["kill"],
    run: async (rig) => {
      await rig.kill()
      await rig.open()
      checkRestart(rig, "process", "an idle process that died")
      await rig.settleRestart()
      await work(rig)
      await rig.kill()
      await rig.open()
      checkRestart(rig, "process", "a working process that died")
    },
  },
  {
    promise: "S17",
    title: "after the machine died the class is cache-lost",
    needs: ["powerCut"],
    run: async (rig) => {
      await work(rig)
      await rig.powerCut()
      await rig.open()
      checkRestart(rig, "cache-lost", "a power cut")
    },
  },
  {
    promise: "S17",
    title: "a machine that dies after the process did is what the store remembers",
    needs: ["kill", "powerCut"],
    run: async (rig) => {
      await work(rig)
      await rig.kill()
      await rig.powerCut()
      await rig.open()
      checkRestart(rig, "cache-lost", "a power cut after the process died")
    },
  },
  {
    promise: "S17",
    title: "a machine that dies while the store is closed harms nothing",
    needs: ["powerCut"],
    run: async (rig) => {
      await work(rig)
      await rig.close()
      await rig.powerCut()
      await rig.open()
      checkRestart(rig, "none", "a power cut while closed")
    },
  },
  {
    promise: "S6",
    title: "what was written before a clean close survives a power cut after it",
    needs: ["powerCut"],
    run: async (rig) => {
      const bytes = 16 * rig.io.blockBytes
      for (let round = 1; round <= 4; round++) {
        await rig.write(0, stamped(0, bytes, round))
        await rig.close()
        await rig.powerCut()
        await rig.open()
        checkBytes(await rig.read(0, bytes), stamped(0, bytes, round), "what close covered")
      }
    },
  },
  {
    promise: "S17",
    title: "a second crash before settling does not make the first one milder",
    needs: ["kill", "powerCut"],
    run: async (rig) => {
      await rig.powerCut()
      await rig.open()
      await work(rig)
      await rig.kill()
      await rig.open()
      checkRestart(rig, "cache-lost", "a power cut and then a dead process")
      await rig.kill()
      await rig.open()
      checkRestart(rig, "cache-lost", "yet another dead process")
      await rig.settleRestart()
      await rig.kill()
      await rig.open()
      checkRestart(rig, "process", "a dead process after settling")
    },
  },
  {
    promise: "S17",
    title: "a clean close before settling forgets nothing",
    needs: ["kill"],
    run: async (rig) => {
      await rig.kill()
      await rig.open()
      await rig.reopen()
      checkRestart(rig, "process", "a clean close that nobody settled before")
      await rig.settleRestart()
      checkRestart(rig, "process", "settling, while still open")
      await rig.reopen()
      checkRestart(rig, "none", "a clean close after settling")
    },
  },
  {
    promise: "S17",
    title: "settling is durable at completion",
    needs: ["kill", "powerCut"],
    run: async (rig) => {
      await rig.powerCut()
      await rig.open()
      await rig.settleRestart()
      await rig.kill()
      await rig.open()
      checkRestart(rig, "process", "a settled power cut and a dead process")
    },
  },
  {
    promise: "S17",
    title: "a flush that failed is a lost cache, even if the store was closed afterwards",
    needs: ["failNextFlush", "kill"],
    run: async (rig) => {
      for (const end of ["close", "kill"] as const) {
        await work(rig)
        await rig.power("failNextFlush")()
        rig.checkStatus(await rig.outcome(rig.startFlush()), "io-error", "a flush that fails")
        if (end === "close") await rig.close()
        else await rig.kill()
        await rig.open()
        checkRestart(rig, "cache-lost", `a failed flush and ${end}`)
        await rig.settleRestart()
      }
    },
  },
]
