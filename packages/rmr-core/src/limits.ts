/**
 * Every bound of the system, in one place, with the relations between them asserted.
 *
 * A bound that is not here does not exist: what is not bounded will one day be endless. Units last.
 */
import { assert } from "./assert.js"

/** ASCII, one byte per character; at least 1. */
export const POOL_NAME_BYTES_MAX = 255
/** Each half of a session name `<client@server>`. */
export const HOST_NAME_BYTES_MAX = 255
/** A transport address, as members are listed with it. */
export const ADDRESS_BYTES_MAX = 255

/** Pools of a node, by the low bits of their group ids: a power of two; a session is for one. */
export const SHARD_COUNT = 16

/** Members of a pool, absent ones included. */
export const MEMBERS_MAX = 8

/** The smallest unit that a medium never tears. */
export const BLOCK_BYTES_MIN = 512
/** Volumes and extents are multiples of this, whatever the medium's own block is. */
export const VOLUME_BLOCK_BYTES = 4096

/** A chunk is a power of two from here … */
export const CHUNK_BYTES_MIN = 4096
/** … to here; one IO copies it whole. */
export const CHUNK_BYTES_MAX: number = 16 * 1024 * 1024
/** Fixed when the pool is created. */
export const CHUNK_BYTES_DEFAULT: number = 128 * 1024

/** Offsets stay far below 2⁵³, so that sums of two are still exact. */
export const VOLUME_BYTES_MAX: number = 512 * 2 ** 40

/** The largest single IO: what an NBD client may ask. */
export const IO_BYTES_MAX: number = 32 * 1024 * 1024

/** Io units of a pool, at least. */
export const QUEUE_DEPTH_MIN = 1
/** Io units of a pool, at most: what a view change may have to list (V2). */
export const QUEUE_DEPTH_MAX = 4096
/** Fixed when the pool is created. */
export const QUEUE_DEPTH_DEFAULT = 128

/** Chunks per second-level page of a dirty map: one byte each. */
export const MAP_PAGE_CHUNKS = 4096

/** What the intent log tracks at once. */
export const EXTENT_BYTES_DEFAULT: number = 4 * 1024 * 1024
/** Hot extents of a store before it asks for a flush; a soft limit (I3). */
export const HOT_EXTENTS_DEFAULT = 512

/** Lineage entries that a view record remembers. */
export const LINEAGE_HISTORY_MAX = 16

/** The time after which a leg is late (V7), at least: shorter, a busy disk would look dead. */
export const IO_DEADLINE_MS_MIN = 200

/** Who is closed waits so long for what is in work, unless something else is said (P6). */
export const CLOSE_MS_DEFAULT = 5000

/** Messages: everything but the payload. A header fits a slot of any transport. */
export const HEADER_BYTES_MAX = 512
/** What a refusal says to a person. */
export const DETAIL_BYTES_MAX = 256
/** Name and version of a program, in HELLO. */
export const SOFTWARE_BYTES_MAX = 64
/** A request of the layer above; it fits a header. */
export const USER_REQUEST_BYTES_MAX = 440
/** One leg's answer to it. */
export const USER_ANSWER_BYTES_MAX: number = 64 * 1024
/** Map pages in one message: a hundred and more even where none of them packs well. */
export const MAP_BUF_BYTES_MAX: number = 256 * 1024
/** Ranges of chunks in one message. */
export const CHUNK_RANGES_MAX = 32
/** Mutations in one MAP_ADD that changes no view (W3). */
export const MISSED_RANGES_MAX = 16
/** Listed ranges that one answer to MAP_ADD takes back (V2); behind the last of more, all are. */
export const TAKEN_BACK_MAX = 200
/** Last io entries in the answer to a sync read (S9); for more the reader asks. */
export const REPLY_LAST_IO_MAX = 16
/** Hot ranges that a member reports, after neighbours were joined (R3). */
export const HOT_RANGES_MAX = 65_535
/** What an opening view lists beside a range for each io unit (R4); who has more joins some. */
export const RECOVERY_RANGES_MAX = 1024

assert(CHUNK_BYTES_MIN >= BLOCK_BYTES_MIN, "a chunk holds whole blocks")
assert(CHUNK_BYTES_MIN % VOLUME_BLOCK_BYTES === 0, "a chunk holds whole volume blocks")
assert(
  CHUNK_BYTES_MIN <= CHUNK_BYTES_DEFAULT && CHUNK_BYTES_DEFAULT <= CHUNK_BYTES_MAX,
  "default chunk",
)
assert(CHUNK_BYTES_MAX <= IO_BYTES_MAX, "a chunk is copied by one IO")
assert(VOLUME_BYTES_MAX + IO_BYTES_MAX < Number.MAX_SAFE_INTEGER, "offset + length stays exact")
assert(VOLUME_BYTES_MAX / CHUNK_BYTES_MIN < 2 ** 53, "chunk numbers are exact")
assert(
  QUEUE_DEPTH_MIN <= QUEUE_DEPTH_DEFAULT && QUEUE_DEPTH_DEFAULT <= QUEUE_DEPTH_MAX,
  "queue depth",
)
assert(MEMBERS_MAX <= 31, "a member set is a small bit mask")
