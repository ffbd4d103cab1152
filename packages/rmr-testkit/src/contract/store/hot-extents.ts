/**
 * S16: the hot set. What was heated and not cooled is found hot, whatever happened; what is not hot
 * is not written.
 */
import { BLOCK_FUA } from "@rmr/core"
import type { RigClause } from "../block-io/clause.js"
import { stamped } from "../block-io/content.js"
import type { LifeEnd } from "../block-io/random-run.js"
import { check, checkAsserts, checkEqual, checkList } from "../check.js"
import type { StoreRig } from "./rig.js"

function foundHot(rig: StoreRig): readonly number[] {
  const { hotAtOpen } = rig.io
  check(hotAtOpen !== "unreadable", "the hot set to be readable")
  return hotAtOpen
}

function checkHasAll(rig: StoreRig, extents: readonly number[], what: string): void {
  const found = foundHot(rig)
  for (const extent of extents) check(found.includes(extent), `extent ${extent} ${what}`)
}

async function end(rig: StoreRig, how: LifeEnd): Promise<void> {
  if (how === "close") await rig.close()
  else if (how === "kill") await rig.kill()
  else await rig.powerCut()
  await rig.open()
}

async function keepsHeat(rig: StoreRig, how: LifeEnd): Promise<void> {
  await rig.heat([9, 2])
  await rig.heat([2, 5])
  await end(rig, how)
  checkList(foundHot(rig), [2, 5, 9], `hot extents after ${how}, ascending`)
  await end(rig, how)
  checkHasAll(rig, [2, 5, 9], `to stay hot after a second ${how}`)
  await rig.done(rig.startWrite(5 * rig.shape.extentBytes, stamped(0, rig.io.blockBytes, 1)))
}

/** Cools, heats again, and crashes while the lazy cooling may still be on its way. */
async function keepsReheated(rig: StoreRig, how: LifeEnd): Promise<void> {
  for (let round = 0; round < 6; round++) {
    await rig.heat([1, 2, 3])
    rig.cool([1, 2])
    await rig.heat([2])
    if (round % 2 === 0) await rig.commit([])
    rig.cool([1])
    await end(rig, how)
    checkHasAll(rig, [2, 3], `to be hot again after ${how}`)
  }
}

async function heatInFlight(rig: StoreRig, how: LifeEnd): Promise<void> {
  await rig.heat([0])
  for (let round = 1; round <= 8; round++) {
    const heats = [round, round + 1].map((extent) => rig.startHeat([extent]))
    rig.io.submit()
    if (round % 2 === 0) await rig.done(heats[0]!)
    const completed = [round, round + 1].filter((_, nth) => heats[nth]!.isDone)
    await end(rig, how)
    checkHasAll(rig, [0, ...completed], `to be hot after ${how} among heats`)
    check(
      foundHot(rig).every((extent) => extent <= round + 1),
      "no extent hot that nobody heated",
    )
  }
}

export const hotExtentClauses: readonly RigClause<StoreRig>[] = [
  {
    promise: "S16",
    title: "a fresh store has no hot extents, and stays so through lives that heat none",
    run: async (rig) => {
      checkList(foundHot(rig), [], "hot extents of a fresh store")
      await rig.reopen()
      checkList(foundHot(rig), [], "hot extents after reopening")
    },
  },
  {
    promise: "S16",
    title: "what is hot stays hot through a clean close: other members may still lack it",
    run: (rig) => keepsHeat(rig, "close"),
  },
  {
    promise: "S16",
    title: "what is hot stays hot when the process dies",
    needs: ["kill"],
    run: (rig) => keepsHeat(rig, "kill"),
  },
  {
    promise: "S16",
    title: "what is hot stays hot through power cuts, without any flush",
    needs: ["powerCut"],
    run: (rig) => keepsHeat(rig, "powerCut"),
  },
  {
    promise: "S16",
    title: "an extent that is heated again after cooling is hot, however lazy the cooling was",
    needs: ["kill", "powerCut"],
    run: async (rig) => {
      for (const how of ["close", "kill", "powerCut"] as const) await keepsReheated(rig, how)
    },
  },
  {
    promise: "S16",
    title: "a process that dies among heats leaves those that completed, and invents none",
    needs: ["kill"],
    run: (rig) => heatInFlight(rig, "kill"),
  },
  {
    promise: "S16",
    title: "a power cut among heats leaves those that completed, and invents none",
    needs: ["powerCut"],
    run: (rig) => heatInFlight(rig, "powerCut"),
  },
  {
    promise: "S16",
    title: "cooled extents leave the log in the end",
    run: async (rig) => {
      await rig.heat([1, 2, 3])
      rig.cool([1, 2, 3, 7])
      await rig.heat([4])
      await rig.reopen()
      checkList(foundHot(rig), [4], "hot extents after a clean close")
    },
  },
  {
    promise: "S16",
    title: "more extents than fit the log end with no-space, and none of them is hot",
    run: async (rig) => {
      const { hotExtentsMax } = rig.io.geometry
      const { blockBytes, sizeBytes } = rig.io
      await rig.settled(rig.io.grow(2 * sizeBytes), "end of growing")
      const extents = Array.from({ length: hotExtentsMax - 1 }, (_, extent) => extent)
      await rig.heat(extents)
      const tooMany = [hotExtentsMax, hotExtentsMax + 1]
      const outcome = await rig.outcome(rig.startHeat(tooMany))
      rig.checkStatus(outcome, "no-space", "two extents more than fit")
      const offset = hotExtentsMax * rig.shape.extentBytes
      const write = (): unknown => rig.startWrite(offset, stamped(0, blockBytes, 1))
      checkAsserts(write, "a write into an extent that was not heated")
      await rig.heat([hotExtentsMax, 0, 1])
      rig.cool([0])
      await rig.heat([hotExtentsMax + 1])
      await rig.reopen()
      checkEqual(foundHot(rig).length, hotExtentsMax, "hot extents in a full log")
    },
  },
  {
    promise: "S16",
    title: "a write or zero outside the hot set is our own mistake, and leaves no trace",
    run: async (rig) => {
      const { blockBytes } = rig.io
      const { extentBytes } = rig.shape
      await rig.heat([1])
      const lease = rig.lease(2 * blockBytes)
      const { io } = rig
      const straddling = 2 * extentBytes - blockBytes
      checkAsserts(() => io.write(0, 0, lease, 0, blockBytes, 0), "a write into a cold extent")
      checkAsserts(() => io.write(0, 0, lease, 0, blockBytes, BLOCK_FUA), "with FUA")
      checkAsserts(() => io.zero(0, 0, blockBytes, 0), "a zero in a cold extent")
      checkAsserts(() => io.write(0, straddling, lease, 0, 2 * blockBytes, 0), "half in a cold one")
      rig.current.memory.release(lease)
      await rig.write(extentBytes, stamped(0, blockBytes, 1))
      rig.cool([1])
      checkAsserts(() => io.zero(0, extentBytes, blockBytes, 0), "a zero in a cooled extent")
      const content = await rig.read(0, blockBytes)
      check(
        content.every((byte) => byte === 0),
        "a refused write to change nothing",
      )
    },
  },
  {
    promise: "S16",
    title: "an extent outside the volume is our own mistake",
    run: async (rig) => {
      const count = rig.io.sizeBytes / rig.shape.extentBytes
      for (const extent of [count, -1, 0.5]) {
        checkAsserts(() => rig.io.heat(0, [extent]), `heating extent ${extent}`)
        checkAsserts(() => rig.io.cool([extent]), `cooling extent ${extent}`)
      }
      await rig.heat([count - 1])
    },
  },
]
