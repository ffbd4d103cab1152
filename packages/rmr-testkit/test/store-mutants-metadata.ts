/**
 * Stores that are wrong about cells, the hot set, restarts and damage.
 */
import type { CellKind, CellWrite, Store, StoreOpen, StoreSource } from "@rmr/core"
import type { OpenFindings } from "../src/store/memory-medium.js"
import { MemoryMedium } from "../src/store/memory-medium.js"
import { OpenMemoryStore } from "../src/store/open-memory-store.js"
import { overlay } from "./block-mutant.js"
import type { StoreMutant } from "./store-mutant.js"
import { altered, withParts, wrapped } from "./store-mutant.js"

/** Commits wait in the cache for the next flush. */
class LazyCommitMedium extends MemoryMedium {
  private undo: CellWrite[] = []

  override commit(cells: readonly CellWrite[]): boolean {
    const before = cells.map(({ kind, index }) => ({
      kind,
      index,
      bytes: this.readCell(kind, index),
    }))
    this.undo = [...before.reverse(), ...this.undo]
    return super.commit(cells)
  }

  override flush(): boolean {
    this.undo = []
    return super.flush()
  }

  override losePower(): void {
    for (const cell of this.undo) this.put([cell])
    this.undo = []
    super.losePower()
  }
}

/** A process that dies leaves the first half of each commit in flight. */
class HalfCommitStore extends OpenMemoryStore {
  override die(): void {
    for (const operation of this.queue.abandon().metadata) {
      operation.cells = operation.cells.slice(0, Math.ceil(operation.cells.length / 2))
    }
    super.die()
  }
}

class SpillingMedium extends MemoryMedium {
  protected override put(cells: readonly CellWrite[]): void {
    super.put(cells)
    const spilled = cells.find(({ bytes }) => bytes !== undefined && bytes.length > 100_000)
    if (spilled !== undefined) this.data.write(0, new Uint8Array(512).fill(1))
  }
}

class ForgetfulMedium extends MemoryMedium {
  override open(): OpenFindings {
    this.put([{ kind: "last-io", index: 0, bytes: undefined }])
    return super.open()
  }
}

/** Heat reaches the log when the store is closed. */
class LazyHeatMedium extends MemoryMedium {
  private warm: number[] = []

  override heat(extents: readonly number[]): void {
    this.warm.push(...extents)
  }

  override closeCleanly(): void {
    super.heat(this.warm)
    super.closeCleanly()
  }

  override open(): OpenFindings {
    this.warm = []
    return super.open()
  }
}

/** What was cooled leaves the log one record too late, over whatever was heated since. */
class LateCoolMedium extends MemoryMedium {
  private late: number[] = []

  override cool(extent: number): void {
    this.late.push(extent)
  }

  override heat(extents: readonly number[]): void {
    super.heat(extents)
    for (const extent of this.late) super.cool(extent)
    this.late = []
  }
}

class ClosingCoolsMedium extends MemoryMedium {
  override closeCleanly(): void {
    for (let extent = 0; extent < 64; extent++) this.cool(extent)
    super.closeCleanly()
  }
}

class EverHotMedium extends MemoryMedium {
  override cool(): void {}
}

class AnywhereStore extends OpenMemoryStore {
  protected override assertHot(): void {}
}

class SettledByOpenMedium extends MemoryMedium {
  override open(): OpenFindings {
    const found = super.open()
    this.settle()
    return found
  }
}

class SettledByCloseMedium extends MemoryMedium {
  override closeCleanly(): void {
    super.closeCleanly()
    this.settle()
  }
}

class NeverSettledMedium extends MemoryMedium {
  override settle(): void {}
}

class FlushBelieverMedium extends MemoryMedium {
  override flush(): boolean {
    const isFlushed = super.flush()
    if (!isFlushed) this.settle()
    return isFlushed
  }
}

class HidingMedium extends MemoryMedium {
  private readonly damaged = new Set<string>()

