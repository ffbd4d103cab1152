/**
 * Member: one store in the service of one pool, and everything that is durable about it.
 *
 * Cells are the truth; the fields here are what this process has read from them or committed to
 * them. A fact is changed by one commit, and the field afterwards, so that nobody acts on what a
 * power cut could take back. A commit that fails ends the member's work: it goes `no-io`, and says
 * at the next opening that its cache is lost (I5).
 */
import type {
  CellWrite,
  ChunkNumber,
  MemberId,
  MemberReport,
  MemberSet,
  MemberState,
  PoolMetadata,
  RangeMarking,
  RestartClass,
  SavedPoolMetadata,
  ServerPoolState,
  Store,
  StoreIdentity,
  ViewNumber,
} from "@rmr/core"
import {
  assert,
  compareViews,
  IDENTITY_CELL,
  MEMBERS_MAX,
  maxView,
  NO_VIEW,
  POOL_METADATA_CELL,
  RmrError,
  STATE_CELL,
} from "@rmr/core"
import type { MemberVolume } from "./member-volume.js"
import type { StoreJobs } from "./store-jobs.js"

export interface MemberParts {
  readonly jobs: StoreJobs
  readonly identity: StoreIdentity
  readonly state: MemberState
  readonly saved: SavedPoolMetadata | undefined
  readonly volume: MemberVolume | undefined
}

export class Member {
  readonly jobs: StoreJobs
  readonly memberId: MemberId
  readonly restart: RestartClass
  /** What was hot when the store was opened unclean (R3), ascending. */
  readonly hotAtOpen: readonly number[] | "unreadable"
  private identityNow: StoreIdentity
  private stateNow: MemberState
  private savedNow: SavedPoolMetadata | undefined
  private volumeNow: MemberVolume | undefined
  private readonly since: ViewNumber[] = []
  /** Marks or clears could not be made durable: this member keeps no promise any more (M1). */
  onMapsLost: (error: RmrError) => void = () => undefined
  private saving: Promise<void> = Promise.resolve()

  constructor(parts: MemberParts) {
    this.jobs = parts.jobs
    this.memberId = parts.identity.memberId
    this.restart = parts.jobs.store.restart
    this.hotAtOpen = parts.jobs.store.hotAtOpen
    this.identityNow = parts.identity
    this.stateNow = parts.state
    this.savedNow = parts.saved
    this.volumeNow = parts.volume
    this.markedFor = parts.saved === undefined ? 0 : absentOf(parts.saved.metadata)
  }

  get store(): Store {
    return this.jobs.store
  }

  get identity(): StoreIdentity {
    return this.identityNow
  }

  get state(): MemberState {
    return this.stateNow
  }

  /** The view record on its disk. */
  get record(): PoolMetadata | undefined {
    return this.savedNow?.metadata
  }

  get volume(): MemberVolume | undefined {
    return this.volumeNow
  }

  /** The view on its disk, (0, 0) for none. */
  get view(): ViewNumber {
    return this.savedNow?.metadata.mapVersion ?? NO_VIEW
  }

  /** This member's slot in the record on its disk. */
  get ownSlot(): number {
    return this.volumeNow?.ownSlot ?? -1
  }

  /**
   * For whom mutations are marked: the absent of the view on its disk, and from the moment a view
   * change lists its ranges, those of the new one (V2).
   */
  markedFor: MemberSet = 0

  /**
   * Since which view the slot is normal without a break, as far as this process has persisted it.
   */
  normalSince(slot: number): ViewNumber {
    return this.since[slot] ?? NO_VIEW
  }

  /** Changes what the state cell says, durably. */
  async changeState(change: Partial<MemberState>): Promise<void> {
    const next = { ...this.stateNow, ...change }
    await this.jobs.commit([this.stateCell(next)])
    this.stateNow = next
  }

  /** Remembers a view that somebody has persisted, durably, unless a later one is known (V4). */
  async raiseSeen(lineage: string, view: ViewNumber, normal: MemberSet): Promise<void> {
    if (compareViews(view, this.stateNow.seen) <= 0) return
    await this.changeState({ lineage, seen: view, seenNormal: normal })
  }

  /**
   * The step to another view: record, what became of its ranges, the claim, and the marks, in one
   * commit (V2). Pages beyond the first commit follow in others; the record says how to make them
   * again.
   */
  async persistView(metadata: PoolMetadata, markings: readonly RangeMarking[]): Promise<void> {
    const volume = this.volumeNow
    assert(volume !== undefined, "who persists a view tracks the volume")
    const isNormal = (metadata.normal & (1 << volume.ownSlot)) !== 0
    const { lineage } = metadata.mapVersion
    const seen = maxView(metadata.mapVersion, this.stateNow.seen)
    const isNewest = seen === metadata.mapVersion
    const next: MemberState = {
      ...this.stateNow,
      lineage,
      seen,
      seenNormal: isNewest ? metadata.normal : this.stateNow.seenNormal,
      normalThrough: isNormal ? metadata.mapVersion : this.stateNow.normalThrough,
    }
    const saved = { metadata, markings }
    const record: CellWrite = {
      kind: "pool-metadata",
      index: 0,
      bytes: POOL_METADATA_CELL.encode(saved),
    }
    await this.inOrder(async () => {
      const cells = [record, this.stateCell(next)]
      await this.commitMaps(volume, cells, () => {
        this.noteNormal(metadata)
        this.stateNow = next
        this.savedNow = saved
      })
    })
  }

