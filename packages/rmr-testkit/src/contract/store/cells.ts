/**
 * S9, S10: cells change together, in order, durably, and live apart from data.
 */
import type { CellKind, CellWrite } from "@rmr/core"
import {
  CELL_BYTES_MAX,
  CELL_KINDS,
  COMMIT_BYTES_MAX,
  cellCountMax,
  MEMBERS_MAX,
  type StoreGeometry,
} from "@rmr/core"
import type { RigClause } from "../block-io/clause.js"
import { stamped } from "../block-io/content.js"
import { check, checkAsserts, checkBytes, checkEqual, checkList } from "../check.js"
import type { StoreRig } from "./rig.js"

export function cellWrite(kind: CellKind, index: number, tag: number, bytes = 64): CellWrite {
  return { kind, index, bytes: stamped(0, bytes, tag) }
}

async function checkCell(
  rig: StoreRig,
  { kind, index, bytes }: CellWrite,
  what: string,
): Promise<void> {
  const found = await rig.cell(kind, index)
  check((found === undefined) === (bytes === undefined), `${what} ${kind} ${index} to be there`)
  if (found !== undefined && bytes !== undefined)
    checkBytes(found, bytes, `${what} ${kind} ${index}`)
}

/** One cell of each kind, the largest there can be. */
function largestCells(tag: number): CellWrite[] {
  return CELL_KINDS.map((kind) => cellWrite(kind, 0, tag, CELL_BYTES_MAX[kind]))
}

/** Every cell that exists, small, in commits that are not too large. */
function everyCell(geometry: StoreGeometry, tag: number): CellWrite[] {
  return CELL_KINDS.flatMap((kind) => {
    const count = Math.min(cellCountMax(kind, geometry), 4 * MEMBERS_MAX)
    return Array.from({ length: count }, (_, index) => cellWrite(kind, index, tag + index))
  })
}

