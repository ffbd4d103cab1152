/**
 * CellTable: the cells of a store: those of the commit log over those at their places.
 *
 * What a frame says counts from the moment it is durable, and is held here until the cell's place
 * says the same, durably. Only then may the frame be overwritten. So at every moment each cell is
 * durable somewhere, and a place that a power cut damaged is one that the log still has.
 */
import type { CellKind } from "@rmr/core"
import { CELL_KINDS } from "@rmr/core"
import type { CellHomes, CellPlace, HomeWrite } from "./cell-homes.js"

/** A cell as a frame of the log says it. */
export interface LoggedCell extends HomeWrite {
  readonly sequence: number
  /** Where its copies lie in the log. */
  readonly places: readonly CellPlace[]
  /** Its places are good in one copy only, and are to be written again. No frame says it. */
  readonly isUneven?: boolean
}

export class CellTable {
  private readonly homes: CellHomes
  private readonly logged: Map<number, LoggedCell>[] = CELL_KINDS.map(() => new Map())

  constructor(homes: CellHomes) {
    this.homes = homes
  }

  /** What was read ahead while the store was opened is not needed any more. */
  forgetAhead(): void {
    this.homes.forgetAhead()
  }

  note(cell: LoggedCell): void {
    this.of(cell.kind).set(cell.index, cell)
  }

  read(kind: CellKind, index: number): Promise<Uint8Array | "damaged" | undefined> {
    const cell = this.of(kind).get(index)
    if (cell === undefined) return this.homes.read(kind, index)
    return Promise.resolve(cell.body instanceof Uint8Array ? cell.body.slice() : cell.body)
  }

  /** Ascending. */
  indexes(kind: CellKind): number[] {
    const indexes = this.homes.indexes(kind)
    const logged = this.of(kind)
    if (logged.size === 0) return indexes
    const all = indexes.filter((index) => !logged.has(index))
    for (const { index, body } of logged.values()) if (body !== undefined) all.push(index)
    return all.sort((a, b) => a - b)
  }

  placesOf(kind: CellKind, index: number): readonly CellPlace[] {
    const cell = this.of(kind).get(index)
    if (cell !== undefined) return cell.places
    return this.homes.has(kind, index) ? this.homes.placesOf(kind, index) : []
  }

  /** Whether a frame says it, and its places do not yet. */
  isLogged(kind: CellKind, index: number): boolean {
    const cell = this.of(kind).get(index)
    return cell !== undefined && cell.isUneven !== true
  }

  get hasLogged(): boolean {
    return this.homes.isDirectoryUneven || this.logged.some((cells) => cells.size > 0)
  }

  /** What frames before this one say. */
  before(sequence: number): LoggedCell[] {
    return this.logged.flatMap((cells) =>
      [...cells.values()].filter((cell) => cell.sequence < sequence),
    )
  }

  /** Their places say it too, and no frame is needed for them any more. */
  forget(cells: readonly LoggedCell[]): void {
    for (const cell of cells) {
      const of = this.of(cell.kind)
      if (of.get(cell.index) === cell) of.delete(cell.index)
    }
  }

  private of(kind: CellKind): Map<number, LoggedCell> {
    return this.logged[CELL_KINDS.indexOf(kind)]!
  }
}