  /**
   * R7: the record of another history, in which this member is absent, takes the place of its own,
   * with whatever has changed in the maps, in one commit.
   */
  async takeHistory(metadata: PoolMetadata, change: Partial<MemberState>): Promise<void> {
    const volume = this.volumeNow
    assert(volume !== undefined, "who has a history tracks the volume")
    const { lineage, epoch, version } = metadata.mapVersion
    const seen = { epoch, version }
    const next = { ...this.stateNow, ...change, lineage, seen, seenNormal: metadata.normal }
    const saved = { metadata, markings: metadata.ranges.map(() => "none" as const) }
    const bytes = POOL_METADATA_CELL.encode(saved)
    await this.inOrder(async () => {
      const cells = [{ kind: "pool-metadata", index: 0, bytes } as const, this.stateCell(next)]
      await this.commitMaps(volume, cells, () => {
        // Since when others are normal there, it does not know.
        this.since.length = 0
        this.stateNow = next
        this.savedNow = saved
      })
    })
  }

  /** S10: who is normal in this view and was not in the last has joined with it. */
  private noteNormal({ normal, mapVersion }: PoolMetadata): void {
    const before = this.record?.normal ?? 0
    for (let slot = 0; slot < MEMBERS_MAX; slot++) {
      const bit = 1 << slot
      if ((normal & bit) !== 0 && (before & bit) === 0) this.since[slot] = mapVersion
    }
  }

  /** A new member: identity, first record and state in one commit. */
  async create(
    identity: StoreIdentity,
    state: MemberState,
    saved: SavedPoolMetadata,
    volume: MemberVolume,
  ): Promise<void> {
    const cells: readonly CellWrite[] = [
      { kind: "identity", index: 0, bytes: IDENTITY_CELL.encode(identity) },
      { kind: "pool-metadata", index: 0, bytes: POOL_METADATA_CELL.encode(saved) },
      this.stateCell(state),
    ]
    await this.commitMaps(volume, cells, () => undefined)
    this.identityNow = identity
    this.stateNow = state
    this.savedNow = saved
    this.volumeNow = volume
    this.markedFor = absentOf(saved.metadata)
  }

  /** Makes all marks and clears of now durable; later ones are not waited for. */
  saveMaps(): Promise<void> {
    return this.inOrder(async () => {
      const volume = this.volumeNow
      if (volume?.maps.hasChanges === true) await this.commitMaps(volume, [], () => undefined)
    })
  }

  /**
   * Commits these cells together with what has changed in the maps. `onFirst` runs when they are
   * durable; the pages that did not fit follow in commits of their own.
   */
  private async commitMaps(
    { maps }: MemberVolume,
    first: readonly CellWrite[],
    onFirst: () => void,
  ): Promise<void> {
    maps.beginSave()
    await this.jobs.commit([...first, ...maps.nextCells()])
    onFirst()
    let cells = maps.nextCells()
    for (; cells.length > 0; cells = maps.nextCells()) await this.jobs.commit(cells)
    maps.endSave()
  }

  /**
   * Clears own chunks, durably first and in memory then (S4). A chunk that was marked again on the
   * way stays dirty.
   */
  clearDurably(chunks: readonly ChunkNumber[]): Promise<void> {
    return this.inOrder(async () => {
      const maps = this.volumeNow?.maps
      if (maps === undefined) return
      await maps.clearOwn(chunks, (cells) => this.jobs.commit(cells))
    })
  }

  /**
   * Whoever takes cells of the maps does so after those before it are durable: else "nothing has
   * changed" would be said of what is still on its way. What cannot be kept is told here, whoever
   * asked for it: cells that were taken are not asked for again.
   */
  private inOrder(run: () => Promise<void>): Promise<void> {
    this.saving = this.saving.then(run)
    this.saving.catch((thrown: unknown) => this.onMapsLost(RmrError.from(thrown)))
    return this.saving
  }

  report(state: ServerPoolState, joinedView: ViewNumber): MemberReport {
    const { seen, seenNormal, normalThrough, incarnation, lifecycle } = this.stateNow
    return {
      storeUuid: this.identityNow.storeUuid,
      seen,
      seenNormal,
      normalThrough,
      joinedView,
      incarnation,
      sizeBytes: this.store.sizeBytes,
      state,
      restart: this.restart,
      lifecycle,
    }
  }

  stateCell(state: MemberState): CellWrite {
    return { kind: "state", index: 0, bytes: STATE_CELL.encode(state) }
  }
}

/** Members of the table that are not in the normal set. */
export function absentOf({ members, normal }: PoolMetadata): MemberSet {
  let all = 0
  for (const [slot, member] of members.entries()) if (member !== undefined) all |= 1 << slot
  return all & ~normal
}

/** The slot of a member in a record, or -1. */
export function slotOfMember({ members }: PoolMetadata, memberId: MemberId): number {
  return members.findIndex((member) => member?.memberId === memberId)
}
