/**
 * BlockOracle: what each block of a volume may hold, whatever went wrong (promises P1, P2, P4).
 *
 * Every mutation of a hunt has a number of its own, and its bytes say it. A block keeps the
 * mutations that it may hold. One is over when a later one was acknowledged that began after it had
 * ended; before that, both may be read (W1, Q22). An acknowledgement counts for as long as somebody
 * who has it has not lost power, or for ever once a flush or FUA covered it (P1). What ended with
 * an error may be there or not, until something is acknowledged over it; or until the block was
 * read when that was settled: by an opening, or a view that listed it (R4, W6), and no normal
 * member suspected it any more (RT-49). From then on the block is what it was read as, unless power
 * is lost.
 *
 * A unit of `atomicBytes` is never torn; a block may be, between mutations that it may hold.
 */
import { assert, BLOCK_BYTES_MIN, type MemberSet, VOLUME_BLOCK_BYTES } from "@rmr/core"

const UNITS = VOLUME_BLOCK_BYTES / BLOCK_BYTES_MIN
const UNIT_WORDS = BLOCK_BYTES_MIN / 4
const NOT_YET = Number.POSITIVE_INFINITY

/** One mutation, from when it was asked for. */
export interface Mutation {
  /** In all of its bytes; 0 for zeroes. */
  readonly id: number
  readonly firstBlock: number
  readonly blockCount: number
  readonly beginTick: number
  /** When it was acknowledged, or failed, or its client died. */
  endTick: number
  isAcknowledged: boolean
  isDurable: boolean
  /** Members that lost power since it began, or that do not have it. */
  lostBy: MemberSet
  /** It failed, and a view as high as this has listed it. */
  settledIn: number
}

/** Who knows that it has not got all of it: it came back, and has not fetched that yet. */
export type Lacks = (mutation: Mutation) => MemberSet

/** A read that is under way. */
export interface ReadMark {
  readonly beginTick: number
}

/** What a block held when everything was at rest, by units; empty where that is not known. */
interface Rest {
  readonly ids: Uint32Array
}

const ANYTHING: Rest = { ids: new Uint32Array(0) }

interface Holdings {
  rest: Rest | undefined
  restIsOver: boolean
  mutations: Mutation[]
}

interface Block extends Holdings {
  /** What it may hold again if power is lost, where it was only read as what it holds. */
  unlessKept: (Holdings & { readonly sinceTick: number }) | undefined
}

export class BlockOracle {
  readonly blockCount: number
  private readonly blocks: Block[]
  /** Under way, or acknowledged and not durable. */
  private readonly undecided = new Set<Mutation>()
  private readonly reads = new Set<ReadMark>()
  private tick = 0
  private nextId = 1
  /** When the client that has the pool had opened it. */
  private openTick = 0

  constructor(sizeBytes: number) {
    this.blockCount = sizeBytes / VOLUME_BLOCK_BYTES
    this.blocks = Array.from({ length: this.blockCount }, () => ({
      rest: { ids: new Uint32Array(UNITS) },
      restIsOver: false,
      mutations: [],
      unlessKept: undefined,
    }))
  }

  /** Another client has the pool: whatever its predecessors asked for is done, or never is (P5). */
  open(): void {
    this.openTick = ++this.tick
    for (const mutation of this.undecided) {
      if (mutation.endTick === NOT_YET) mutation.endTick = this.openTick
    }
  }

  /**
   * Another history is opened (F6, R7): what was written since all members were equal may be there
   * or not, and something older in its place. Where `isKept`, what was not touched since then is
   * as it was.
   */
  fork(isKept: boolean): void {
    this.open()
    this.undecided.clear()
    for (const block of this.blocks) {
      const isUntouched = block.mutations.length === 0 && block.unlessKept === undefined
      if (!isKept || !isUntouched) forget(block)
    }
  }

  /** An admin takes what one member has left of these blocks, whatever that is (Q23). */
  giveUp(firstBlock: number, blockCount: number): void {
    for (const block of this.blocks.slice(firstBlock, firstBlock + blockCount)) forget(block)
  }

  /** A mutation that must not be carried out anywhere: its bytes are never right. */
  beginForbidden(firstBlock: number, blockCount: number): Mutation {
    return this.newMutation(firstBlock, blockCount, this.nextId++)
  }

  begin(firstBlock: number, blockCount: number, isZero: boolean): Mutation {
    const mutation = this.newMutation(firstBlock, blockCount, isZero ? 0 : this.nextId++)
    for (const block of this.blocksOf(mutation)) block.mutations.push(mutation)
    this.undecided.add(mutation)
    return mutation
  }

  private newMutation(firstBlock: number, blockCount: number, id: number): Mutation {
    const beginTick = ++this.tick
    const state = { endTick: NOT_YET, isAcknowledged: false, isDurable: false }
    const fate = { lostBy: 0, settledIn: NOT_YET }
    return { id, firstBlock, blockCount, beginTick, ...state, ...fate }
  }

