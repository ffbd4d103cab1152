/**
 * Breadth-first exploration of every state a machine can reach.
 *
 * States are byte strings of one fixed length. Visited ones are kept as 64-bit fingerprints in an
 * open-addressing table (two states of 10⁷ share one with probability about 3·10⁻⁶); whole states
 * live only while they wait to be expanded. For each state its parent and the step that led to it
 * are kept, so that a violation is told as the shortest schedule that produces it.
 */
import { assert } from "@rmr/core"

export interface Machine {
  readonly stateBytes: number
  initial(): readonly Uint8Array[]
  /** Calls `emit` for each successor. The bytes handed in are copied by the callee. */
  expand(state: Uint8Array, emit: (label: number, next: Uint8Array) => void): void
  /** A broken invariant in words, or undefined. */
  check(state: Uint8Array): string | undefined
  describe(label: number): string
  /** Replaces a state by the one that stands for all its renamings. */
  canonicalize(state: Uint8Array): void
}

export interface Violation {
  readonly message: string
  /** The schedule, one step a line. */
  readonly trace: readonly string[]
  readonly state: Uint8Array
}

export interface Exploration {
  readonly states: number
  readonly transitions: number
  readonly depth: number
  /** Every reachable state was seen: nothing was cut off. */
  readonly isComplete: boolean
  readonly violation: Violation | undefined
}

export interface ExploreOptions {
  /** Stops, incomplete, beyond this many states. */
  readonly statesMax: number
  onProgress?(states: number, depth: number): void
}

export function explore(machine: Machine, options: ExploreOptions): Exploration {
  const search = new Search(machine, options)
  return search.run()
}

const PROGRESS_EVERY = 500_000

class Search {
  readonly #machine: Machine
  readonly #options: ExploreOptions
  readonly #visited: FingerprintTable
  readonly #parents: GrowingInt32
  readonly #labels: GrowingInt32
  #transitions = 0
  #initial: Uint8Array[] = []

  constructor(machine: Machine, options: ExploreOptions) {
    this.#machine = machine
    this.#options = options
    this.#visited = new FingerprintTable()
    this.#parents = new GrowingInt32()
    this.#labels = new GrowingInt32()
  }

  run(): Exploration {
    const bytes = this.#machine.stateBytes
    let level = new StateQueue(bytes)
    for (const state of this.#machine.initial()) {
      const canonical = state.slice()
      this.#machine.canonicalize(canonical)
      if (this.#visit(canonical, -1, this.#initial.length, level)) this.#initial.push(state.slice())
    }
    let depth = 0
    for (;;) {
      const next = new StateQueue(bytes)
      for (let i = 0; i < level.count; i++) {
        const state = level.at(i)
        const index = level.indexAt(i)
        const message = this.#machine.check(state)
        if (message !== undefined) {
          return this.#result(depth, false, this.#violation(message, index, state))
        }
        this.#machine.expand(state, (label, successor) => {
          this.#transitions++
          this.#machine.canonicalize(successor)
          this.#visit(successor, index, label, next)
        })
        if (this.#visited.count > this.#options.statesMax) {
          return this.#result(depth, false, undefined)
        }
      }
      if (next.count === 0) return this.#result(depth, true, undefined)
      level = next
      depth++
      this.#options.onProgress?.(this.#visited.count, depth)
    }
  }

  #visit(state: Uint8Array, parent: number, label: number, queue: StateQueue): boolean {
    if (!this.#visited.add(state)) return false
    const index = this.#parents.push(parent)
    this.#labels.push(label)
    queue.push(state, index)
    if (index % PROGRESS_EVERY === 0 && index > 0) this.#options.onProgress?.(index, -1)
    return true
  }

  #result(depth: number, isComplete: boolean, violation: Violation | undefined): Exploration {
    return {
      states: this.#visited.count,
      transitions: this.#transitions,
      depth,
      isComplete,
      violation,
    }
  }

  #violation(message: string, index: number, state: Uint8Array): Violation {
    const labels: number[] = []
    let first = index
    for (; this.#parents.at(first) >= 0; first = this.#parents.at(first)) {
      labels.push(this.#labels.at(first))
    }
    const initial = this.#initial[this.#labels.at(first)] as Uint8Array
    return { message, trace: this.#retell(initial, labels.reverse()), state: state.slice() }
  }

  /**
   * The labels name steps between states that stand for their renamings. Told as one story, with
   * everybody keeping one name, each step is found again among the steps of the state before.
   */
  #retell(initial: Uint8Array, labels: readonly number[]): string[] {
    const story: string[] = []
    const canonical = initial.slice()
    this.#machine.canonicalize(canonical)
    let concrete: Uint8Array = initial.slice()
    for (const label of labels) {
      const wanted = this.#successor(canonical, (code) => code === label)?.state
      assert(wanted !== undefined, "a recorded step can be taken again")
      this.#machine.canonicalize(wanted)
      const step = this.#successor(concrete, (_, state) => {
        const copy = state.slice()
        this.#machine.canonicalize(copy)
        return copy.every((byte, i) => byte === wanted[i])
      })
      assert(step !== undefined, "a step between canonical states exists under every renaming")
      story.push(this.#machine.describe(step.label))
      concrete = step.state
      canonical.set(wanted)
    }
    return story
  }

  #successor(
    state: Uint8Array,
    isIt: (label: number, next: Uint8Array) => boolean,
  ): { label: number; state: Uint8Array } | undefined {
    let found: { label: number; state: Uint8Array } | undefined
    this.#machine.expand(state, (label, next) => {
      if (found === undefined && isIt(label, next)) found = { label, state: next.slice() }
    })
    return found
  }
}