export const cellClauses: readonly RigClause<StoreRig>[] = [
  {
    promise: "S9",
    title: "a fresh store has no cells, and says so",
    run: async (rig) => {
      for (const kind of CELL_KINDS) {
        checkList(rig.io.cellIndexes(kind), [], `cells of kind ${kind}`)
        checkEqual(await rig.cell(kind), undefined, `cell ${kind}`)
      }
    },
  },
  {
    promise: "S9",
    title: "every cell there can be is read back as it was committed last",
    run: async (rig) => {
      for (const tag of [1, 1000]) {
        const cells = everyCell(rig.io.geometry, tag)
        await rig.commit(cells)
        for (const cell of cells) await checkCell(rig, cell, "committed cell")
      }
    },
  },
  {
    promise: "S9",
    title: "the largest cell of every kind fits into one commit, and an empty cell is a cell",
    run: async (rig) => {
      for (const cells of [largestCells(1), largestCells(2)]) {
        await rig.commit(cells)
        for (const cell of cells) await checkCell(rig, cell, "largest cell")
      }
      await rig.commit([{ kind: "map", index: 1, bytes: new Uint8Array(0) }])
      checkEqual((await rig.cell("map", 1))?.length, 0, "the length of an empty cell")
      await rig.commit([])
    },
  },
  {
    promise: "S9",
    title: "a removed cell is gone, its neighbours are not, and indexes are told in order",
    run: async (rig) => {
      await rig.commit([5, 1, 3].map((index) => cellWrite("map", index, index)))
      checkList(rig.io.cellIndexes("map"), [1, 3, 5], "indexes of maps")
      await rig.commit([{ kind: "map", index: 3, bytes: undefined }, cellWrite("map", 0, 7)])
      checkList(rig.io.cellIndexes("map"), [0, 1, 5], "indexes of maps after a removal")
      await checkCell(rig, { kind: "map", index: 3, bytes: undefined }, "removed cell")
      await checkCell(rig, cellWrite("map", 5, 5), "cell beside it")
      await rig.commit([{ kind: "map", index: 6, bytes: undefined }])
      checkList(rig.io.cellIndexes("map"), [0, 1, 5], "indexes after removing what was not there")
    },
  },
  {
    promise: "S9",
    title: "bytes are copied at the call and handed out as the caller's own",
    run: async (rig) => {
      const bytes = stamped(0, 64, 1)
      const commit = rig.startCommit([{ kind: "state", index: 0, bytes }])
      bytes.fill(0xff)
      await rig.done(commit)
      const first = await rig.cell("state")
      checkBytes(first!, stamped(0, 64, 1), "the cell as it was at the call")
      first!.fill(0xff)
      checkBytes((await rig.cell("state"))!, stamped(0, 64, 1), "the cell after a reader's change")
    },
  },
  {
    promise: "S9",
    title: "of commits in flight together the last submitted wins",
    run: async (rig) => {
      for (let round = 0; round < 8; round++) {
        const commits = Array.from({ length: 6 }, (_, nth) =>
          rig.startCommit([cellWrite("state", 0, 10 * round + nth)]),
        )
        await rig.done(...commits)
        await checkCell(rig, cellWrite("state", 0, 10 * round + 5), "last committed")
      }
    },
  },
  {
    promise: "S9",
    title: "cells and data are out of each other's reach",
    run: async (rig) => {
      const { sizeBytes } = rig.io
      const stepBytes = rig.shape.extentBytes
      for (let offset = 0; offset < sizeBytes; offset += stepBytes) {
        await rig.write(offset, stamped(offset, stepBytes, 1))
      }
      const cells = [...largestCells(3), cellWrite("map-page", MEMBERS_MAX - 1, 4, 4032)]
      await rig.commit(cells)
      checkBytes(await rig.readAll(), stamped(0, sizeBytes, 1), "data after a large commit")
      for (let offset = 0; offset < sizeBytes; offset += stepBytes) {
        await rig.zero(offset, stepBytes)
      }
      for (const cell of cells) await checkCell(rig, cell, "cell after zeroing the volume,")
    },
  },
  {
    promise: "S9",
    title: "a cell that does not exist, or twice, or too much, is our own mistake",
    run: async (rig) => {
      await rig.commit([cellWrite("state", 0, 1)])
      const { io } = rig
      const bad: Readonly<Record<string, readonly CellWrite[]>> = {
        "an index that does not exist": [cellWrite("state", 0, 2), cellWrite("state", 1, 2)],
        "an index past the last map page": [
          cellWrite("map-page", MEMBERS_MAX * io.geometry.mapPagesMax, 2),
        ],
        "a negative index": [cellWrite("map", -1, 2)],
        "a cell twice": [cellWrite("state", 0, 2), cellWrite("state", 0, 3)],
        "a cell that is too large": [cellWrite("state", 0, 2, CELL_BYTES_MAX.state + 4)],
      }
      for (const [what, cells] of Object.entries(bad)) checkAsserts(() => io.commit(0, cells), what)
      await checkCell(rig, cellWrite("state", 0, 1), "cell after refused commits,")
      check(COMMIT_BYTES_MAX >= 2 * CELL_BYTES_MAX["last-io"], "room for the largest cells")
    },
  },
  {
    promise: "S10",
    title: "reopening finds the same cells, time after time",
    run: async (rig) => {
      const cells = everyCell(rig.io.geometry, 1)
      await rig.commit([...cells, ...[]])
      await rig.commit([{ kind: "map", index: 2, bytes: undefined }])
      const kept = cells.filter(({ kind, index }) => kind !== "map" || index !== 2)
      for (let time = 1; time <= 3; time++) {
        await rig.reopen()
        for (const cell of kept) await checkCell(rig, cell, `after reopening ${time} times:`)
        check(!rig.io.cellIndexes("map").includes(2), "a removed cell to stay away")
      }
    },
  },
]