  /** `without` are members that do not have it, for a reason that is not a loss of power. */
  acknowledge(mutation: Mutation, isDurable: boolean, without: MemberSet): void {
    mutation.endTick = ++this.tick
    mutation.isAcknowledged = true
    mutation.isDurable = isDurable
    mutation.lostBy |= without
    if (isDurable) this.undecided.delete(mutation)
    for (const block of this.blocksOf(mutation)) this.prune(block)
  }

  /** Nobody knows what became of it, until a view as high as this is in force. */
  fail(mutation: Mutation, settledIn: number = NOT_YET): void {
    if (mutation.endTick === NOT_YET) mutation.endTick = ++this.tick
    mutation.settledIn = settledIn
    this.undecided.delete(mutation)
  }

  beginFlush(): number {
    return ++this.tick
  }

  /** P1: what was acknowledged before the flush began is on stable storage. */
  flushed(beginTick: number): void {
    for (const mutation of this.undecided) {
      if (!mutation.isAcknowledged || mutation.endTick > beginTick) continue
      mutation.isDurable = true
      this.undecided.delete(mutation)
      for (const block of this.blocksOf(mutation)) this.prune(block)
    }
    for (const block of this.blocks) {
      if ((block.unlessKept?.sinceTick ?? beginTick) < beginTick) block.unlessKept = undefined
    }
  }

  /** It is told once that bytes may be lost: whatever no flush had covered may be there or not. */
  flushLost(): void {
    for (const mutation of this.undecided) {
      if (!mutation.isAcknowledged) continue
      mutation.isAcknowledged = false
      this.undecided.delete(mutation)
    }
  }

  /** These members lost what was not flushed; the pool is with those in `normal` now. */
  losePower(lost: MemberSet, normal: MemberSet, lacks: Lacks): void {
    for (const mutation of this.undecided) mutation.lostBy |= lost
    for (const block of this.blocks) if (block.unlessKept !== undefined) doubt(block)
    this.narrow(normal, lacks)
  }

  /** Acknowledgements that nobody of the pool's members stands for any more are over. */
  narrow(normal: MemberSet, lacks: Lacks): void {
    if (normal === 0) return
    for (const mutation of this.undecided) {
      const { isAcknowledged, lostBy } = mutation
      if (!isAcknowledged || lostBy === 0) continue
      const others = normal & ~lostBy
      if (others !== 0 && (others & ~lacks(mutation)) !== 0) continue
      mutation.isAcknowledged = false
      this.undecided.delete(mutation)
    }
  }

  beginRead(): ReadMark {
    const read = { beginTick: ++this.tick }
    this.reads.add(read)
    return read
  }

  endRead(read: ReadMark): void {
    this.reads.delete(read)
  }

  /** Of whoever looks now, into a store itself: it is over at once. */
  now(): ReadMark {
    return { beginTick: ++this.tick }
  }

  /** What is wrong with these bytes, from a block's beginning on; undefined where nothing is. */
  judge(read: ReadMark, firstBlock: number, bytes: Uint8Array): string | undefined {
    for (let at = 0; at < bytes.length; at += BLOCK_BYTES_MIN) {
      const number = firstBlock + Math.floor(at / VOLUME_BLOCK_BYTES)
      const unit = (at / BLOCK_BYTES_MIN) % UNITS
      const wrong = this.judgeUnit(read, number, unit, bytes, at)
      if (wrong !== undefined) return wrong
    }
    return undefined
  }

  /** The same of one unit of one block. */
  judgeUnit(
    { beginTick }: ReadMark,
    number: number,
    unit: number,
    bytes: Uint8Array,
    at = 0,
  ): string | undefined {
    const id = idOf(wordsOf(bytes, at, BLOCK_BYTES_MIN), 0, number)
    if (id === undefined) return `block ${number} is torn inside unit ${unit}`
    if (this.may(number, unit, beginTick, id)) return undefined
    const all = this.allOf(number, unit, beginTick).join(", ")
    return `block ${number} unit ${unit} holds ${id}, not one of ${all}`
  }

  /** What was left undecided was read, in this view or later: from now on it is this. */
  noteRead({ beginTick }: ReadMark, version: number, firstBlock: number, bytes: Uint8Array): void {
    if (beginTick <= this.openTick) return
    const count = bytes.length / VOLUME_BLOCK_BYTES
    for (let nth = 0; nth < count; nth++) {
      const { mutations, rest, restIsOver } = this.blocks[firstBlock + nth]!
      if (mutations.length === 0 || !mutations.every((one) => this.isSettled(one, version)))
        continue
      const at = nth * VOLUME_BLOCK_BYTES
      this.settle(firstBlock + nth, bytes.subarray(at, at + VOLUME_BLOCK_BYTES))
      const sinceTick = ++this.tick
      this.blocks[firstBlock + nth]!.unlessKept = { rest, restIsOver, mutations, sinceTick }
    }
  }

