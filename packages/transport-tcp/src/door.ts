/**
 * The door of a node that has several threads: it listens, and hands each connection to the thread
 * that has the pools of its shard, which receives it through a guest room (@rmr/io).
 *
 * It reads nothing but where a guest wants to go: HELLO and JOIN have their shard in the head, in
 * the place of an id. Whether they are right, and all the rest, is judged where they are received;
 * what is no greeting at all is shard 0's to refuse.
 */
import { type Clock, GREETING_BYTES_MAX, SHARD_COUNT } from "@rmr/core"
import { Door, type Guest, isUnixAddress, type Talk, type TalkStep } from "@rmr/io"
import { parseTcpAddress, tcpAddress } from "./address.js"
import { HEAD_BYTES, idIn, KIND_HELLO, KIND_JOIN, kindOf } from "./framing.js"
import { GUESTS_DEFAULT, HANDSHAKE_MS_DEFAULT } from "./options.js"

export interface TcpDoorOptions {
  readonly clock: Clock
  onGuest(shard: number, guest: Guest): void
}

export interface TcpDoor {
  readonly address: string
  /** Who was handed over stays. Idempotent. */
  close(): void
}

/** Fails with `busy`, `invalid-argument`, or `unsupported` without the native addon. */
export async function tcpDoor(address: string, options: TcpDoorOptions): Promise<TcpDoor> {
  const door = await Door.open(parseTcpAddress(address), {
    clock: options.clock,
    deadlineMs: HANDSHAKE_MS_DEFAULT,
    guestsMax: GUESTS_DEFAULT,
    talk: () => new FirstHead(),
    onGuest: (guest) => options.onGuest(guest.note as number, guest),
  })
  const at = door.address
  return { address: isUnixAddress(at) ? at.path : tcpAddress(at), close: () => door.close() }
}

const NOTHING = new Uint8Array(0)
/** Nobody says more before he is answered. */
const BYTES_MAX = HEAD_BYTES + GREETING_BYTES_MAX

class FirstHead implements Talk {
  readonly greeting: Uint8Array = NOTHING
  private heard: Uint8Array = NOTHING

  async take(bytes: Uint8Array): Promise<TalkStep> {
    const heard = new Uint8Array(this.heard.length + bytes.length)
    heard.set(this.heard)
    heard.set(bytes, this.heard.length)
    this.heard = heard
    if (heard.length > BYTES_MAX) return { say: NOTHING, next: "away" }
    if (heard.length < HEAD_BYTES) return { say: NOTHING, next: "on" }
    return { say: NOTHING, next: { rest: heard, note: shardIn(heard) } }
  }
}

function shardIn({ buffer, byteOffset, length }: Uint8Array): number {
  const head = new DataView(buffer, byteOffset, length)
  const kind = kindOf(head, 0)
  const shard = kind === KIND_HELLO || kind === KIND_JOIN ? idIn(head, 0) : 0
  return shard >= 0 && shard < SHARD_COUNT ? shard : 0
}
