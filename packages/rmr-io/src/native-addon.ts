/**
 * The native addon, where there is one for this machine: whether it counts, and what it offers.
 *
 * It is optional. Whoever uses it has a twin in plain JavaScript with the same results, takes that
 * where `nativeAddon()` answers undefined, and is tested with both. `RMR_NATIVE=off` forces the
 * twins, `RMR_NATIVE=required` refuses them, and `RMR_NATIVE=sanitize` takes the build that watches
 * its own memory (native/build.mjs), for tests. The answer is found once, at the first question,
 * and then stays: half a process on one twin and half on the other would be hard to understand.
 */
import { RmrError } from "@rmr/core"
import { LINGER_US_DEFAULT } from "./linger-default.js"
import { type Loaded, loadFirst, nativeFiles, sanitizedFiles, thisMachine } from "./native-file.js"

/** RMR_NATIVE_VERSION in native/addon.c. */
const NATIVE_VERSION = 11
/** What RMR_NATIVE may say; nothing is `on`: what loads is taken. `sanitize` is for tests alone. */
const MODES: readonly string[] = ["", "off", "on", "required", "sanitize"]

/** What the files of native/ export; of one thread. */
export interface NativeAddon {
  readonly version: number
  /** How sums are made: `sse4.2`, `armv8` or `table`. */
  readonly sumMeans: string
  /** Four numbers: slot, at and bytes as float64, then the sum as uint32. */
  readonly job: ArrayBuffer
  readonly slotCount: number
  /** The memory must not move or be taken away before the slot is emptied. */
  fillSlot(slot: number, memory: ArrayBufferLike): void
  emptySlot(slot: number): void
  /** Of what `job` says, into `job`. */
  sumOfSlot(): void
  sumOfView(view: DataView, at: number, bytes: number): number
  /**
   * A sum into each of `count` words from `from` on: of blocks that lie one behind the other. `job`
   * says where the first of them is, and how long each.
   */
  sumBlocksOfSlot(words: Int32Array, from: number, count: number): void
  sumBlocksOfView(
    view: DataView,
    at: number,
    bytes: number,
    words: Int32Array,
    from: number,
    count: number,
  ): void
  sumOfViewByTable(view: DataView, at: number, bytes: number): number
  /** `words` has HOLE_STRIDE numbers per hole; `onEnded` finds an errno or 0 in each. */
  makeHoles(words: Float64Array, count: number, onEnded: () => void): void
  /** An errno, or 0. */
  lockFile(fd: number): number
  /** An errno, or 0. */
  probeHoles(fd: number, mode: number, offset: number, bytes: number): number
  /** `rows` has MOVE_STRIDE numbers per move; each has its result when this returns. */
  runMoves(rows: Float64Array, count: number): void
  /**
   * Once, after `startTurns`: the memory in which `onEnded` finds a tag and a result as int32 for
   * each move that has ended. Undefined where the kernel has no ring for us.
   */
  startFiles(onEnded: (count: number) => void): ArrayBuffer | undefined
  /** They have started: so many of the first. MOVES_MAX at a time, of all files of the thread. */
  submitMoves(rows: Float64Array, count: number): number
  /** Once, before there is a socket or a file: `onTurnEnd` follows all that was ready at a time. */
  startTurns(onTurnEnd: () => void): void
  /**
   * The words are float64: slot, at and bytes of where the next read goes, slot NO_SLOT is the
   * chunk; what of frames in the chunk is checked (CHECK_*), and behind how many of its bytes,
   * which end a frame. Then come int32 by WORD_*.
   */
  openSockets(chunk: ArrayBufferLike, onEvent: OnSocketEvent): SocketWords
  closeSockets(engine: unknown): void
  /** The number of a socket on a copy of the descriptor, or a negative errno. */
  openSocket(engine: unknown, fd: number): number
  readSocket(socket: number): void
  /**
   * Sends the first `count` pieces, without `skip` bytes of the first. How many bytes were taken,
   * or a negative errno.
   */
  writeSocket(socket: number, pieces: readonly Uint8Array[], count: number, skip: number): number
  /**
   * Keeps a write for `sendGathered`, in the same turn; no socket is closed before. False: full.
   */
  gatherWrite(socket: number, pieces: readonly Uint8Array[], count: number): boolean
  /** All of them in one call: in their order, how many bytes were taken, or a negative errno. */
  sendGathered(engine: unknown, results: Int32Array): void
  closeSocket(socket: number): void
  /** Another descriptor of the same, or a negative errno. Whoever asks has to close it. */
  copyFd(fd: number): number
  /** Puts sums into the heads that the first seals of the words name, in the memory of a slot. */
  sealFrames(engine: unknown, slot: number, count: number): void
  /** Up to a millisecond; 0 is never. */
  lingerFor(microseconds: number): void
  /** Turns that came while it waited awake. */
  lingeredTurns(): number
}

