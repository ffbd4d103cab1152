/**
 * Chunk locks and sync entries together, as a storage node uses them: reads, partial and covering
 * mutations and syncs of a few chunks, in random interleavings of their steps.
 *
 * The oracle is one number per chunk: the newest mutation whose bytes it holds. A copy brings the
 * number that the peer had when it was fetched. If a copy is ever written over a newer mutation,
 * the number goes back.
 */
import fc from "fast-check"
import type { ChunkNumber } from "../brand.js"
import { STATUS_OK } from "../errors.js"
import {
  ChunkLocks,
  LOCK_EXCLUSIVE,
  LOCK_MUTATION,
  LOCK_SOURCE_READ,
  type LockMode,
} from "./chunk-locks.js"
import { START_DONE, START_FULL, type StartAnswer, SyncEntries } from "./sync-entries.js"

const CHUNKS = 3
const TOKENS = 10
const ENTRIES_MAX = 2

type Kind = "read" | "partial" | "covering" | "source-read"
/** Where a request is: `look` at its chunks, `wait` for a sync, `lock`, `apply`, or done. */
type Stage = "look" | "wait" | "lock" | "apply"

interface Request {
  readonly token: number
  readonly kind: Kind
  readonly first: number
  readonly count: number
  readonly version: number
  stage: Stage
}

interface Copy {
  readonly token: number
  readonly chunk: number
  readonly version: number
  stage: "fetch" | "lock" | "write"
}

const MODES: Readonly<Record<Kind, LockMode>> = {
  read: LOCK_SOURCE_READ,
  "source-read": LOCK_SOURCE_READ,
  partial: LOCK_MUTATION,
  covering: LOCK_MUTATION,
}

class Node {
  readonly isDirty: boolean[] = [true, true, true]
  readonly held = [0, 0, 0]
  readonly peer = [0, 0, 0]
  requests: Request[] = []
  copies: Copy[] = []
  private version = 0
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
        for (let at = 0; at < count; at++) this.requestOf(tokens[at]!).stage = "look"
      },
    },
  })

  /** W1: a mutation that overlaps one in flight is not sent. */
  arrive(token: number, kind: Kind, first: number, count: number): void {
    const end = Math.min(first + count, CHUNKS)
    const isMutation = kind === "partial" || kind === "covering"
    const overlaps = (other: Request): boolean =>
      MODES[other.kind] === LOCK_MUTATION && other.first < end && other.first + other.count > first
    if (this.requests.some((request) => request.token === token)) return
    if (isMutation && this.requests.some(overlaps)) return
    const version = ++this.version
    // The peer applies it at some time; the earliest is the hardest, because copies are newer then.
    if (isMutation) for (let chunk = first; chunk < end; chunk++) this.peer[chunk] = version
    this.requests.push({ token, kind, first, count: end - first, version, stage: "look" })
  }

  mediaError(chunk: number): void {
    const isBusy = this.copies.some((copy) => copy.chunk === chunk && copy.stage === "write")
    if (!isBusy) this.isDirty[chunk] = true
  }

  /** One step of a request, if it can take one. */
  stepRequest(request: Request): boolean {
    if (request.stage === "look") return this.look(request)
    if (request.stage === "apply") return this.apply(request)
    return false
  }

  stepCopy(copy: Copy): boolean {
    const chunk = copy.chunk as ChunkNumber
    if (copy.stage === "fetch") {
      copy.stage = "lock"
      if (this.locks.acquire(TOKENS + copy.token, LOCK_EXCLUSIVE, chunk, 1))
        this.granted(TOKENS + copy.token)
      return true
    }
    if (copy.stage === "lock") return false
    if (this.entries.beginWrite(chunk, this.isDirty[copy.chunk]!)) {
      if (copy.version < this.held[copy.chunk]!)
        throw new Error("a copy went over a newer mutation")
      this.held[copy.chunk] = copy.version
      this.isDirty[copy.chunk] = false
    }
    this.entries.end(chunk, STATUS_OK)
    this.entries.dropReference(chunk)
    this.locks.release(TOKENS + copy.token)
    this.copies = this.copies.filter((other) => other !== copy)
    return true
  }

  deliver(): void {
    this.locks.deliver()
    this.entries.deliver()
  }

  /** Begins a background sync of a chunk. */
  sync(chunk: number): void {
    if (this.isDirty[chunk]) this.startSync(chunk)
  }

  private startSync(chunk: number): StartAnswer {
    const answer = this.entries.start(chunk as ChunkNumber)
    if (answer !== START_DONE) return answer
    const token = [0, 1, 2, 3].find((free) => !this.copies.some((copy) => copy.token === free))!
    this.copies.push({ token, chunk, version: this.peer[chunk]!, stage: "fetch" })
    return answer
  }

  /** The lowest dirty chunk has to be synced first, unless the request needs no bytes of it. */
  private look(request: Request): boolean {
    const { token, kind, first, count } = request
    const needsClean = kind === "partial" || kind === "read"
    for (let chunk = first; needsClean && chunk < first + count; chunk++) {
      if (!this.isDirty[chunk]) continue
      if (this.startSync(chunk) === START_FULL) return false
      this.entries.wait(chunk as ChunkNumber, token)
      request.stage = "wait"
      return true
    }
    request.stage = "lock"
    if (this.locks.acquire(token, MODES[kind], first as ChunkNumber, count)) this.granted(token)
    return true
  }

  private granted(token: number): void {
    if (token >= TOKENS) {
      this.copies.find((copy) => copy.token === token - TOKENS)!.stage = "write"
      return
    }
    const request = this.requestOf(token)
    request.stage = "apply"
    if (request.kind !== "covering") return
    for (let chunk = request.first; chunk < request.first + request.count; chunk++) {
      expect(this.entries.supersede(chunk as ChunkNumber)).toBe(true)
    }
  }

  private apply(request: Request): boolean {
    const { token, kind, first, count, version } = request
    const chunks = [0, 1, 2].filter((chunk) => chunk >= first && chunk < first + count)
    const mustBeClean = kind === "partial" || kind === "read"
    if (mustBeClean && chunks.some((chunk) => this.isDirty[chunk])) {
      this.locks.release(token) // dirty again since it looked
      request.stage = "look"
      return true
    }
    for (const chunk of chunks) {
      if (MODES[kind] === LOCK_MUTATION) {
        if (this.held[chunk]! > version) throw new Error("a mutation went over a newer one")
        this.held[chunk] = version
      }
      if (kind === "covering") {
        this.isDirty[chunk] = false
        this.entries.overwritten(chunk as ChunkNumber)
      }
    }
    this.locks.release(token)
    this.requests = this.requests.filter((other) => other !== request)
    return true
  }

  private requestOf(token: number): Request {
    return this.requests.find((request) => request.token === token)!
  }
}

