/**
 * What one clause works with: parties that talk, ways to hurt them, and waiting.
 */
import type { LaneCredits, Listener, Session } from "@rmr/core"
import { STATUS_OK } from "@rmr/core"
import type { SeededRandom } from "../../world/seeded-random.js"
import { check, checkBytes, checkEqual } from "../check.js"
import { answerTo, payloadFor } from "./content.js"
import type { PowerName, TransportHarness, TransportPowers } from "./harness.js"
import { CREDITS, Party } from "./party.js"
import type { Sent } from "./records.js"

export interface PairOptions {
  readonly credits?: LaneCredits
  readonly creditsMax?: LaneCredits
}

/** A client that has dialed a server. */
export interface Pair {
  readonly client: Party
  readonly server: Party
  readonly listener: Listener
  readonly dialed: Session
  readonly accepted: Session
}

export class TransportRig {
  readonly harness: TransportHarness
  private readonly parties: Party[] = []

  constructor(harness: TransportHarness) {
    this.harness = harness
  }

  get random(): SeededRandom {
    return this.harness.random
  }

  party(name: string): Party {
    const party = new Party(this.harness, name)
    this.parties.push(party)
    return party
  }

  async pair(options: PairOptions = {}): Promise<Pair> {
    const client = this.party("client")
    const server = this.party("server")
    const listener = await this.settled(server.listen(options.creditsMax), "listener")
    const { dialed, accepted } = await this.connect(client, server, listener, options.credits)
    return { client, server, listener, dialed, accepted }
  }

  /** One more session, and the server's end of it. Nobody else may dial this server meanwhile. */
  async connect(
    client: Party,
    server: Party,
    listener: Listener,
    credits: LaneCredits = CREDITS,
  ): Promise<{ dialed: Session; accepted: Session }> {
    const known = server.ups.length
    const dialed = await this.settled(client.dial(listener, { credits }), "dialed session")
    await this.until(() => server.ups.length > known, "accepted session")
    return { dialed, accepted: server.ups[known]! }
  }

  until(condition: () => boolean, what: string, limitMs?: number): Promise<void> {
    return this.harness.waiting.until(condition, what, limitMs)
  }

  settled<T>(promise: PromiseLike<T>, what: string, limitMs?: number): Promise<T> {
    return this.harness.waiting.settled(promise, what, limitMs)
  }

  pass(ms: number): Promise<void> {
    return this.harness.waiting.pass(ms)
  }

  /** The power; the clause has declared that it needs it. */
  power<Name extends PowerName>(name: Name): TransportPowers[Name] {
    const power = this.harness.powers[name]
    check(power !== undefined, `the power to ${name}, which was not declared absent`)
    return power
  }

  done(...sent: readonly (Sent | undefined)[]): Promise<void> {
    return this.until(() => sent.every((each) => each?.isDone === true), "completions")
  }

  /** Until everything that the party has ever submitted has completed. */
  allDone(party: Party, limitMs?: number): Promise<void> {
    return this.until(() => party.unfinishedCount === 0, "completions of everything", limitMs)
  }

  /** Completed once, with the answer of an echo. */
  checkEchoed(sent: Sent, what: string): void {
    checkEqual(sent.completions.length, 1, `${what}: completions`)
    const { status, header, payload, payloadBytes } = sent.completion
    checkEqual(status, STATUS_OK, `${what}: status`)
    checkBytes(header, answerTo(sent.header), `${what}: header of the reply`)
    checkEqual(payloadBytes, payload.length, `${what}: bytes that came back`)
    checkBytes(payload, payloadFor(sent.header, payload.length), `${what}: what came back`)
  }

  /** Completed once, with this status and without a reply. */
  checkEnded(sent: Sent, status: number, what: string): void {
    checkEqual(sent.completions.length, 1, `${what}: completions`)
    checkEqual(sent.completion.status, status, `${what}: status`)
    checkEqual(sent.completion.payloadBytes, 0, `${what}: bytes that came back`)
  }

  /** Closes what the clause left open. */
  async end(): Promise<void> {
    const closing = this.parties.map((party) => party.endpoint.close())
    await this.settled(Promise.all(closing), "end of closing")
  }
}
