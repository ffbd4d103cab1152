/**
 * S14: random operations of every kind, through lives that end in every way, against plain memory.
 *
 * To the volume's oracle come a model of cells (what completed, and which commits a crash may have
 * let through, in order), of the hot set (what must be hot) and of the restart class.
 */
import type { CellWrite, RestartClass } from "@rmr/core"
import { AssertionError, CELL_KINDS, MEMBERS_MAX, RESTART_CLASSES } from "@rmr/core"
import type { RigClause } from "../block-io/clause.js"
import { isSame, stamped } from "../block-io/content.js"
import type { PowerName } from "../block-io/harness.js"
import { type LifeEnd, RandomRun } from "../block-io/random-run.js"
import type { Started } from "../block-io/started.js"
import { check, checkEqual } from "../check.js"
import type { StoreRig } from "./rig.js"

/** Cells by name, as they must read. */
type Cells = ReadonlyMap<string, Uint8Array>

const RUNS = 3
const IN_FLIGHT_COMMITS_MAX = 4
const COMMIT_CELLS_MAX = 4

class StoreRun extends RandomRun<StoreRig> {
  private cells: Cells = new Map()
  private readonly mustBeHot = new Set<number>()
  private unsettled: RestartClass = "none"
  private inFlight: { started: Started; writes: readonly CellWrite[] }[] = []
  private cellTag = 1

  protected override async extraStep(): Promise<void> {
    const { rig, random } = this
    if (random.chance(0.7)) {
      const writes = this.randomCommit()
      await rig.commit(writes)
      this.cells = applied(this.cells, writes)
    }
    if (random.chance(0.5)) {
      const extents = this.randomExtents()
      await rig.heat(extents)
      for (const extent of extents) this.mustBeHot.add(extent)
    }
    if (random.chance(0.5)) {
      const extents = this.randomExtents()
      rig.cool(extents)
      for (const extent of extents) this.mustBeHot.delete(extent)
    }
    if (random.chance(0.2)) {
      await rig.settleRestart()
      this.unsettled = "none"
    }
    await this.checkCells([this.cells])
  }

  protected override startExtra(): void {
    const count = this.random.below(IN_FLIGHT_COMMITS_MAX + 1)
    this.inFlight = Array.from({ length: count }, () => {
      const writes = this.randomCommit()
      return { started: this.rig.startCommit(writes), writes }
    })
  }

  protected override async checkExtra(end: LifeEnd): Promise<void> {
    this.suffer(end)
    checkEqual(this.rig.io.restart, this.unsettled, "the restart class")
    const { hotAtOpen } = this.rig.io
    check(hotAtOpen !== "unreadable", "the hot set to be readable")
    for (const extent of this.mustBeHot) check(hotAtOpen.includes(extent), `${extent} to be hot`)
    const possible: Cells[] = [this.cells]
    for (const { started, writes } of this.inFlight) {
      const next = applied(possible[possible.length - 1]!, writes)
      if (started.isDone) possible.length = 0
      possible.push(next)
    }
    this.inFlight = []
    this.cells = await this.checkCells(possible)
  }

  private suffer(end: LifeEnd): void {
    const happened = end === "close" ? "none" : end === "kill" ? "process" : "cache-lost"
    const worse = Math.max(
      RESTART_CLASSES.indexOf(happened),
      RESTART_CLASSES.indexOf(this.unsettled),
    )
    this.unsettled = RESTART_CLASSES[worse]!
  }

  /** Which of the possible states the cells are in. */
  private async checkCells(possible: readonly Cells[]): Promise<Cells> {
    const found = new Map<string, Uint8Array>()
    for (const kind of CELL_KINDS) {
      for (const index of this.rig.io.cellIndexes(kind)) {
        const bytes = await this.rig.cell(kind, index)
        if (bytes !== undefined) found.set(`${kind} ${index}`, bytes)
      }
    }
    const state = possible.find((cells) => isSameCells(cells, found))
    if (state !== undefined) return state
    throw new AssertionError(`expected the cells to be as after one of ${possible.length} commits`)
  }

  private randomCommit(): CellWrite[] {
    const writes = new Map<string, CellWrite>()
    for (let count = this.random.between(1, COMMIT_CELLS_MAX); count > 0; count--) {
      const kind = this.random.pick(CELL_KINDS)
      const isMany = kind === "map" || kind === "map-page"
      const index = isMany ? this.random.below(MEMBERS_MAX) : 0
      const words = this.random.below(200)
      const isRemoved = this.random.chance(0.2)
      const bytes = isRemoved ? undefined : stamped(0, 4 * words, this.cellTag++)
      writes.set(`${kind} ${index}`, { kind, index, bytes })
    }
    return [...writes.values()]
  }

  private randomExtents(): number[] {
    const count = this.rig.io.sizeBytes / this.rig.shape.extentBytes
    return Array.from({ length: this.random.between(1, 4) }, () => this.random.below(count))
  }
}

function applied(cells: Cells, writes: readonly CellWrite[]): Cells {
  const after = new Map(cells)
  for (const { kind, index, bytes } of writes) {
    if (bytes === undefined) after.delete(`${kind} ${index}`)
    else after.set(`${kind} ${index}`, bytes)
  }
  return after
}

function isSameCells(expected: Cells, found: Cells): boolean {
  if (expected.size !== found.size) return false
  for (const [name, bytes] of expected) {
    const other = found.get(name)
    if (other === undefined || !isSame(bytes, other)) return false
  }
  return true
}

function clause(
  title: string,
  ends: readonly LifeEnd[],
  needs: readonly PowerName[],
): RigClause<StoreRig> {
  return {
    promise: "S14",
    title: `random operations match plain memory, ${title}`,
    needs,
    run: async (rig) => {
      for (let nth = 1; nth <= RUNS; nth++) {
        const random = rig.harness.random.fork(`run-${nth}`)
        await new StoreRun(rig, random, await rig.readAll()).run(ends)
        await startOver(rig)
      }
    },
  }
}

/** The next run begins with what the models begin with: no cells, nothing to settle. */
async function startOver(rig: StoreRig): Promise<void> {
  const removals = CELL_KINDS.flatMap((kind) =>
    rig.io.cellIndexes(kind).map((index): CellWrite => ({ kind, index, bytes: undefined })),
  )
  await rig.commit(removals)
  await rig.settleRestart()
  await rig.reopen()
}

export const oracleClauses: readonly RigClause<StoreRig>[] = [
  clause("from one opening to the next", ["close"], []),
  clause("also where processes die", ["close", "kill"], ["kill"]),
  clause("also where machines die", ["close", "kill", "powerCut"], ["kill", "powerCut"]),
]
