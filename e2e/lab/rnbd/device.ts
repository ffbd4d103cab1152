/**
 * A small client of RNBD: a device of a server, over a session of RTRS. For tests; who reads or
 * writes brings the memory.
 */
import { leaseBytes, type Memory, NO_LEASE, RmrError } from "@rmr/core"
import type { RtrsPayload, RtrsSession } from "@rmr/transport-rdma"
import {
  checkWelcome,
  closeMessage,
  HELLO_BYTES,
  helloMessage,
  IO_DURABLE,
  IO_FLUSH,
  IO_READ,
  IO_WRITE,
  ioMessage,
  OPENED_BYTES,
  type OpenedDevice,
  openMessage,
  readOpened,
  SECTOR_BYTES,
} from "./messages.js"

/** Once on each session, before anything else. Fails with `bad-version`. */
export async function greet(session: RtrsSession, memory: Memory): Promise<void> {
  checkWelcome(await answerTo(session, memory, helloMessage(), HELLO_BYTES))
}

export async function openDevice(
  session: RtrsSession,
  memory: Memory,
  path: string,
  access: number,
): Promise<RnbdDevice> {
  const answer = await answerTo(session, memory, openMessage(path, access), OPENED_BYTES)
  return new RnbdDevice(session, readOpened(answer))
}

export class RnbdDevice {
  readonly parts: OpenedDevice
  private readonly session: RtrsSession

  constructor(session: RtrsSession, parts: OpenedDevice) {
    this.session = session
    this.parts = parts
  }

  /** Where and how much are multiples of a sector. */
  read(sector: number, payload: RtrsPayload): Promise<void> {
    return this.session.read(this.io(IO_READ, sector, payload), payload)
  }

  write(sector: number, payload: RtrsPayload, isDurable = false): Promise<void> {
    const what = isDurable ? IO_WRITE | IO_DURABLE : IO_WRITE
    return this.session.write(this.io(what, sector, payload), payload)
  }

  flush(): Promise<void> {
    return this.session.write(ioMessage(this.parts.id, IO_FLUSH, 0, 0))
  }

  close(): Promise<void> {
    return this.session.service(closeMessage(this.parts.id))
  }

  private io(what: number, sector: number, { bytes }: RtrsPayload): Uint8Array {
    const isWhole = bytes % SECTOR_BYTES === 0
    if (!isWhole || sector + bytes / SECTOR_BYTES > this.parts.sectorCount) {
      throw new RmrError("invalid-range", `${bytes} bytes at sector ${sector}`)
    }
    return ioMessage(this.parts.id, what, sector, bytes)
  }
}

/** A copy of what the server answers to a message that is no IO. */
async function answerTo(
  session: RtrsSession,
  memory: Memory,
  user: Uint8Array,
  bytes: number,
): Promise<DataView> {
  const lease = memory.lease(bytes)
  if (lease === NO_LEASE) throw new RmrError("out-of-memory", "for an answer of RNBD")
  try {
    leaseBytes(memory, lease, 0, bytes).fill(0)
    await session.service(user, { lease, at: 0, bytes })
    return new DataView(leaseBytes(memory, lease, 0, bytes).slice().buffer)
  } finally {
    memory.release(lease)
  }
}