  override damageCell(kind: CellKind, index: number): void {
    super.damageCell(kind, index)
    this.damaged.add(`${kind} ${index}`)
  }

  override cellIndexes(kind: CellKind): readonly number[] {
    return super.cellIndexes(kind).filter((index) => !this.damaged.has(`${kind} ${index}`))
  }
}

/** Each life is half as finely grained as the one before. */
function reshaping(source: StoreSource): StoreSource {
  let lifeCount = 0
  return {
    name: source.name,
    open: async (open) => {
      const store = await source.open(open)
      lifeCount++
      return overlay(store, { inFlightMax: store.inFlightMax / lifeCount })
    },
  }
}

/** Two commits of one turn change places. */
function swapping(store: Store, { env }: StoreOpen): Partial<Store> {
  let waiting: (() => void) | undefined
  return {
    commit: (token, cells) => {
      const copies = cells.map((cell) => ({ ...cell, bytes: cell.bytes?.slice() }))
      const pass = (): void => store.commit(token, copies)
      if (waiting === undefined) {
        waiting = pass
        env.clock.endOfTurn(() => {
          waiting?.()
          waiting = undefined
        })
      } else {
        pass()
        waiting()
        waiting = undefined
      }
    },
  }
}

/** Hands out its own bytes, and keeps the caller's. */
function sharing(store: Store): Partial<Store> {
  const kept = new Map<string, Uint8Array>()
  return {
    commit: (token, cells) => {
      for (const { kind, index, bytes } of cells) {
        if (bytes !== undefined) kept.set(`${kind} ${index}`, bytes)
      }
      store.commit(token, cells)
    },
    readCell: async (kind, index) => kept.get(`${kind} ${index}`) ?? store.readCell(kind, index),
  }
}

const lenientRead =
  (store: Store) =>
  async (kind: CellKind, index: number): Promise<Uint8Array | undefined> =>
    store.readCell(kind, index).catch(() => undefined)

export const METADATA_MUTANTS: readonly StoreMutant[] = [
  wrapped("changes its geometry from one opening to the next", "S1", reshaping),
  withParts("commits into a volatile cache", "S9", { Medium: LazyCommitMedium }),
  withParts("leaves half a commit when the process dies", "S9", { Open: HalfCommitStore }),
  withParts("spills a large commit into data", "S9", { Medium: SpillingMedium }),
  altered("swaps commits of one turn", "S9", swapping),
  altered("shares the bytes of cells with its callers", "S9", sharing),
  withParts("forgets a cell between two lives", "S10", { Medium: ForgetfulMedium }),
  withParts("loses heat in a crash", "S16", { Medium: LazyHeatMedium }),
  withParts("cools what was heated again", "S16", { Medium: LateCoolMedium }),
  withParts("takes a clean close for stable everywhere", "S16", { Medium: ClosingCoolsMedium }),
  withParts("never cools", "S16", { Medium: EverHotMedium }),
  withParts("writes where it is cold", "S16", { Open: AnywhereStore }),
  altered("says none whatever happened", "S17", () => ({ restart: "none" })),
  altered("takes a lost cache for a dead process", "S17", (store) => ({
    restart: store.restart === "cache-lost" ? "process" : store.restart,
  })),
  withParts("forgets a crash once it was told", "S17", { Medium: SettledByOpenMedium }),
  withParts("forgets a crash at the next clean close", "S17", { Medium: SettledByCloseMedium }),
  withParts("never settles", "S17", { Medium: NeverSettledMedium }),
  withParts("forgives a failed flush", "S17", { Medium: FlushBelieverMedium }),
  altered("takes a damaged cell for an absent one", "S19", (store) => ({
    readCell: lenientRead(store),
  })),
  altered("takes a damaged hot set for an empty one", "S19", (store) => ({
    hotAtOpen: store.hotAtOpen === "unreadable" ? [] : store.hotAtOpen,
  })),
  withParts("hides damaged cells from its indexes", "S19", { Medium: HidingMedium }),
]
