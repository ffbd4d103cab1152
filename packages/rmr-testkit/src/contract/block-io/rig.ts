/**
 * A rig: one place under test, with verbs, so that a clause reads as a story.
 *
 * `start…` submits and returns at once; the verbs without it wait, and fail with the RmrError that
 * the status stands for. Every life of the subject has a process of its own: env, memory,
 * completions.
 */
import type { Lease, Memory, RmrError } from "@rmr/core"
import { assert, BLOCK_FUA, leaseBytes, NO_LEASE, RmrError as Refused, STATUS_OK } from "@rmr/core"
import { checkEqual } from "../check.js"
import { CountingClock } from "./counting-clock.js"
import type { BlockHarness, BlockPlace, BlockPowers, BlockShape, BlockSubject } from "./harness.js"
import { Completed, type Outcome, Started } from "./started.js"

/** One process, as long as it lives. */
export interface Life<Subject> {
  readonly subject: Subject
  readonly memory: Memory
  readonly clock: CountingClock
  readonly completed: Completed
}

/** Tokens are any int32: begin below zero and let the first ones cross it. */
const FIRST_TOKEN = -3

export class BlockRig<Subject extends BlockSubject> {
  readonly harness: BlockHarness<Subject>
  readonly place: BlockPlace<Subject>
  readonly shape: BlockShape
  private life: Life<Subject> | undefined
  private nextToken = FIRST_TOKEN

  constructor(harness: BlockHarness<Subject>, place: BlockPlace<Subject>, shape: BlockShape) {
    this.harness = harness
    this.place = place
    this.shape = shape
  }

  get current(): Life<Subject> {
    assert(this.life !== undefined, "the subject of the clause is not open")
    return this.life
  }

  get io(): Subject {
    return this.current.subject
  }

  get isOpen(): boolean {
    return this.life !== undefined
  }

  /** Whether BLOCK_FUA may be asked. */
  get hasForcedUnitAccess(): boolean {
    return true
  }

  power<Name extends keyof BlockPowers>(name: Name): BlockPowers[Name] {
    const power = this.place.powers[name]
    assert(power !== undefined, `the clause needs the power ${name} and does not say so`)
    return power
  }

  /** Opens, in a process of its own. It fails as the subject does. */
  openLife(): Promise<Life<Subject>> {
    return this.settled(this.beginLife(), "end of opening")
  }

  /** Does not wait: somebody must let time pass. */
  async beginLife(): Promise<Life<Subject>> {
    const { env, memory } = this.harness.newProcess()
    const clock = new CountingClock(env.clock)
    const completed = new Completed()
    const open = { env: { ...env, clock }, memory, events: completed }
    const subject = await this.place.source.open(open)
    return { subject, memory, clock, completed }
  }

  async open(): Promise<void> {
    assert(this.life === undefined, "the clause opens once at a time")
    this.life = await this.openLife()
  }

  async close(): Promise<void> {
    await this.harness.waiting.settled(this.io.close(), "end of closing")
    this.life = undefined
  }

  async reopen(): Promise<void> {
    await this.close()
    await this.open()
  }

  async kill(): Promise<void> {
    await this.power("kill")()
    this.life = undefined
  }

  async powerCut(): Promise<void> {
    await this.power("powerCut")()
    this.life = undefined
  }

  /** Closes what a clause has left open. */
  async end(): Promise<void> {
    if (this.isOpen) await this.close()
  }

  /** Called before data of this range is written; a store heats it. */
  async prepare(_offset: number, _bytes: number): Promise<void> {}

  /** Submits one operation. `lease` is what the clause holds of its memory. */
  start(submit: (token: number) => void, lease: Lease = NO_LEASE): Started {
    const { completed } = this.current
    const started = new Started(this.nextToken++, lease)
    completed.expect(started)
    completed.isInsideCall = true
    try {
      submit(started.token)
    } finally {
      completed.isInsideCall = false
    }
    return started
  }