const actions = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      verb: fc.constant("arrive" as const),
      token: fc.nat(TOKENS - 1),
      kind: fc.constantFrom<Kind>("read", "partial", "covering", "source-read"),
      first: fc.nat(CHUNKS - 1),
      count: fc.integer({ min: 1, max: CHUNKS }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ verb: fc.constant("step" as const), pick: fc.nat() }) },
  { weight: 3, arbitrary: fc.record({ verb: fc.constant("copy" as const), pick: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ verb: fc.constant("sync" as const), pick: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ verb: fc.constant("error" as const), pick: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ verb: fc.constant("deliver" as const) }) },
)

describe("ChunkLocks and SyncEntries at work", () => {
  it("S1 S3: no copy is ever written over a newer mutation, and every IO gets its turn", () => {
    const property = fc.property(fc.array(actions, { maxLength: 120, size: "max" }), (schedule) => {
      const node = new Node()
      for (const action of schedule) {
        if (action.verb === "arrive")
          node.arrive(action.token, action.kind, action.first, action.count)
        else if (action.verb === "deliver") node.deliver()
        else if (action.verb === "sync") node.sync(action.pick)
        else if (action.verb === "error") node.mediaError(action.pick)
        else if (action.verb === "step" && node.requests.length > 0) {
          node.stepRequest(node.requests[action.pick % node.requests.length]!)
        } else if (action.verb === "copy" && node.copies.length > 0) {
          node.stepCopy(node.copies[action.pick % node.copies.length]!)
        }
      }
      for (let round = 0; node.requests.length + node.copies.length > 0; round++) {
        if (round > 200) throw new Error(`stuck: ${JSON.stringify([node.requests, node.copies])}`)
        node.deliver()
        for (const copy of [...node.copies]) node.stepCopy(copy)
        for (const request of [...node.requests]) node.stepRequest(request)
      }
    })
    fc.assert(property, { numRuns: 1000 })
  })
})
