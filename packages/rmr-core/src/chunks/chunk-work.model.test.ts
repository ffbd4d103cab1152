/**
 * Chunk locks and sync entries together, as a storage node uses them: reads, mutations, source
 * reads and syncs of a few chunks, in random interleavings of their steps.
 *
 * The oracle is one number per chunk: the newest mutation whose bytes it holds. A copy brings the
 * number that the peer had when it was fetched. If a copy is ever written over a newer mutation,
 * the number goes back; if a source read overtakes a mutation, it sees too small a number.
 */
import fc from "fast-check"
import type { ChunkNumber } from "../brand.js"
import { STATUS_OK } from "../errors.js"
import {
  ChunkLocks,
  LOCK_MUTATION,
  LOCK_SOURCE_READ,
  LOCK_SYNC_WRITE,
  type LockMode,
} from "./chunk-locks.js"
import { START_DONE, START_FULL, type StartAnswer, SyncEntries } from "./sync-entries.js"

const CHUNKS = 3
const TOKENS = 10
const ENTRIES_MAX = 2

type Kind = "read" | "partial" | "covering" | "source-read"

/**
 * Where a request is: in the queue for its lock; holding it, and about to do its work; done, but
 * for the clear that is not durable; waiting for a sync; or about to find one that has room.
 */
type Stage = "lock" | "work" | "clear" | "wait" | "retry"

interface Request {
  readonly token: number
  readonly kind: Kind
  readonly first: number
  readonly count: number
  /** The order of admission, and what the chunk holds after a mutation. */
  readonly version: number
  /** When it last took a place in the queue for its lock. */
  queuedAt: number
  stage: Stage
}

interface Copy {
  readonly token: number
  readonly chunk: number
  readonly version: number
  stage: "fetch" | "lock" | "write" | "clear"
}

const MODES: Readonly<Record<Kind, LockMode>> = {
  read: LOCK_SOURCE_READ,
  "source-read": LOCK_SOURCE_READ,
  partial: LOCK_MUTATION,
  covering: LOCK_MUTATION,
}

class Node {
  readonly isDirty: boolean[] = [true, true, false]
  readonly held = [0, 0, 0]
  readonly peer = [0, 0, 0]
  /** Mutations that the peer has not applied yet. */
  slow: Request[] = []
  requests: Request[] = []
  copies: Copy[] = []
  private version = 0
  private queueCount = 0
  private readonly locks = new ChunkLocks({
    tokensMax: 2 * TOKENS,
    events: {
      onReady: ({ count, tokens }) => {
        for (let at = 0; at < count; at++) this.granted(tokens[at]!)
      },
    },
  })
  private readonly entries = new SyncEntries({
    entriesMax: ENTRIES_MAX,
    tokensMax: TOKENS,
    events: {
      onReady: ({ count, tokens }) => {
        for (let at = 0; at < count; at++) this.queue(this.requestOf(tokens[at]!))
      },
    },
  })

  admit(token: number, kind: Kind, first: number, count: number): void {
    const end = Math.min(first + count, CHUNKS)
    const isMutation = MODES[kind] === LOCK_MUTATION
    const overlaps = (other: Request): boolean =>
      MODES[other.kind] === LOCK_MUTATION && other.first < end && other.first + other.count > first
    if (this.requests.some((request) => request.token === token)) return
    if (isMutation && [...this.requests, ...this.slow].some(overlaps)) return // W1
    if (kind === "source-read" && this.isDirty[first]) return // S2: refused at once
    const version = ++this.version
    const length = kind === "source-read" ? 1 : end - first
    const request: Request = {
      token,
      kind,
      first,
      count: length,
      version,
      queuedAt: 0,
      stage: "lock",
    }
    this.requests.push(request)
    if (isMutation) this.slow.push(request)
    this.queue(request)
  }

  /** The peer applies a mutation, sooner or later than this node. */
  peerApplies(request: Request): void {
    for (const chunk of this.chunksOf(request)) this.peer[chunk] = request.version
    this.slow = this.slow.filter((other) => other !== request)
  }

  /** S6: a read found the chunk unreadable. Not while it is written. */
  mediaError(chunk: number): void {
    const isBusy = this.copies.some((copy) => copy.chunk === chunk && copy.stage === "write")
    if (!isBusy) this.isDirty[chunk] = true
  }

  /** Begins a sync of a chunk, from a peer that has what this node has lost (S10). */
  sync(chunk: number): StartAnswer | undefined {
    if (!this.isDirty[chunk]) return undefined
    if (this.peer[chunk]! < this.held[chunk]!) return START_FULL
    const answer = this.entries.start(chunk as ChunkNumber)
    if (answer !== START_DONE) return answer
    const used = new Set(this.copies.map((copy) => copy.token))
    const token = [0, 1, 2, 3].find((free) => !used.has(free))!
    this.copies.push({ token, chunk, version: this.peer[chunk]!, stage: "fetch" })
    return answer
  }

  stepRequest(request: Request): void {
    if (request.stage === "work") this.work(request)
    else if (request.stage === "clear") this.clearOverwritten(request)
    else if (request.stage === "retry") this.queue(request)
  }

