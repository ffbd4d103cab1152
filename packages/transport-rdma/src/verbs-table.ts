/**
 * The memory that native code shares with us: what has arrived, and what is to be posted. The same
 * numbers stand in native/table.h.
 */
export const ARRIVALS_MAX = 512
export const POSTS_MAX = 512

/** Columns of what has arrived. */
export const ARRIVAL_LINE = 0
export const ARRIVAL_EVENT = 1
/** In the texts: a head with its text, something said, private data. */
export const ARRIVAL_AT = 2
/** Of the text behind a head; of what was said. */
export const ARRIVAL_BYTES = 3
export const ARRIVAL_PAYLOAD = 4
/** Where we want the payload: an arena, and where there. */
export const ARRIVAL_ARENA = 6
export const ARRIVAL_TO = 7
/** Of an event; of a frame, 1: it comes again because we wanted it. */
export const ARRIVAL_VALUE = 8
export const ARRIVAL_DETAIL = 9
/** The payload is there, and has the sum that its head names. */
export const ARRIVAL_IS_RIGHT = 10
/** Place of the frame in our room. */
export const ARRIVAL_FRAME = 11
export const ARRIVAL_STRIDE = 12

export const EVENT_FRAME = 1
export const EVENT_SAID = 2
/** The value is a word (words.ts). */
export const EVENT_WORD = 3
/** The value says how many posts of the line have been sent, counted since ever. */
export const EVENT_SENT = 4
/** Somebody calls the listener that the value names; with private data. */
export const EVENT_ASKED = 5
/** With private data of the other side. */
export const EVENT_CONNECTED = 6
/** The value says why, the detail what the device said; with private data where it was refused. */
export const EVENT_OVER = 7
/** A dialed line has a route, and a device. */
export const EVENT_ROUTED = 8
/** The value says how many posts that read are done. */
export const EVENT_READ = 9
/** The device of a listener, which the value names, was taken away; it is closed. */
export const EVENT_GONE = 10
/** Of a raw line: the value is the immediate data; what was sent with it is in the texts. */
export const EVENT_TOLD = 11

/** Columns of what is to be posted. */
export const POST_LINE = 0
export const POST_KIND = 1
export const POST_HEAD_AT = 2
export const POST_HEAD_BYTES = 3
/** Of the payload; -1 is none. */
export const POST_ARENA = 4
export const POST_AT = 5
export const POST_BYTES = 6
/** In the room of the other side; of a raw post, its immediate data. */
export const POST_PLACE = 7
/** Of exposed memory. In a frame: not 0 says that its payload does not go with it. */
export const POST_KEY = 8
export const POST_ADDRESS_LOW = 9
export const POST_ADDRESS_HIGH = 10
export const POST_IS_SUMMED = 11
/** We are told when it was sent. */
export const POST_IS_TOLD = 12
export const POST_STRIDE = 13

export const POST_FRAME = 1
/** The place is a word (words.ts). */
export const POST_WORD = 2
export const POST_WRITE = 3
export const POST_READ = 4
/** Payload and then head to memory of the other side, which is told a number. */
export const POST_RAW = 5

/** Of a text over a line that is not raw; raw lines take longer ones from what is beside that. */
const TEXT_BYTES_MAX = 1024
const RAW_TEXTS_BYTES: number = 64 * 1024
const TEXTS_BYTES: number = ARRIVALS_MAX * TEXT_BYTES_MAX + RAW_TEXTS_BYTES

export interface VerbsTable {
  readonly words: ArrayBuffer
  readonly arrivals: Int32Array
  readonly posts: Int32Array
  readonly texts: DataView
}

export function verbsTable(): VerbsTable {
  const arrivalBytes = ARRIVALS_MAX * ARRIVAL_STRIDE * 4
  const postBytes = POSTS_MAX * POST_STRIDE * 4
  const words = new ArrayBuffer(arrivalBytes + postBytes + TEXTS_BYTES)
  return {
    words,
    arrivals: new Int32Array(words, 0, ARRIVALS_MAX * ARRIVAL_STRIDE),
    posts: new Int32Array(words, arrivalBytes, POSTS_MAX * POST_STRIDE),
    texts: new DataView(words, arrivalBytes + postBytes, TEXTS_BYTES),
  }
}
