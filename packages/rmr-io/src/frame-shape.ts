/**
 * What an engine must know of a protocol to cut a stream into frames, as data.
 *
 * A frame is a head of fixed size, a text of at most a few hundred bytes, and a payload. The head
 * says how long the other two are and carries a checksum of head and text, and perhaps one of the
 * payload. That is enough for an engine in any language to receive, check and place whole frames
 * without asking anybody, so that the protocol is called once per turn with a table of them.
 *
 * A payload goes to one of two places. Frames of `roomKind` answer something: their payload goes
 * into the room that was opened for their id (`RoomTable`). All others get a fresh lease.
 */
import { assert, REQUEST_INDEX_BITS } from "@rmr/core"

/** Offsets are in the head; all integers are little-endian. */
export interface FrameShape {
  readonly headBytes: number
  /** u16 at offset 0. */
  readonly magic: number
  /** u8. */
  readonly kindAt: number
  readonly roomKind: number
  /** i32; its low ROOM_INDEX_BITS are the index of the room. */
  readonly idAt: number
  /** u16. */
  readonly textBytesAt: number
  /** i32. */
  readonly payloadBytesAt: number
  /** CRC-32C of the payload, where the connection says that payloads are summed. */
  readonly payloadSumAt: number
  /** CRC-32C of the head before it and the text after it; the last four bytes of the head. */
  readonly headSumAt: number
}

export function assertShape(shape: FrameShape): void {
  const { headBytes, headSumAt, kindAt, idAt, textBytesAt, payloadBytesAt, payloadSumAt } = shape
  assert(headSumAt === headBytes - 4, "the head ends with its checksum")
  const ends = [kindAt + 1, idAt + 4, textBytesAt + 2, payloadBytesAt + 4, payloadSumAt + 4]
  const isInside = ends.every((end) => end > 2 && end <= headSumAt)
  assert(isInside, "fields lie between magic and checksum")
}

export const ROOM_INDEX_BITS: number = REQUEST_INDEX_BITS
const ROOM_INDEX_MASK: number = 2 ** ROOM_INDEX_BITS - 1
const NO_ROOM = -1
/** Columns of a room. */
const ROOM_ID = 0
const ROOM_ARENA = 1
const ROOM_AT = 2
const ROOM_BYTES = 3
const ROOM_STRIDE = 4

/** Where answers may be received to, by id. An answer closes its room. */
export class RoomTable {
  private readonly words: Int32Array

  constructor(count: number) {
    assert(count <= 2 ** ROOM_INDEX_BITS, `${count} rooms can be told apart by an id`)
    this.words = new Int32Array(count * ROOM_STRIDE)
    for (let row = 0; row < this.words.length; row += ROOM_STRIDE) this.words[row] = NO_ROOM
  }

  /** Takes the place of a room with the same index. */
  open(id: number, arena: number, at: number, bytes: number): void {
    const row = (id & ROOM_INDEX_MASK) * ROOM_STRIDE
    this.words[row + ROOM_ID] = id
    this.words[row + ROOM_ARENA] = arena
    this.words[row + ROOM_AT] = at
    this.words[row + ROOM_BYTES] = bytes
  }

  close(id: number): void {
    const row = (id & ROOM_INDEX_MASK) * ROOM_STRIDE
    if (this.words[row + ROOM_ID] === id) this.words[row + ROOM_ID] = NO_ROOM
  }

  /** Whether a room of this id is open and takes so many bytes. */
  takes(id: number, bytes: number): boolean {
    const row = (id & ROOM_INDEX_MASK) * ROOM_STRIDE
    return id >= 0 && this.words[row + ROOM_ID] === id && bytes <= this.words[row + ROOM_BYTES]!
  }

  arenaOf(id: number): number {
    return this.words[(id & ROOM_INDEX_MASK) * ROOM_STRIDE + ROOM_ARENA]!
  }

  atOf(id: number): number {
    return this.words[(id & ROOM_INDEX_MASK) * ROOM_STRIDE + ROOM_AT]!
  }
}
