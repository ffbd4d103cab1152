/**
 * LastIo: what each io unit did last (upstream's `last_io`).
 *
 * A client that dies may have written to some members and not to others. It cannot say, so the
 * members remember: a slot per io unit, with the newest mutation that was admitted under that unit.
 * A unit is used again only when its mutation is resolved (rule W7), so whatever the client left
 * open is in these slots, and at most queueDepth mutations are ever in doubt (promise P9).
 *
 * A slot is written in memory at admission, before anything else happens to the mutation (W2, Q6);
 * it is on disk only after a clean close. After a crash of the member it is not trusted, and rule
 * R3 speaks.
 */
import { assert } from "../assert.js"
import type { UnitId } from "../brand.js"
import type { Rank } from "../rules/rank.js"
import { type IoRecord, isMutation } from "../wire/io-record.js"
import {
  LAST_IO_PAYLOAD,
  type LastIoEntry,
  MUTATION_NUMBERS,
  type MutationOperation,
} from "../wire/last-io-entry.js"
import { Refused } from "../wire/refusal.js"
import type { ChunkGeometry } from "./chunk-geometry.js"
import type { DirtyMap } from "./dirty-map.js"
import { RANGE_OK } from "./range-check.js"

/** The epoch of a slot that recorded nothing. */
const NO_EPOCH = 0

const OPERATIONS_BY_NUMBER: ReadonlyMap<number, MutationOperation> = new Map(
  (Object.keys(MUTATION_NUMBERS) as MutationOperation[]).map((operation) => [
    MUTATION_NUMBERS[operation],
    operation,
  ]),
)

/**
 * The part of a decoded IO message that is recorded; one record for all, so nothing is allocated.
 */
export type AdmittedMutation = Readonly<
  Pick<IoRecord, "unit" | "epoch" | "sequence" | "offset" | "length" | "operation">
>

type MutationNumber = Pick<LastIoEntry, "unit" | "epoch" | "sequence">

export class LastIo {
  readonly queueDepth: number
  private readonly epochs: Float64Array
  private readonly sequences: Float64Array
  private readonly offsets: Float64Array
  private readonly lengths: Float64Array
  private readonly operations: Uint8Array
  /** 1 where the mutation came with a copy of a part of its range, or was refused half-way. */
  private readonly partial: Uint8Array

  constructor(queueDepth: number) {
    this.queueDepth = queueDepth
    this.epochs = new Float64Array(queueDepth)
    this.sequences = new Float64Array(queueDepth)
    this.offsets = new Float64Array(queueDepth)
    this.lengths = new Float64Array(queueDepth)
    this.operations = new Uint8Array(queueDepth)
    this.partial = new Uint8Array(queueDepth)
  }

  /**
   * Records a mutation that passed all checks. False, and nothing changes, where the slot holds a
   * later one: then the sender reuses a unit backwards, and the mutation must be refused.
   */
  admit(mutation: AdmittedMutation): boolean {
    const { unit, epoch, sequence } = mutation
    assert(unit >= 0 && unit < this.queueDepth, "a mutation has one of the pool's io units")
    assert(epoch > 0 && sequence > 0, "mutations are numbered from 1 in an epoch that exists")
    assert(isMutation(mutation.operation), "last io is about mutations")
    const order = epoch - this.epochs[unit]! || sequence - this.sequences[unit]!
    if (order < 0) return false
    this.epochs[unit] = epoch
    this.sequences[unit] = sequence
    this.offsets[unit] = mutation.offset
    this.lengths[unit] = mutation.length
    this.operations[unit] = mutation.operation
    this.partial[unit] = 0
    return true
  }

  /**
   * Takes over what a source recorded (S9): the copy that came with it may hold that mutation. A
   * copy that is not of all its range says nothing of the rest, nor does a source that may lack it
   * itself: then it is partial, unless this member recorded it by itself (RT-77). False where its
   * own record of the unit is newer.
   */
  adopt(entry: LastIoEntry, isOfAll: boolean): boolean {
    const { unit, epoch, sequence } = entry
    const isWhole =
      this.epochs[unit] === epoch && this.sequences[unit] === sequence && this.partial[unit] === 0
    if (!this.admit({ ...entry, operation: MUTATION_NUMBERS[entry.operation] })) return false
    this.partial[unit] = (entry.isPartial || !isOfAll) && !isWhole ? 1 : 0
    return true
  }

  /** A mutation that was admitted was refused before it was done: it is not here, or in part. */
  noteUndone({ unit, epoch, sequence }: MutationNumber): void {
    if (this.epochs[unit] !== epoch || this.sequences[unit] !== sequence) return
    this.partial[unit] = 1
  }

