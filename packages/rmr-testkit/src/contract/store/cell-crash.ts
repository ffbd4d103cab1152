/**
 * S9 under crashes: a commit is there as a whole or not at all, what completed is there, and
 * nothing overtakes.
 */
import type { CellWrite } from "@rmr/core"
import { AssertionError } from "@rmr/core"
import type { RigClause } from "../block-io/clause.js"
import type { LifeEnd } from "../block-io/random-run.js"
import { check, checkBytes, checkEqual, checkList } from "../check.js"
import { cellWrite } from "./cells.js"
import type { StoreRig } from "./rig.js"

const ROUNDS = 12
const CHAIN_LENGTH = 5
const NO_VERSION = 0

/** Three cells with the version in each, and one that only odd versions have. */
function versionCells(version: number): CellWrite[] {
  const odd = version % 2 === 1 ? cellWrite("map", 4, version) : undefined
  return [
    cellWrite("state", 0, version, 4032),
    cellWrite("pool-metadata", 0, version, 8000),
    cellWrite("map-page", 3, version, 4032),
    odd ?? { kind: "map", index: 4, bytes: undefined },
  ]
}

/** The one version that all cells have. */
async function commonVersion(rig: StoreRig, candidates: readonly number[]): Promise<number> {
  const state = await rig.cell("state")
  if (state === undefined) {
    checkList(rig.io.cellIndexes("pool-metadata"), [], "cells beside a missing one")
    checkList(rig.io.cellIndexes("map-page"), [], "cells beside a missing one")
    return NO_VERSION
  }
  for (const version of candidates) {
    const cells = versionCells(version)
    if (cells[0]!.bytes!.some((byte, at) => byte !== state[at])) continue
    for (const { kind, index, bytes } of cells) {
      const found = await rig.cell(kind, index)
      check((found === undefined) === (bytes === undefined), `${kind} to be of version ${version}`)
      if (bytes !== undefined) checkBytes(found!, bytes, `${kind} of version ${version}`)
    }
    return version
  }
  throw new AssertionError(`expected the state cell to be of a version in ${candidates.join(", ")}`)
}

async function crashAmongCommits(rig: StoreRig, end: Exclude<LifeEnd, "close">): Promise<void> {
  let last = NO_VERSION
  for (let round = 0; round < ROUNDS; round++) {
    const versions = Array.from({ length: CHAIN_LENGTH }, (_, nth) => last + nth + 1)
    const commits = versions.map((version) => rig.startCommit(versionCells(version)))
    rig.io.submit()
    const waitedFor = round % (CHAIN_LENGTH + 1)
    if (waitedFor > 0) await rig.done(...commits.slice(0, waitedFor))
    const completed = commits.filter((commit) => commit.isDone).length
    if (end === "kill") await rig.kill()
    else await rig.powerCut()
    await rig.open()
    const found = await commonVersion(rig, [last, ...versions])
    check(found >= last + completed, `version ${last + completed} to have survived, not ${found}`)
    last = found
  }
  check(last > NO_VERSION, "some commit of all those rounds to be there")
}

export const cellCrashClauses: readonly RigClause<StoreRig>[] = [
  {
    promise: "S9",
    title: "a process that dies among commits leaves whole ones, all that completed, in order",
    needs: ["kill"],
    run: (rig) => crashAmongCommits(rig, "kill"),
  },
  {
    promise: "S9",
    title: "a power cut among commits leaves whole ones, all that completed, in order",
    needs: ["powerCut"],
    run: (rig) => crashAmongCommits(rig, "powerCut"),
  },
  {
    promise: "S9",
    title: "a commit is durable at completion, without any flush",
    needs: ["powerCut"],
    run: async (rig) => {
      for (let version = 1; version <= ROUNDS; version++) {
        await rig.commit(versionCells(version))
        await rig.powerCut()
        await rig.open()
        checkEqual(await commonVersion(rig, [version]), version, "the version after a power cut")
      }
    },
  },
  {
    promise: "S9",
    title: "a commit that failed shows nothing, and is found whole or not at all after reopening",
    needs: ["failNextCommit", "kill"],
    run: async (rig) => {
      let last = 1
      await rig.commit(versionCells(last))
      for (let round = 0; round < ROUNDS; round++) {
        await rig.power("failNextCommit")()
        const commit = rig.startCommit(versionCells(last + 1))
        rig.checkStatus(await rig.outcome(commit), "io-error", "a commit that fails")
        checkEqual(await commonVersion(rig, [last]), last, "the version after a failed commit")
        await rig.kill()
        await rig.open()
        last = await commonVersion(rig, [last, last + 1])
      }
    },
  },
]
