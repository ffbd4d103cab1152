/**
 * What ties the two ends of a session together: who hears whom, and what reaches the other side.
 *
 * The ends do not know of each other's fate. An end that goes down may leave word, and the word may
 * get lost; then the other end learns of it by silence alone. Meanwhile what was sent before still
 * arrives, which is how a request is executed although its sender has long seen the link lost.
 */
import { RmrError } from "@rmr/core"
import type { SeededRandom } from "./seeded-random.js"
import type { SimNetwork } from "./sim-network.js"
import type { SimSession } from "./sim-transport-session.js"

/** The dialing side before it has a session: whether it still waits for one. */
export interface Caller {
  readonly isOver: boolean
  readonly hostName: string
}

export class Connection {
  dialed: SimSession | undefined
  accepted: SimSession | undefined
  readonly caller: Caller
  private readonly network: SimNetwork
  private readonly random: SeededRandom
  private isSilenced = false

  constructor(network: SimNetwork, caller: Caller, random: SeededRandom) {
    this.network = network
    this.caller = caller
    this.random = random
  }

  other(end: SimSession): SimSession | undefined {
    return end === this.dialed ? this.accepted : this.dialed
  }

  /** When the other side gave its last sign of life that could reach this end, if it still does. */
  heardMs(by: SimSession): number | undefined {
    const other = this.other(by)
    if (other === undefined) return this.caller.isOver ? undefined : this.network.world.nowMs
    const reaches = !this.isSilenced && this.network.passes(other.hostName, by.hostName)
    return reaches && other.isUp ? other.beatMs : undefined
  }

  /** Carries a message; it arrives if the other end is up by then. */
  carry(
    from: SimSession,
    header: Uint8Array,
    payloadBytes: number,
    arrive: (to: SimSession, isCorrupt: boolean) => void,
  ): void {
    if (this.isSilenced) return
    const toName = this.otherName(from)
    const { sessionLossChance, corruptChance } = this.network.optionsOf(from.hostName, toName)
    if (this.random.chance(sessionLossChance)) this.lose()
    const bytes = header.length + payloadBytes
    const land = (): void => {
      if (this.isSilenced) return
      const to = this.other(from)
      if (to?.isUp === true) arrive(to, this.random.chance(corruptChance))
      else this.leaveWord(toName, from)
    }
    this.network.send(from.hostName, toName, bytes, land, header)
  }

  /** This end is down; `isCertain` where it says goodbye as long as anything gets through. */
  ended(end: SimSession, isCertain: boolean): void {
    const other = this.other(end)
    if (other === undefined) return
    if (isCertain) this.sendWord(end.hostName, other)
    else this.leaveWord(end.hostName, other)
  }

  /** The dial was over before the welcome came: nobody is there for the accepted end. */
  abandon(): void {
    if (this.accepted !== undefined) this.leaveWord(this.caller.hostName, this.accepted)
  }

  /** The connection breaks: one end notices, and the other one somehow. */
  lose(): void {
    const first = this.random.pick([this.dialed, this.accepted]) ?? this.accepted
    first?.goDown(lost("the connection broke"), false)
  }

  /** Cut without goodbye: both ends notice, each after a delay of its own. */
  sever(): void {
    for (const end of [this.dialed, this.accepted]) {
      if (end === undefined) continue
      const from = this.otherName(end)
      this.network.send(from, end.hostName, 0, () => end.goDown(lost("the link was cut"), false))
    }
  }

  /** From now on neither end hears anything of the other, and nobody says so. */
  silence(): void {
    this.isSilenced = true
  }

  private otherName(end: SimSession): string {
    return this.other(end)?.hostName ?? this.caller.hostName
  }

  /** Somebody on this host, if it runs, says that the session is gone, or does not. */
  private leaveWord(fromName: string, to: SimSession): void {
    if (!this.network.isAttached(fromName)) return
    const { resetChance } = this.network.optionsOf(fromName, to.hostName)
    if (this.random.chance(resetChance)) this.sendWord(fromName, to)
  }

  private sendWord(fromName: string, to: SimSession): void {
    if (this.isSilenced) return
    this.network.sendOnce(fromName, to.hostName, () => {
      if (!this.isSilenced) to.goDown(lost("the other side ended the session"), false)
    })
  }
}

export function lost(detail: string): RmrError {
  return new RmrError("link-lost", detail)
}