  private isSettled(mutation: Mutation, version: number): boolean {
    if (this.undecided.has(mutation)) return false
    return mutation.endTick <= this.openTick || mutation.settledIn <= version
  }

  /** All is at rest, and this is what the block holds: nothing else is possible any more. */
  settle(number: number, bytes: Uint8Array): void {
    const block = this.blocks[number]
    assert(block !== undefined, "a block of the volume")
    // What is not durable may still be lost, and then something older is there again.
    if (block.mutations.some((one) => this.undecided.has(one))) return
    const words = wordsOf(bytes, 0, bytes.length)
    const ids = Uint32Array.from(
      { length: UNITS },
      (_, unit) => idOf(words, unit * UNIT_WORDS, number) ?? 0,
    )
    block.rest = { ids }
    block.restIsOver = false
    block.mutations = []
    block.unlessKept = undefined
  }

  private *blocksOf({ firstBlock, blockCount }: Mutation): Generator<Block> {
    for (let at = firstBlock; at < firstBlock + blockCount; at++) yield this.blocks[at]!
  }

  private may(number: number, unit: number, beginTick: number, id: number): boolean {
    const { rest, restIsOver, mutations } = this.blocks[number]!
    const since = lastBegin(mutations, beginTick)
    for (let nth = mutations.length - 1; nth >= 0; nth--) {
      const mutation = mutations[nth]!
      if (mutation.id === id && mutation.endTick >= since) return true
    }
    if (rest === undefined || restIsOver || since !== 0) return false
    return rest === ANYTHING || rest.ids[unit] === id
  }

  /** For whoever is told what was wrong. */
  private allOf(number: number, unit: number, beginTick: number): number[] {
    const { rest, mutations } = this.blocks[number]!
    const ids = [rest?.ids[unit] ?? 0, ...mutations.map(({ id }) => id)]
    return ids.filter((id) => this.may(number, unit, beginTick, id))
  }

  /** Forgets what no read can return any more, and no power cut can bring back. */
  private prune(block: Block): void {
    let oldest = this.tick
    for (const { beginTick } of this.reads) oldest = Math.min(oldest, beginTick)
    let since = 0
    for (const { isAcknowledged, isDurable, beginTick, endTick } of block.mutations) {
      if (isAcknowledged && isDurable && endTick < oldest) since = Math.max(since, beginTick)
    }
    if (since === 0) return
    block.restIsOver = true
    block.unlessKept = undefined
    block.mutations = block.mutations.filter(({ endTick }) => endTick >= since)
  }
}

/** It may hold anything, until something is acknowledged over it. */
function forget(block: Block): void {
  block.rest = ANYTHING
  block.restIsOver = false
  block.mutations = []
  block.unlessKept = undefined
}

/** What it was read as may be lost. */
function doubt(block: Block): void {
  const { unlessKept } = block
  if (unlessKept === undefined) return
  block.rest = unlessKept.rest
  block.restIsOver = unlessKept.restIsOver
  block.mutations = [...unlessKept.mutations, ...block.mutations]
  block.unlessKept = undefined
}

/** When the newest mutation began that was acknowledged before this moment. */
function lastBegin(mutations: readonly Mutation[], tick: number): number {
  let begin = 0
  for (const { isAcknowledged, beginTick, endTick } of mutations) {
    if (isAcknowledged && endTick <= tick) begin = Math.max(begin, beginTick)
  }
  return begin
}

/** Fills bytes that begin at this block with a mutation's number. */
export function fillBlocks(bytes: Uint8Array, firstBlock: number, id: number): void {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
  const perBlock = VOLUME_BLOCK_BYTES / 4
  for (let at = 0; at < words.length; at += 2) {
    words[at] = id
    words[at + 1] = id === 0 ? 0 : firstBlock + Math.floor(at / perBlock)
  }
}

/** As words, in place where they lie so that words can. */
function wordsOf(bytes: Uint8Array, at: number, length: number): Uint32Array {
  const start = bytes.byteOffset + at
  if (start % 4 === 0) return new Uint32Array(bytes.buffer, start, length / 4)
  return new Uint32Array(bytes.slice(at, at + length).buffer)
}

/** Whose bytes these are; undefined for bytes of nobody, of another block, or of several. */
function idOf(words: Uint32Array, from: number, block: number): number | undefined {
  const id = words[from]!
  const second = id === 0 ? 0 : block
  for (let at = from; at < from + UNIT_WORDS; at += 2) {
    if (words[at] !== id || words[at + 1] !== second) return undefined
  }
  return id
}
