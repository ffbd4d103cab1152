/**
 * The memory of a session that devices reach: heads that leave, and the room that frames come to.
 *
 * Both belong to this session alone; the room is what the peer may write, and nothing else is. Each
 * path has them on its own device.
 */
import { RmrError } from "@rmr/core"
import { reasonOf } from "./codes.js"
import { RIGHTS_OURS, RIGHTS_PEER_WRITES } from "./native-addon.js"
import type { Opening } from "./opening.js"
import type { Path } from "./path.js"
import type { Verbs } from "./verbs.js"

export interface Rooms {
  readonly slots: number
  readonly room: number
  /** Where the peer finds the room: address (low, high), key, bytes. */
  readonly words: Int32Array
}

/** Fails with `out-of-memory` where the device takes no more. */
export function openRooms(verbs: Verbs, { session, shape, carrier }: Opening, path: Path): Rooms {
  const { native, engine } = verbs
  const line = path.lines.link.number
  const open = (memory: ArrayBufferLike, rights: number): number => {
    const region = native.openRegion(engine, line, memory, rights)
    if (region < 0) throw new RmrError("out-of-memory", `for a session: ${reasonOf(-region)}`)
    path.addRegion(region)
    return region
  }
  const slots = open(session.slots.buffer, RIGHTS_OURS)
  const room = open(carrier.roomOf(shape.roomBytes), RIGHTS_PEER_WRITES)
  const words = new Int32Array(4)
  native.regionKey(engine, room, words)
  words[3] = shape.roomBytes
  return { slots, room, words }
}

/** Frames can come and go on all lines of the path, which belong to the session from now on. */
export function furnish(
  verbs: Verbs,
  { session, carrier }: Opening,
  path: Path,
  rooms: Rooms,
  peer: Int32Array,
): void {
  for (const line of path.lines.all) {
    verbs.native.furnishLine(verbs.engine, line.number, rooms.slots, rooms.room, peer)
    line.session = session
    line.path = path
  }
  carrier.paths.addUp(path)
}
