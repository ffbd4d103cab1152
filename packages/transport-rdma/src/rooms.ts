/**
 * The memory of a session that devices reach: heads that leave, and the room that frames come to.
 *
 * Both belong to this session alone; the room is what the peer may write, and nothing else is.
 */
import { RmrError } from "@rmr/core"
import { reasonOf } from "./codes.js"
import { RIGHTS_OURS, RIGHTS_PEER_WRITES } from "./native-addon.js"
import type { Opening } from "./opening.js"
import type { Verbs } from "./verbs.js"

export interface Rooms {
  readonly slots: number
  readonly room: number
  /** Where the peer finds the room: address (low, high), key, bytes. */
  readonly words: Int32Array
}

/** Fails with `out-of-memory` where the device takes no more. */
export function openRooms(verbs: Verbs, { session, shape, lines, carrier }: Opening): Rooms {
  const { native, engine } = verbs
  const line = lines.link.number
  const open = (memory: ArrayBufferLike, rights: number): number => {
    const region = native.openRegion(engine, line, memory, rights)
    if (region < 0) throw new RmrError("out-of-memory", `for a session: ${reasonOf(-region)}`)
    carrier.addRegion(region)
    return region
  }
  const slots = open(session.slots.buffer, RIGHTS_OURS)
  const room = open(new ArrayBuffer(shape.roomBytes), RIGHTS_PEER_WRITES)
  const words = new Int32Array(4)
  native.regionKey(engine, room, words)
  words[3] = shape.roomBytes
  return { slots, room, words }
}

/** Frames can come and go on all lines. */
export function furnish(verbs: Verbs, opening: Opening, rooms: Rooms, peer: Int32Array): void {
  for (const { number } of opening.lines.all) {
    verbs.native.furnishLine(verbs.engine, number, rooms.slots, rooms.room, peer)
  }
  if (opening.session.side === "dialed") opening.carrier.asking.open(peer[3]!)
}