  /**
   * I2: all mutations up to this one are resolved. What came with copies is in all other chunks of
   * its range as well by now, or they are dirty.
   */
  noteStable(epoch: number, sequence: number): void {
    for (let unit = 0; unit < this.queueDepth; unit++) {
      if ((this.epochs[unit]! - epoch || this.sequences[unit]! - sequence) <= 0) {
        this.partial[unit] = 0
      }
    }
  }

  /** Whether the member has carried out this mutation, all of it, or a newer one of its unit. */
  holds({ unit, epoch, sequence }: MutationNumber): boolean {
    const recorded = this.epochs[unit]
    if (recorded === undefined || recorded === NO_EPOCH) return false
    const order = recorded - epoch || this.sequences[unit]! - sequence
    return order > 0 || (order === 0 && this.partial[unit] === 0)
  }

  /**
   * What was recorded about any of these bytes, ascending by unit: goes with the answer to a sync
   * read (S9). Whoever answers leaves out what is admitted and not applied: the copy is without it.
   */
  overlapping(offset: number, length: number): LastIoEntry[] {
    return this.entries().filter(
      (entry) => entry.offset < offset + length && entry.offset + entry.length > offset,
    )
  }

  /**
   * Forgets a mutation that was given up (W6, RT-53), and what its unit recorded before it: that
   * was resolved when the unit was used again. Of members that have heard of it and such that have
   * not, none then waits for what the others have forgotten (S10, RT-58).
   */
  forgetUpTo(unit: number, epoch: number, sequence: number): void {
    const recorded = this.epochs[unit]
    if (recorded === undefined || recorded === NO_EPOCH) return
    if ((recorded - epoch || this.sequences[unit]! - sequence) > 0) return
    this.epochs[unit] = NO_EPOCH
    this.sequences[unit] = 0
  }

  /**
   * Forgets everything: after a restart that does not leave it trustworthy (Q6), and when it has
   * become suspicion (R4).
   */
  clear(): void {
    this.epochs.fill(NO_EPOCH)
    this.sequences.fill(0)
    this.offsets.fill(0)
    this.lengths.fill(0)
    this.operations.fill(0)
    this.partial.fill(0)
  }

  /** What the unit recorded, or undefined. It allocates: for recovery, not for the data path. */
  entryOf(unit: UnitId): LastIoEntry | undefined {
    const epoch = this.epochs[unit]
    if (epoch === undefined || epoch === NO_EPOCH) return undefined
    const operation = OPERATIONS_BY_NUMBER.get(this.operations[unit]!)
    assert(operation !== undefined, "a slot holds a mutation")
    return {
      unit,
      operation,
      epoch,
      sequence: this.sequences[unit]!,
      offset: this.offsets[unit]!,
      length: this.lengths[unit]!,
      isPartial: this.partial[unit] === 1,
    }
  }

  /**
   * All units that recorded something, ascending: what OPEN answers, and what a clean close keeps.
   */
  entries(): LastIoEntry[] {
    const entries: LastIoEntry[] = []
    for (let unit = 0; unit < this.queueDepth; unit++) {
      const entry = this.entryOf(unit as UnitId)
      if (entry !== undefined) entries.push(entry)
    }
    return entries
  }

  /** Becomes these entries, or says what is wrong with them and stays as it is. */
  load(entries: readonly LastIoEntry[], geometry: ChunkGeometry): Refused | undefined {
    for (const { unit, offset, length } of entries) {
      if (unit >= this.queueDepth) return new Refused("unit", `${unit}`)
      if (geometry.check(offset, length) !== RANGE_OK) return new Refused("range", `${unit}`)
    }
    this.clear()
    for (const entry of entries) {
      this.adopt(entry, true)
    }
    return undefined
  }

  /** How many bytes `exportTo` writes now. */
  get exportBytes(): number {
    return LAST_IO_PAYLOAD.bytesOf(this.entries())
  }

  /** Writes all entries as the wire has them; whoever keeps the bytes adds a checksum. */
  exportTo(view: DataView, at: number): number {
    const entries = this.entries()
    LAST_IO_PAYLOAD.write(view, at, entries)
    return LAST_IO_PAYLOAD.bytesOf(entries)
  }

  importFrom(
    view: DataView,
    at: number,
    bytes: number,
    geometry: ChunkGeometry,
  ): Refused | undefined {
    const entries = LAST_IO_PAYLOAD.read(view, at, bytes)
    return entries instanceof Refused ? entries : this.load(entries, geometry)
  }

  /** Marks every chunk that a slot touches: a joiner suspects its own last io (rule R5). */
  markChunks(map: DirtyMap, geometry: ChunkGeometry, rank: Rank): void {
    for (let unit = 0; unit < this.queueDepth; unit++) {
      if (this.epochs[unit] === NO_EPOCH) continue
      const offset = this.offsets[unit]!
      map.markRange(geometry.chunkOf(offset), geometry.chunkSpan(offset, this.lengths[unit]!), rank)
    }
  }
}
