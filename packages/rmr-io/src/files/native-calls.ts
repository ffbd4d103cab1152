/**
 * The system calls under a block file with the native addon: those of Node, and what Node lacks.
 *
 * A range is made zero by the file system: with its space given back (a hole) or kept. Which file
 * systems can do so differs: tmpfs punches holes and keeps no space, others do neither. Whether
 * holes work is tried at opening, on a page behind the end of the file, where there is nothing to
 * lose; a refusal that shows later is answered by writing zeroes.
 */
import { MOVE_READ, MOVE_WRITE, type NativeAddon, nativeAddon } from "../native-addon.js"
import { type FileCalls, NODE_CALLS } from "./file-calls.js"
import { fileRing } from "./file-ring.js"
import { failureOf, HoleQueue } from "./hole-queue.js"

const KEEP_SIZE = 0x01
const PUNCH_HOLE = 0x02 | KEEP_SIZE
const ZERO_RANGE = 0x10 | KEEP_SIZE
const PROBE_BYTES = 4096

/** Calls for one file with as many operations in flight: native ones where the addon is loaded. */
export function fileCalls(inFlightMax: number, usesRing: boolean): FileCalls {
  const addon = nativeAddon()
  return addon === undefined ? NODE_CALLS : nativeCalls(addon, inFlightMax, usesRing)
}

export function nativeCalls(
  addon: NativeAddon,
  inFlightMax: number,
  usesRing: boolean = true,
): FileCalls {
  const holes = new HoleQueue(addon, inFlightMax)
  const ring = usesRing ? fileRing(addon) : undefined
  return {
    ...NODE_CALLS,
    runMoves(moves) {
      if (moves.haveSlots) addon.runMoves(moves.rows, moves.count)
      else NODE_CALLS.runMoves(moves)
    },
    read(fd, into, at, bytes, offset, end) {
      const isTaken = ring?.add(MOVE_READ, fd, into, at, bytes, offset, end)
      if (isTaken !== true) NODE_CALLS.read(fd, into, at, bytes, offset, end)
    },
    write(fd, from, at, bytes, offset, end) {
      const isTaken = ring?.add(MOVE_WRITE, fd, from, at, bytes, offset, end)
      if (isTaken !== true) NODE_CALLS.write(fd, from, at, bytes, offset, end)
    },
    // A file system may forget the flush of a forced write that it ends in the background, as FUSE
    // does: a ring would be told too early. The call of a thread returns when it is durable.
    writeForced: NODE_CALLS.writeForced,
    flush(fd, end) {
      if (ring?.flush(fd, end) !== true) NODE_CALLS.flush(fd, end)
    },
    canMakeHoles: (fd, sizeBytes) => {
      const behind = Math.ceil(sizeBytes / PROBE_BYTES) * PROBE_BYTES
      return addon.probeHoles(fd, PUNCH_HOLE, behind, PROBE_BYTES) === 0
    },
    canZeroRanges: true,
    zero: (fd, keepsSpace, offset, bytes, isDurable, end) =>
      holes.add(fd, keepsSpace ? ZERO_RANGE : PUNCH_HOLE, offset, bytes, isDurable, end),
    lock: (fd) => {
      const errno = addon.lockFile(fd)
      return errno === 0 ? null : failureOf(errno)
    },
  }
}
