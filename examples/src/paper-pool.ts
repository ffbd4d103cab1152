/**
 * A pool on paper: three members, each with its own dirty map and its marks about others, and for
 * contents one number per chunk, the mutation that was applied there last.
 *
 * There is no network and no disk here, and nobody decides anything: whoever tells the story asks
 * the rules of @rmr/core and then carries out what they say by the functions below.
 */
import {
  type ChunkGeometry,
  type ChunkNumber,
  DirtyMap,
  type MemberSet,
  RANK_REAL,
  setOf,
  slotsOf,
  type View,
  type ViewNumber,
  without,
} from "@rmr/core"

export interface PaperMember {
  /** Its place in the pool's member table. */
  readonly slot: number
  readonly memberId: number
  /** By chunk, which mutation it holds. */
  readonly contents: Uint32Array
  /** What it lacks, by its own account. */
  readonly own: DirtyMap
  /** What an absent member lacks, by this one's account. */
  readonly marksBySlot: Map<number, DirtyMap>
}

export interface PaperPool {
  readonly geometry: ChunkGeometry
  readonly members: readonly [PaperMember, PaperMember, PaperMember]
  view: View
  /** Mutations so far. */
  mutationCount: number
}

export const EVERYBODY: MemberSet = setOf(0, 1, 2)

export function paperPool(geometry: ChunkGeometry): PaperPool {
  const { chunkCount } = geometry
  const member = (slot: number): PaperMember => ({
    slot,
    memberId: slot + 1,
    contents: new Uint32Array(chunkCount),
    own: new DirtyMap({ chunkCount }),
    marksBySlot: new Map<number, DirtyMap>(),
  })
  return {
    geometry,
    members: [member(0), member(1), member(2)],
    view: { epoch: 1, version: 1, normal: EVERYBODY },
    mutationCount: 0,
  }
}

/**
 * Applies a mutation on some members; they mark its chunks for everybody who is out of the view.
 */
export function apply(pool: PaperPool, offset: number, length: number, on: MemberSet): void {
  pool.mutationCount++
  for (const slot of slotsOf(on)) {
    const member = memberAt(pool, slot)
    forEachChunk(pool, offset, length, (chunk) => {
      member.contents[chunk] = pool.mutationCount
    })
    for (const absent of slotsOf(without(EVERYBODY, pool.view.normal))) {
      mark(pool, member, absent, offset, length)
    }
  }
}

/**
 * A view without a member becomes effective: marks about it are born, with the ranges it lists
 * (V2).
 */
export function expel(
  pool: PaperPool,
  view: View,
  ranges: readonly (readonly [number, number])[],
): void {
  const expelled = without(pool.view.normal, view.normal)
  for (const slot of slotsOf(view.normal)) {
    const member = memberAt(pool, slot)
    for (const absent of slotsOf(expelled)) {
      const stamp: ViewNumber = { epoch: view.epoch, version: view.version }
      const { chunkCount } = pool.geometry
      member.marksBySlot.set(absent, new DirtyMap({ chunkCount, stamp }))
      for (const [offset, length] of ranges) mark(pool, member, absent, offset, length)
    }
  }
  pool.view = view
}

export function memberAt(pool: PaperPool, slot: number): PaperMember {
  const member = pool.members[slot]
  if (member === undefined) throw new Error(`the pool on paper has no slot ${slot}`)
  return member
}

/** Chunks in which two members differ. */
export function differences(a: PaperMember, b: PaperMember): number {
  return a.contents.reduce((sum, held, chunk) => sum + (held === b.contents[chunk] ? 0 : 1), 0)
}

function mark(
  pool: PaperPool,
  member: PaperMember,
  absent: number,
  offset: number,
  length: number,
): void {
  forEachChunk(pool, offset, length, (chunk) => {
    member.marksBySlot.get(absent)?.mark(chunk, RANK_REAL)
  })
}

function forEachChunk(
  { geometry }: PaperPool,
  offset: number,
  length: number,
  run: (chunk: ChunkNumber) => void,
): void {
  const first = geometry.chunkOf(offset)
  const span = geometry.chunkSpan(offset, length)
  for (let at = 0; at < span; at++) run((first + at) as ChunkNumber)
}