/** Answers whether to go on reading, after the words have said where to. */
export type OnSocketEvent = (socket: number, kind: number, value: number) => boolean

export type SocketWords = ArrayBuffer & { readonly engine: unknown }

/** What of frames in the chunk is looked at, where the words say how frames look. */
export const CHECK_NOTHING = 0
export const CHECK_HEADS = 1
/** With the sums of payloads. */
export const CHECK_ALL = 2

/** Int32 among the words of an engine: how frames look, in the order of native/frames.h. */
export const WORD_SHAPE = 10
/** So many frames from a place in the chunk on are whole and right. */
export const WORD_CHECKED_COUNT = 16
/** What of them was looked at, and from where on. */
export const WORD_CHECKED_WHAT = 17
export const WORD_CHECKED_FROM = 18
/** Two per head: where it starts, and its bytes with those of its text. */
export const WORD_SEALS = 19
export const SEALS_MAX = 256

/** Writes that can be gathered; RMR_MESSAGES_MAX in native/socket-ring.h. */
export const GATHERED_MAX = 16

/** Bytes are in the chunk, or in the place that was named; the value says how many. */
export const SOCKET_CHUNK = 0
export const SOCKET_DIRECT = 1
/** The other side has ended it. */
export const SOCKET_ENDED = 2
/** The value is an errno. */
export const SOCKET_FAILED = 3
/** There is room to write again. */
export const SOCKET_ROOM = 4

/** The numbers of a move of bytes between a file and the memory of a slot. */
export const MOVE_KIND = 0
export const MOVE_FD = 1
export const MOVE_SLOT = 2
export const MOVE_AT = 3
export const MOVE_BYTES = 4
export const MOVE_OFFSET = 5
/** What its end is told with. */
export const MOVE_TAG = 6
/** How many bytes were moved, or a negative errno. */
export const MOVE_RESULT = 7
export const MOVE_STRIDE = 8
/** Of one call, and under way. */
export const MOVES_MAX = 1024
/** Kinds. */
export const MOVE_READ = 0
export const MOVE_WRITE = 1
export const MOVE_FLUSH = 2

/** The numbers of a hole. */
export const HOLE_FD = 0
export const HOLE_MODE = 1
export const HOLE_OFFSET = 2
export const HOLE_BYTES = 3
export const HOLE_IS_DURABLE = 4
export const HOLE_ERRNO = 5
export const HOLE_STRIDE = 6

export interface NativeStatus {
  readonly isLoaded: boolean
  /** The file that is loaded, or why none is. */
  readonly reason: string
  /** How checksums of payloads are made: `sse4.2`, `armv8`, `table`, or `javascript`. */
  readonly checksum: string
}

let found: Loaded<NativeAddon> | undefined

/** Undefined where plain Node has to do; fails where `RMR_NATIVE` does not let it. */
export function nativeAddon(): NativeAddon | undefined {
  found ??= load()
  return found.addon
}

/** For people and logs: what is loaded, and why not. */
export function nativeStatus(): NativeStatus {
  found ??= load()
  const { addon, reason } = found
  return { isLoaded: addon !== undefined, reason, checksum: addon?.sumMeans ?? "javascript" }
}

function load(): Loaded<NativeAddon> {
  const loaded = find()
  loaded.addon?.lingerFor(LINGER_US_DEFAULT)
  return loaded
}

function find(): Loaded<NativeAddon> {
  const mode = process.env["RMR_NATIVE"] ?? ""
  if (!MODES.includes(mode)) {
    throw new RmrError("invalid-argument", `RMR_NATIVE=${mode}: it is off, on or required`)
  }
  if (mode === "off") return without("RMR_NATIVE=off")
  if (mode === "sanitize") return findSanitized()
  const loaded = loadFirst<NativeAddon>(nativeFiles(thisMachine()), NATIVE_VERSION)
  if (mode !== "required" || loaded.addon !== undefined) return loaded
  throw new RmrError("unsupported", `RMR_NATIVE=required: ${loaded.reason}`)
}

function findSanitized(): Loaded<NativeAddon> {
  // Its run-time library ends a process in which it is not the first that was loaded.
  const isWatched = process.env["LD_PRELOAD"]?.includes("libasan") === true
  if (!isWatched) return without("RMR_NATIVE=sanitize, and LD_PRELOAD names no AddressSanitizer")
  return loadFirst<NativeAddon>(sanitizedFiles(thisMachine()), NATIVE_VERSION)
}

function without(reason: string): Loaded<NativeAddon> {
  return { addon: undefined, reason }
}
