/**
 * What lies outside, or askew, is refused with a status and changes nothing; what only a mistake of
 * ours can ask is refused by assertion.
 */
import { BLOCK_FUA, BLOCK_UNMAP, leaseBytes } from "@rmr/core"
import { checkAsserts, checkBytes } from "../check.js"
import type { BlockClause, Numbered } from "./clause.js"
import { stamped } from "./content.js"
import type { BlockSubject } from "./harness.js"
import type { BlockRig } from "./rig.js"
import type { Started } from "./started.js"

interface BadRange {
  readonly what: string
  readonly offset: number
  readonly bytes: number
}

function badRanges({ sizeBytes, blockBytes, ioBytesMax }: BlockSubject): BadRange[] {
  return [
    { what: "one block past the end", offset: sizeBytes, bytes: blockBytes },
    {
      what: "reaching one block past the end",
      offset: sizeBytes - blockBytes,
      bytes: 2 * blockBytes,
    },
    { what: "half a block past the end", offset: sizeBytes - blockBytes / 2, bytes: blockBytes },
    { what: "far past the end", offset: 2 ** 52, bytes: blockBytes },
    { what: "an offset before the beginning", offset: -blockBytes, bytes: blockBytes },
    { what: "an offset that no double holds", offset: 2 ** 63, bytes: blockBytes },
    { what: "an offset that is no number", offset: Number.NaN, bytes: blockBytes },
    { what: "an offset of half a block", offset: blockBytes / 2, bytes: blockBytes },
    { what: "an offset of one byte", offset: 1, bytes: blockBytes },
    { what: "half a block", offset: 0, bytes: blockBytes / 2 },
    { what: "a block and a half", offset: 0, bytes: blockBytes + blockBytes / 2 },
    { what: "one byte too much", offset: 0, bytes: blockBytes + 1 },
    { what: "nothing", offset: 0, bytes: 0 },
    { what: "a negative length", offset: blockBytes, bytes: -blockBytes },
    { what: "more than the longest operation", offset: 0, bytes: ioBytesMax + blockBytes },
  ]
}

type StartRange = (rig: BlockRig<BlockSubject>, range: BadRange) => Started

const OPERATIONS: Readonly<Record<string, StartRange>> = {
  read: (rig, { offset, bytes }) => {
    const lease = rig.lease(4 * rig.io.blockBytes)
    const memory = leaseBytes(rig.current.memory, lease, 0, 4 * rig.io.blockBytes)
    memory.set(stamped(0, memory.length, 9))
    return rig.start((token) => rig.io.read(token, offset, lease, 0, bytes), lease)
  },
  write: (rig, { offset, bytes }) => {
    const lease = rig.lease(4 * rig.io.blockBytes)
    return rig.start((token) => rig.io.write(token, offset, lease, 0, bytes, 0), lease)
  },
  zero: (rig, { offset, bytes }) => rig.startZero(offset, bytes, BLOCK_UNMAP),
}

export function rangeClauses({ promise }: Numbered): BlockClause[] {
  const refusals = Object.keys(OPERATIONS).map((operation): BlockClause => {
    return {
      promise,
      title: `a ${operation} that is askew or outside fails with invalid-range and changes nothing`,
      run: async (rig) => {
        const { blockBytes, sizeBytes } = rig.io
        for (const offset of [0, sizeBytes - 4 * blockBytes]) {
          await rig.write(offset, stamped(offset, 4 * blockBytes, 1))
        }
        const before = await rig.readAll()
        for (const range of badRanges(rig.io)) {
          const started = OPERATIONS[operation]!(rig, range)
          const what = `a ${operation} of ${range.what}`
          rig.checkStatus(await rig.outcome(started), "invalid-range", what)
          if (operation !== "zero") checkLease(rig, started, operation === "read" ? 9 : undefined)
        }
        checkBytes(await rig.readAll(), before, "the volume after refused operations")
      },
    }
  })
  return [...refusals, ...assertionClauses({ promise })]
}

/** A refused read has not touched its memory. */
function checkLease(rig: BlockRig<BlockSubject>, started: Started, tag: number | undefined): void {
  const { memory } = rig.current
  if (tag !== undefined) {
    const bytes = leaseBytes(memory, started.lease, 0, 4 * rig.io.blockBytes)
    checkBytes(bytes, stamped(0, bytes.length, tag), "the memory of a refused read")
  }
  memory.release(started.lease)
}

function assertionClauses({ promise }: Numbered): BlockClause[] {
  return [
    {
      promise,
      title: "memory that is askew or outside its lease is our own mistake",
      run: async (rig) => {
        const { io } = rig
        const { blockBytes } = io
        await rig.write(0, stamped(0, 4 * blockBytes, 1))
        const lease = rig.lease(2 * blockBytes)
        const capacity = rig.current.memory.capacityOf(lease)
        const badPlaces = [blockBytes / 2, -blockBytes, capacity, capacity - blockBytes / 2]
        for (const at of badPlaces) {
          checkAsserts(() => io.read(0, 0, lease, at, blockBytes), `a read to ${at} of a lease`)
          checkAsserts(() => io.write(0, 0, lease, at, blockBytes, 0), `a write from ${at}`)
        }
        rig.current.memory.release(lease)
        const kept = await rig.read(0, 4 * blockBytes)
        checkBytes(kept, stamped(0, 4 * blockBytes, 1), "the blocks")
      },
    },
    {
      promise,
      title: "a flag that does not exist is our own mistake",
      run: async (rig) => {
        const { io } = rig
        await rig.prepare(0, io.blockBytes)
        const lease = rig.lease(io.blockBytes)
        const strange = 4 * (BLOCK_FUA | BLOCK_UNMAP)
        checkAsserts(() => io.write(0, 0, lease, 0, io.blockBytes, strange), "a strange flag")
        checkAsserts(() => io.write(0, 0, lease, 0, io.blockBytes, BLOCK_UNMAP), "a write to unmap")
        checkAsserts(() => io.zero(0, 0, io.blockBytes, strange), "a strange flag of zero")
        rig.current.memory.release(lease)
      },
    },
    {
      promise,
      title: "one operation more than inFlightMax is our own mistake, and the others are done",
      run: async (rig) => {
        const { io } = rig
        const all = Array.from({ length: io.inFlightMax }, () => rig.startFlush())
        checkAsserts(() => io.flush(0), "an operation too many")
        await rig.done(...all)
        await rig.flush()
      },
    },
  ]
}
