/**
 * Lanes of metadata keep little memory for themselves, borrow what they want beside it, and get
 * along without where payload memory is full (W8).
 */
import {
  BLOCK_FUA,
  type BlockFile,
  buddyMemory,
  type Lease,
  leaseBytes,
  type Memory,
  NO_LEASE,
  STATUS_OK,
} from "@rmr/core"
import { MetaIo } from "./meta-io.js"

const KIB = 1024
const ARENA_BYTES = 256 * KIB
const RESERVE_BYTES = 2 * 8 * KIB

/** A file in memory that notes what it is asked to write, and how. */
function fileIn(memory: Memory, io: MetaIo): { bytes: Uint8Array; writes: number[]; fua: number } {
  const seen = { bytes: new Uint8Array(ARENA_BYTES), writes: [] as number[], fua: 0 }
  const end = (token: number): void => queueMicrotask(() => io.onCompletion(token, STATUS_OK))
  io.attach({
    blockBytes: 4096,
    ioBytesMax: 1024 * KIB,
    supports: { unmap: false, forcedUnitAccess: true, direct: false },
    read(token: number, offset: number, lease: Lease, at: number, length: number): void {
      leaseBytes(memory, lease, at, length).set(seen.bytes.subarray(offset, offset + length))
      end(token)
    },
    write(
      token: number,
      offset: number,
      lease: Lease,
      at: number,
      length: number,
      flags: number,
    ): void {
      seen.bytes.set(leaseBytes(memory, lease, at, length), offset)
      seen.writes.push(length)
      if ((flags & BLOCK_FUA) !== 0) seen.fua++
      end(token)
    },
    flush: end,
    submit: () => undefined,
  } as Partial<BlockFile> as BlockFile)
  return seen
}

function rig(): { memory: Memory; io: MetaIo; file: ReturnType<typeof fileIn> } {
  const memory = buddyMemory({ arenas: [ARENA_BYTES], leaseCountMax: 64 })
  const io = new MetaIo(memory)
  return { memory, io, file: fileIn(memory, io) }
}

const CONTENT = Uint8Array.from({ length: 40 * KIB }, (_, at) => (at * 7) & 0xff)

describe("a lane of metadata", () => {
  it("borrows memory for one long write, and gives it back", async () => {
    const { memory, io, file } = rig()
    expect(memory.stats().leasedBytes).toBe(RESERVE_BYTES)
    expect(await io.log.writeDurably(4096, CONTENT)).toBe(STATUS_OK)
    expect([file.writes, file.fua]).toEqual([[40 * KIB], 1])
    expect(await io.homes.read(4096, CONTENT.length)).toEqual(CONTENT)
    expect(memory.stats().leasedBytes).toBe(RESERVE_BYTES)
  })

  it("W8: writes and reads by parts where payload memory is full", async () => {
    const { memory, io, file } = rig()
    const leases: Lease[] = []
    for (let lease = memory.lease(4096); lease !== NO_LEASE; lease = memory.lease(4096)) {
      leases.push(lease)
    }
    expect(await io.log.writeDurably(0, CONTENT)).toBe(STATUS_OK)
    expect(file.writes).toEqual([8, 8, 8, 8, 8].map((kib) => kib * KIB))
    expect(await io.homes.read(0, CONTENT.length)).toEqual(CONTENT)
    const looked = await io.homes.lookOrFill(0, 16 * KIB, 4096, 0, (view, at) =>
      view.getUint8(at + 1),
    )
    expect(looked).toBe(CONTENT[1])
    for (const lease of leases) memory.release(lease)
    io.release()
    expect(memory.stats().leasedBytes).toBe(0)
  })
})
