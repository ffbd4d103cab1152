/**
 * The side that dials of RTRS: it owns the engine, and hands rows of a turn to dials and sessions.
 */
import type { Env, Memory } from "@rmr/core"
import { RmrError } from "@rmr/core"
import { lingerUs } from "@rmr/io"
import { parseRoutes } from "../address.js"
import { addressOf } from "../names.js"
import { Verbs, type VerbsTurns } from "../verbs.js"
import {
  ARRIVAL_AT,
  ARRIVAL_BYTES,
  ARRIVAL_DETAIL,
  ARRIVAL_EVENT,
  ARRIVAL_LINE,
  ARRIVAL_STRIDE,
  ARRIVAL_VALUE,
  EVENT_CONNECTED,
  EVENT_OVER,
  EVENT_ROUTED,
  EVENT_SAID,
  EVENT_SENT,
  EVENT_TOLD,
} from "../verbs-table.js"
import { RtrsDial } from "./dial.js"
import { linesOf, type RtrsDialOptions, type RtrsOptions } from "./options.js"
import { RawLine, type RawLineOwner } from "./raw-line.js"
import type { RtrsSession } from "./session.js"

export class RtrsClient implements VerbsTurns {
  readonly env: Env
  readonly memory: Memory
  readonly verbs: Verbs
  private readonly lines = new Map<number, RawLine>()
  private readonly dials = new Set<RtrsDial>()
  private readonly sessions = new Set<RtrsSession>()
  private closing: Promise<void> | undefined

  /** Fails with `unsupported` where there is no RDMA on this machine, and says why. */
  constructor({ env, memory, lingerUs: us }: RtrsOptions) {
    this.env = env
    this.memory = memory
    this.verbs = new Verbs(env, memory, us ?? lingerUs(), this)
  }

  /** `rdma://host:port`, or `rdma://own@host:port`; the kernel's server of RNBD is at port 1234. */
  async dial(address: string, options: RtrsDialOptions): Promise<RtrsSession> {
    const [route, ...others] = parseRoutes(address)
    if (route === undefined || others.length > 0) {
      throw new RmrError("invalid-argument", `${address}: RTRS has one path here`)
    }
    if (this.closing !== undefined) throw new RmrError("closed", "this side closed its end")
    const dial = new RtrsDial(this, address, options, linesOf(options))
    this.dials.add(dial)
    addressOf(route.to).then(
      (to) => dial.start({ from: route.from, to }),
      (thrown) => dial.fail("unreachable", RmrError.from(thrown).detail),
    )
    return dial.promise
  }

  /** Ends all sessions. Idempotent. */
  close(): Promise<void> {
    this.closing ??= this.closeAll()
    return this.closing
  }

  onRows(count: number): void {
    const { arrivals, texts } = this.verbs.table
    for (let row = 0; row < count * ARRIVAL_STRIDE; row += ARRIVAL_STRIDE) {
      const line = this.lines.get(arrivals[row + ARRIVAL_LINE]!)
      if (line === undefined) continue
      const event = arrivals[row + ARRIVAL_EVENT]!
      const at = arrivals[row + ARRIVAL_AT]!
      const bytes = arrivals[row + ARRIVAL_BYTES]!
      const value = arrivals[row + ARRIVAL_VALUE]!
      const { owner } = line
      if (event === EVENT_SAID || event === EVENT_TOLD) line.heardCount++
      if (event === EVENT_TOLD) owner.onTold(line, value >>> 0, texts, at, bytes)
      else if (event === EVENT_SENT) line.onSent(value)
      else if (event === EVENT_SAID) owner.onSaid(line, texts, at, bytes)
      else if (event === EVENT_ROUTED) owner.onRouted(line)
      else if (event === EVENT_CONNECTED) owner.onConnected(line, texts, at, bytes)
      else if (event === EVENT_OVER) {
        owner.onOver(line, value, arrivals[row + ARRIVAL_DETAIL]!, texts, at, bytes)
      }
    }
  }

  onTurnEnd(): void {
    // Requests are over one by one: there is no batch to hand on.
  }

  addLine(number: number, place: number, owner: RawLineOwner): RawLine {
    const line = new RawLine(this.verbs, this.memory, number, place, owner, this.closeLine)
    this.lines.set(number, line)
    return line
  }

  forgetDial(dial: RtrsDial): void {
    this.dials.delete(dial)
  }

  addUp(session: RtrsSession): void {
    this.sessions.add(session)
  }

  /** It is over. */
  forgetSession(session: RtrsSession): void {
    this.sessions.delete(session)
  }

  private readonly closeLine = (line: RawLine): void => {
    const { verbs } = this
    this.lines.delete(line.number)
    verbs.posts.drop(line.number)
    verbs.native.closeLine(verbs.engine, line.number)
  }

  private async closeAll(): Promise<void> {
    for (const dial of [...this.dials]) dial.fail("closed", "this side closed its end")
    for (const session of [...this.sessions]) session.close()
    await this.verbs.close()
  }
}