  startRead(offset: number, bytes: number): Started {
    const lease = this.lease(bytes)
    return this.start((token) => this.io.read(token, offset, lease, 0, bytes), lease)
  }

  /** The clause's own reference goes at once: the subject holds its own. */
  startWrite(offset: number, content: Uint8Array, flags = 0): Started {
    const lease = this.lease(content.length)
    leaseBytes(this.current.memory, lease, 0, content.length).set(content)
    const { length } = content
    const started = this.start((token) => this.io.write(token, offset, lease, 0, length, flags))
    this.current.memory.release(lease)
    return started
  }

  startZero(offset: number, bytes: number, flags = 0): Started {
    return this.start((token) => this.io.zero(token, offset, bytes, flags))
  }

  startFlush(): Started {
    return this.start((token) => this.io.flush(token))
  }

  /** Waits for the first completion. */
  async outcome(started: Started): Promise<Outcome> {
    await this.harness.waiting.until(() => started.isDone, `completion of ${started.token}`)
    return started.outcomes[0]!
  }

  async done(...all: readonly Started[]): Promise<void> {
    for (const started of all) {
      const { status } = await this.outcome(started)
      if (status !== STATUS_OK) throw failureOf(status)
    }
  }

  async failure(started: Started): Promise<RmrError> {
    const { status } = await this.outcome(started)
    assert(status !== STATUS_OK, "an operation that had to fail was done")
    return failureOf(status)
  }

  async read(offset: number, bytes: number): Promise<Uint8Array> {
    return this.bytesOf(this.startRead(offset, bytes), bytes)
  }

  /** What a started read has brought; gives its memory back. */
  async bytesOf(started: Started, bytes: number): Promise<Uint8Array> {
    const { memory } = this.current
    const { status } = await this.outcome(started)
    const content = leaseBytes(memory, started.lease, 0, bytes).slice()
    memory.release(started.lease)
    if (status !== STATUS_OK) throw failureOf(status)
    return content
  }

  async readAll(): Promise<Uint8Array> {
    const { sizeBytes } = this.io
    const content = new Uint8Array(sizeBytes)
    const stepBytes = Math.min(this.io.ioBytesMax, 256 * 1024)
    for (let offset = 0; offset < sizeBytes; offset += stepBytes) {
      const bytes = Math.min(stepBytes, sizeBytes - offset)
      content.set(await this.read(offset, bytes), offset)
    }
    return content
  }

  async write(offset: number, content: Uint8Array, flags = 0): Promise<void> {
    await this.prepare(offset, content.length)
    await this.done(this.startWrite(offset, content, flags))
  }

  /** Written, and durable: by FUA where there is one, else by a flush. */
  async writeDurably(offset: number, content: Uint8Array): Promise<void> {
    await this.write(offset, content, this.hasForcedUnitAccess ? BLOCK_FUA : 0)
    if (!this.hasForcedUnitAccess) await this.flush()
  }

  async zero(offset: number, bytes: number, flags = 0): Promise<void> {
    await this.prepare(offset, bytes)
    await this.done(this.startZero(offset, bytes, flags))
  }

  async flush(): Promise<void> {
    await this.done(this.startFlush())
  }

  async settled<T>(promise: PromiseLike<T>, what: string): Promise<T> {
    return this.harness.waiting.settled(promise, what)
  }

  lease(bytes: number): Lease {
    const lease = this.current.memory.lease(Math.max(bytes, 1))
    assert(lease !== NO_LEASE, "the memory of a clause is large enough")
    return lease
  }

  /** Whether anybody still holds the lease. */
  isLive(lease: Lease): boolean {
    try {
      this.current.memory.capacityOf(lease)
      return true
    } catch {
      return false
    }
  }

  checkStatus(outcome: Outcome, expected: RmrError["code"], what: string): void {
    const code = outcome.status === STATUS_OK ? "done" : failureOf(outcome.status).code
    checkEqual<string>(code, expected, what)
  }
}

function failureOf(status: number): RmrError {
  return Refused.ofStatus(status, "by the subject of the clause")
}
