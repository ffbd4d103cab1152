/**
 * The engine of an endpoint: one call of native code to post all that a turn wants sent, one call
 * from it with all that has arrived.
 */
import type { Env, Memory } from "@rmr/core"
import { RmrError } from "@rmr/core"
import { turnEnds } from "@rmr/io"
import { reasonOf } from "./codes.js"
import { Line, type LineEvents } from "./line.js"
import type { Engine, NativeAddon } from "./native-addon.js"
import { nativeAddon, rdmaStatus } from "./native-addon.js"
import { Posts } from "./posts.js"
import { ARRIVALS_MAX, type VerbsTable, verbsTable } from "./verbs-table.js"

export interface VerbsTurns {
  /** So many rows of the table have arrived. */
  onRows(count: number): void
  onTurnEnd(): void
}

interface Visit {
  readonly line: Line
  readonly place: number
}

export class Verbs {
  readonly native: NativeAddon
  readonly engine: Engine
  readonly table: VerbsTable = verbsTable()
  readonly posts: Posts
  readonly lines: (Line | undefined)[] = []
  private readonly env: Env
  private readonly memory: Memory
  private readonly turns: VerbsTurns
  private readonly arenaStarts: readonly number[]
  /** Frames that come again in the next turn. */
  private visits: Visit[] = []
  private isInTurn = false
  private isWoken = false
  private isSending = false
  private isClosed = false

  /** Fails with `unsupported` where there is no RDMA on this machine, and says why. */
  constructor(
    env: Env,
    memory: Memory,
    lingerUs: number,
    turns: VerbsTurns,
    native: NativeAddon | undefined = nativeAddon(),
  ) {
    if (native === undefined) throw new RmrError("unsupported", `no RDMA: ${rdmaStatus().reason}`)
    const arenas = memory.arenas.map((arena) => arena.bytes.buffer)
    const onTurn = (count: number): void => this.turnFromLoop(count)
    const engine = native.openEngine(this.table.words, arenas, onTurn, lingerUs)
    if (typeof engine === "number") {
      throw new RmrError("unsupported", `no RDMA: ${reasonOf(engine)}; is rdma_ucm loaded?`)
    }
    this.native = native
    this.engine = engine
    this.env = env
    this.memory = memory
    this.arenaStarts = memory.arenas.map(({ bytes }) => bytes.byteOffset)
    this.turns = turns
    this.posts = new Posts(native, engine, this.table.posts)
  }

  /** Where a lease starts in its arena, as native code counts. */
  startOf(arena: number, offset: number): number {
    return this.arenaStarts[arena]! + offset
  }

  addLine(number: number, channel: number, events: LineEvents): Line {
    const line = new Line(this, this.memory, number, channel, events)
    this.lines[number] = line
    return line
  }

  closeLine(line: Line): void {
    if (this.lines[line.number] === line) this.lines[line.number] = undefined
    this.posts.drop(line.number)
    if (!this.isClosed) this.native.closeLine(this.engine, line.number)
  }

  /** The frame at this place comes, once more, in the next turn. */
  visit(line: Line, place: number): void {
    this.visits.push({ line, place })
    this.wake()
  }

  /** What was posted leaves at the end of this turn. */
  postsAdded(): void {
    if (this.isSending) return
    this.isSending = true
    this.env.clock.endOfTurn(this.sendAtEnd)
  }

  flush(): void {
    if (this.isClosed) return
    if (this.posts.send()) this.wake()
    if (this.posts.waiting.size > 0) this.endFlooded()
  }

  /** A turn, although nothing has arrived; after the present one, where there is one. */
  wake(): void {
    if (this.isWoken || this.isClosed) return
    this.isWoken = true
    if (this.isInTurn) this.native.wake(this.engine)
    else this.env.clock.endOfTurn(this.runTurn)
  }

  async close(): Promise<void> {
    if (this.isClosed) return
    this.isClosed = true
    const isTurnNear = this.isWoken || this.isSending
    this.native.closeEngine(this.engine)
    if (isTurnNear) await new Promise<void>((resolve) => this.env.clock.endOfTurn(resolve))
  }

  private readonly sendAtEnd = (): void => {
    this.isSending = false
    this.flush()
  }

  private turnFromLoop(count: number): void {
    this.isWoken = false
    turnEnds.hold()
    try {
      this.turn(this.visitAll(count))
    } finally {
      turnEnds.release()
    }
  }

  private readonly runTurn = (): void => {
    this.isWoken = false
    if (this.isClosed) return
    this.turn(this.visitAll(this.native.tell(this.engine)))
  }

  /** How many rows there are with those of frames that come once more. */
  private visitAll(told: number): number {
    const { visits } = this
    let count = told
    let done = 0
    if (visits.length === 0) return count
    this.visits = []
    for (; done < visits.length && count < ARRIVALS_MAX; done++) {
      const { line, place } = visits[done]!
      if (this.lines[line.number] !== line) continue
      const before = count
      count = this.native.visitFrame(this.engine, line.number, place)
      // What is no frame any more ends its line, which the next turn tells.
      if (count === before) this.wake()
    }
    if (done < visits.length) {
      this.visits.push(...visits.slice(done))
      this.wake()
    }
    return count
  }

  private turn(count: number): void {
    this.isInTurn = true
    try {
      if (count > 0) this.turns.onRows(count)
      this.turns.onTurnEnd()
    } finally {
      this.isInTurn = false
    }
    // What had to wait may find room now.
    if (this.posts.isReady) this.postsAdded()
  }

  /** Lines of which more is wanted than anybody can want who takes what he gets. */
  private endFlooded(): void {
    for (const [number, { count }] of this.posts.waiting) {
      const line = this.lines[number]
      if (line === undefined || count <= line.waitingMax) continue
      line.session?.breakOff("it asks, and does not take its answers")
    }
  }
}
