/**
 * The door of an NBD server that has several threads: it listens and does the handshake, and hands
 * each client to the thread that has the export which it chose.
 *
 * What exports there are, the threads are asked each time that a client says something: a handshake
 * is rare, and who grows or unmaps a volume shall not find yesterday's answer here.
 */
import type { Clock } from "@rmr/core"
import { Door, type Guest, type StreamAddress, type Talk, type TalkStep } from "@rmr/io"
import type { ExportCatalog, ExportFacts } from "./export-facts.js"
import { Handshake, type Transmission } from "./handshake.js"

const HANDSHAKE_MS = 10_000
const GUESTS_MAX = 64

export interface NbdDoorOptions {
  readonly clock: Clock
  /** Of all threads, the default one first. */
  exports(): Promise<readonly ExportFacts[]>
  onGuest(exportName: string, guest: Guest): void
}

/** Fails with `busy`, `invalid-argument`, or `unsupported` without the native addon. */
export function nbdDoor(at: StreamAddress, options: NbdDoorOptions): Promise<Door> {
  return Door.open(at, {
    clock: options.clock,
    deadlineMs: HANDSHAKE_MS,
    guestsMax: GUESTS_MAX,
    talk: () => new NbdTalk(() => options.exports()),
    onGuest: (guest) => options.onGuest((guest.note as Transmission).facts.name, guest),
  })
}

class NbdTalk implements Talk {
  readonly greeting: Uint8Array
  private readonly handshake: Handshake
  private readonly ask: NbdDoorOptions["exports"]
  private exports: readonly ExportFacts[] = []

  constructor(ask: NbdDoorOptions["exports"]) {
    const catalog: ExportCatalog = {
      find: (name) =>
        name === "" ? this.exports[0] : this.exports.find((facts) => facts.name === name),
      all: () => this.exports,
      // Of one that is being closed nobody is told.
      isClosing: () => false,
    }
    this.ask = ask
    this.handshake = new Handshake(catalog)
    this.greeting = this.handshake.takeSaid()
  }

  async take(bytes: Uint8Array): Promise<TalkStep> {
    this.exports = await this.ask()
    const taken = this.handshake.take(bytes)
    const say = this.handshake.takeSaid()
    const { end } = this.handshake
    if (end === undefined) return { say, next: "on" }
    if (end.kind !== "transmission") return { say, next: "away" }
    return { say, next: { rest: bytes.subarray(taken), note: end.transmission } }
  }
}
