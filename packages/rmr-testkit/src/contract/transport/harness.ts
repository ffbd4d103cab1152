/**
 * What the transport suite asks of an implementation.
 *
 * A *process* is one end: a transport, time and memory of its own. *Powers* are ways to hurt what
 * lies between two of them. Not everybody can flip a bit in flight; a power that an implementation
 * lacks is declared with the reason, and what needs it is replaced by a clause that says so.
 *
 * Where links can only be hurt by something in the middle (a relay, say), `reach` names the address
 * that leads through it.
 */
import type { Env, Listener, Memory, Session, Transport } from "@rmr/core"
import type { SeededRandom } from "../../world/seeded-random.js"
import type { Waiting } from "../waiting.js"

export interface TransportProcess {
  readonly name: string
  readonly transport: Transport
  readonly env: Env
  /** Its own, with nothing leased, and room for at least 32 payloads of the largest size. */
  readonly memory: Memory
}

/** Each is called with a dialed session that is up. */
export interface TransportPowers {
  /** Cuts the session without a goodbye. Both sides can notice. */
  readonly sever: (session: Session) => void | Promise<void>
  /** From now on neither side hears the other, and nothing tells them. */
  readonly silence: (session: Session) => void | Promise<void>
  /** The next payload on its way, in either direction, arrives changed. */
  readonly changeNext: (session: Session) => void | Promise<void>
  /** Somebody who does not speak this protocol sends these bytes to a listener. */
  readonly callAsStranger: (listener: Listener, bytes: Uint8Array) => void | Promise<void>
}

export type PowerName = keyof TransportPowers

/** Powers that an implementation lacks, each with the reason. */
export type AbsentPowers = Readonly<Partial<Record<PowerName, string>>>

export interface TransportHarness {
  readonly waiting: Waiting
  /** Where clauses take chance from; its path names the seed. */
  readonly random: SeededRandom
  readonly powers: Partial<TransportPowers>
  /**
   * A new process, whatever the name; different names are on different hosts where there are such.
   */
  process(name: string): TransportProcess
  /** Where a listener of this process can be put, on a port of its own choice. */
  listenAddress(process: TransportProcess): string
  /** What to dial to reach this listener. */
  reach(listener: Listener): string
  /** Where nobody listens, and something says so. */
  refusedAddress(): string
  /** Where calls vanish. */
  silentAddress(): string
  /** What is left of closed endpoints beside timers and leases: sockets, threads, regions. */
  leftovers(): readonly string[]
}