  stepCopy(copy: Copy): void {
    const chunk = copy.chunk as ChunkNumber
    if (copy.stage === "fetch") {
      copy.stage = "lock"
      const isHeld = this.locks.acquire(TOKENS + copy.token, LOCK_SYNC_WRITE, chunk, 1)
      if (isHeld) this.granted(TOKENS + copy.token)
    } else if (copy.stage === "write" && this.entries.beginWrite(chunk, this.isDirty[chunk]!)) {
      if (copy.version < this.held[chunk]!) throw new Error("a copy went over a newer mutation")
      this.held[chunk] = copy.version
      copy.stage = "clear"
    } else if (copy.stage !== "lock") {
      if (copy.stage === "clear") this.isDirty[chunk] = false
      this.entries.end(chunk, STATUS_OK)
      this.entries.dropReference(chunk)
      this.entries.deliver() // in the turn in which the chunk became clean
      this.locks.release(TOKENS + copy.token)
      this.copies = this.copies.filter((other) => other !== copy)
    }
  }

  deliver(): void {
    this.locks.deliver()
    this.entries.deliver()
  }

  private queue(request: Request): void {
    const { token, kind, first, count } = request
    request.stage = "lock"
    request.queuedAt = ++this.queueCount
    if (this.locks.acquire(token, MODES[kind], first as ChunkNumber, count)) this.granted(token)
  }

  private granted(token: number): void {
    if (token >= TOKENS) {
      this.copies.find((copy) => copy.token === token - TOKENS)!.stage = "write"
      return
    }
    const request = this.requestOf(token)
    request.stage = "work"
    if (request.kind !== "covering") return
    for (const chunk of this.chunksOf(request)) {
      expect(this.entries.supersede(chunk as ChunkNumber)).toBe(true)
    }
  }

  private work(request: Request): void {
    const dirty = this.chunksOf(request).find((chunk) => this.isDirty[chunk])
    if (dirty === undefined || request.kind === "covering") {
      if (request.kind === "source-read") this.checkSourceRead(request)
      if (MODES[request.kind] === LOCK_MUTATION) this.apply(request)
      if (dirty !== undefined) request.stage = "clear"
      else this.finish(request)
      return
    }
    this.locks.release(request.token)
    if (request.kind === "source-read") {
      this.requests = this.requests.filter((other) => other !== request)
    } else if (this.sync(dirty) === START_FULL) {
      request.stage = "retry"
    } else {
      request.stage = "wait"
      this.entries.wait(dirty as ChunkNumber, request.token)
    }
  }

  private apply(request: Request): void {
    for (const chunk of this.chunksOf(request)) {
      if (this.held[chunk]! > request.version) throw new Error("a mutation went over a newer one")
      this.held[chunk] = request.version
    }
  }

  private clearOverwritten(request: Request): void {
    for (const chunk of this.chunksOf(request)) this.isDirty[chunk] = false
    this.finish(request)
  }

  private finish(request: Request): void {
    if (request.kind === "covering") {
      for (const chunk of this.chunksOf(request)) this.entries.overwritten(chunk as ChunkNumber)
      this.entries.deliver()
    }
    this.locks.release(request.token)
    this.requests = this.requests.filter((other) => other !== request)
  }

  /** W2: it sees every mutation that stood in the queue before it. */
  private checkSourceRead(read: Request): void {
    for (const other of this.requests) {
      const isMutation = MODES[other.kind] === LOCK_MUTATION
      const isBefore = other.queuedAt < read.queuedAt && this.chunksOf(other).includes(read.first)
      const isQueued = other.stage === "lock" || other.stage === "work"
      if (isMutation && isBefore && isQueued) throw new Error("a source read overtook a mutation")
    }
  }

  private chunksOf({ first, count }: Request): number[] {
    return [0, 1, 2].filter((chunk) => chunk >= first && chunk < first + count)
  }

  private requestOf(token: number): Request {
    return this.requests.find((request) => request.token === token)!
  }
}

const actions = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      verb: fc.constant("admit" as const),
      token: fc.nat(TOKENS - 1),
      kind: fc.constantFrom<Kind>("read", "partial", "covering", "source-read"),
      first: fc.nat(CHUNKS - 1),
      count: fc.integer({ min: 1, max: CHUNKS }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ verb: fc.constant("step" as const), pick: fc.nat() }) },
  { weight: 3, arbitrary: fc.record({ verb: fc.constant("copy" as const), pick: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ verb: fc.constant("sync" as const), pick: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ verb: fc.constant("peer" as const), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ verb: fc.constant("error" as const), pick: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ verb: fc.constant("deliver" as const) }) },
)

describe("ChunkLocks and SyncEntries at work", () => {
  it("S1 S3 W2: no copy goes over a newer mutation, no source read overtakes one, all end", () => {
    const schedules = fc.array(actions, { maxLength: 120, size: "max" })
    const property = fc.property(schedules, (schedule) => {
      const node = new Node()
      for (const action of schedule) {
        if (action.verb === "admit") {
          node.admit(action.token, action.kind, action.first, action.count)
        } else if (action.verb === "deliver") node.deliver()
        else if (action.verb === "sync") node.sync(action.pick)
        else if (action.verb === "error") node.mediaError(action.pick)
        else if (action.verb === "peer" && node.slow.length > 0) {
          node.peerApplies(node.slow[action.pick % node.slow.length]!)
        } else if (action.verb === "step" && node.requests.length > 0) {
          node.stepRequest(node.requests[action.pick % node.requests.length]!)
        } else if (action.verb === "copy" && node.copies.length > 0) {
          node.stepCopy(node.copies[action.pick % node.copies.length]!)
        }
      }
      for (let round = 0; node.requests.length + node.copies.length > 0; round++) {
        if (round > 200) throw new Error(`stuck: ${JSON.stringify([node.requests, node.copies])}`)
        node.deliver()
        for (const slow of [...node.slow]) node.peerApplies(slow)
        for (const copy of [...node.copies]) node.stepCopy(copy)
        for (const request of [...node.requests]) node.stepRequest(request)
      }
    })
    fc.assert(property, { numRuns: 2000 })
  })
})