/** States that wait to be expanded, packed in chunks of one buffer each. */
class StateQueue {
  static readonly #perChunk = 8192
  readonly #bytes: number
  readonly #chunks: Uint8Array[] = []
  readonly #indexes = new GrowingInt32()

  constructor(bytes: number) {
    this.#bytes = bytes
  }

  get count(): number {
    return this.#indexes.count
  }

  push(state: Uint8Array, index: number): void {
    const at = this.#indexes.push(index)
    const slot = at % StateQueue.#perChunk
    if (slot === 0) this.#chunks.push(new Uint8Array(StateQueue.#perChunk * this.#bytes))
    const chunk = this.#chunks[this.#chunks.length - 1] as Uint8Array
    chunk.set(state, slot * this.#bytes)
  }

  at(i: number): Uint8Array {
    const chunk = this.#chunks[Math.floor(i / StateQueue.#perChunk)] as Uint8Array
    const start = (i % StateQueue.#perChunk) * this.#bytes
    return chunk.subarray(start, start + this.#bytes)
  }

  indexAt(i: number): number {
    return this.#indexes.at(i)
  }
}

class GrowingInt32 {
  #words = new Int32Array(1024)
  #count = 0

  get count(): number {
    return this.#count
  }

  push(value: number): number {
    if (this.#count === this.#words.length) {
      const grown = new Int32Array(this.#words.length * 2)
      grown.set(this.#words)
      this.#words = grown
    }
    this.#words[this.#count] = value
    return this.#count++
  }

  at(i: number): number {
    assert(i < this.#count, "index inside the list")
    return this.#words[i] as number
  }
}

/** A set of 64-bit fingerprints; (0, 0) is the empty place, so a fingerprint never is. */
export class FingerprintTable {
  #low = new Int32Array(1 << 16)
  #high = new Int32Array(1 << 16)
  #count = 0

  get count(): number {
    return this.#count
  }

  /** True when the state was not there yet. */
  add(state: Uint8Array): boolean {
    let low = 0x2c1b3c6d
    let high = 0x297a2d39
    for (let i = 0; i < state.length; i++) {
      const byte = state[i] as number
      low = Math.imul(low ^ byte, 0x01000193)
      low ^= low >>> 15
      high = Math.imul(high + byte + 0x7ed55d16, 0x85ebca6b)
      high ^= high >>> 13
    }
    low = Math.imul(low ^ (low >>> 16), 0x7feb352d)
    high = Math.imul(high ^ (high >>> 16), 0x846ca68b)
    low ^= low >>> 15
    high ^= high >>> 16
    if (low === 0 && high === 0) high = 1
    return this.#insert(low, high)
  }

  #insert(low: number, high: number): boolean {
    if (this.#count * 10 > this.#low.length * 6) this.#grow()
    const mask = this.#low.length - 1
    let at = (low ^ Math.imul(high, 0x9e3779b1)) & mask
    for (;;) {
      const l = this.#low[at] as number
      const h = this.#high[at] as number
      if (l === 0 && h === 0) break
      if (l === low && h === high) return false
      at = (at + 1) & mask
    }
    this.#low[at] = low
    this.#high[at] = high
    this.#count++
    return true
  }

  #grow(): void {
    const low = this.#low
    const high = this.#high
    this.#low = new Int32Array(low.length * 2)
    this.#high = new Int32Array(low.length * 2)
    this.#count = 0
    for (let i = 0; i < low.length; i++) {
      const l = low[i] as number
      const h = high[i] as number
      if (l !== 0 || h !== 0) this.#insert(l, h)
    }
  }
}
