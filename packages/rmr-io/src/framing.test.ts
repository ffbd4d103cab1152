/**
 * Frames come out of a stream as they went in, wherever it is cut, and damaged ones end it.
 */
import { buddyMemory, type Lease, leaseBytes, NO_LEASE, type RmrError } from "@rmr/core"
import { seededRandom } from "@rmr/testkit/world"
import { FrameInbox } from "./frame-inbox.js"
import { FrameReceiver } from "./frame-receiver.js"
import { FrameSender } from "./frame-sender.js"
import { type FrameShape, RoomTable } from "./frame-shape.js"
import { PlainFrameSums } from "./frame-sums.js"
import { OUTPUT_BYTES, OutputBuffers } from "./output-buffers.js"
import {
  FRAME_HEAD_AT,
  FRAME_LEASE,
  FRAME_PAYLOAD_BYTES,
  FRAME_STRIDE,
  FRAME_TEXT_BYTES,
} from "./socket-engine.js"
import { ViewCache } from "./view-cache.js"

const SHAPE: FrameShape = {
  headBytes: 24,
  magic: 0x1234,
  kindAt: 2,
  roomKind: 9,
  idAt: 4,
  textBytesAt: 8,
  payloadBytesAt: 12,
  payloadSumAt: 16,
  headSumAt: 20,
}
const TEXT_BYTES_MAX = 300
const PAYLOAD_BYTES_MAX = 64 * 1024

interface Frame {
  readonly kind: number
  readonly id: number
  readonly text: Uint8Array
  readonly payload: Uint8Array
}

function frame(kind: number, id: number, textBytes: number, payloadBytes: number): Frame {
  const text = Uint8Array.from({ length: textBytes }, (_, at) => (at * 7 + id) & 255)
  const payload = Uint8Array.from({ length: payloadBytes }, (_, at) => (at * 13 + id) & 255)
  return { kind, id, text, payload }
}

const SMALL = [frame(1, 1, 0, 0), frame(1, 2, 5, 0), frame(1, 3, 17, 40), frame(9, 4, 1, 33)]
const LARGE = [...SMALL, frame(1, 5, 100, 20_000), frame(9, 6, 3, 40_000), frame(1, 7, 300, 1)]

/**
 * The bytes of these frames, as the sender hands them to the kernel: one by one, or all that are
 * queued at once.
 */
function streamOf(
  frames: readonly Frame[],
  { buffers = new OutputBuffers(), isQueued = false } = {},
): Uint8Array {
  const memory = buddyMemory({ arenas: [1024 * 1024], leaseCountMax: 64, poison: true })
  const written: Uint8Array[] = []
  const write = (pieces: readonly Uint8Array[], count: number): boolean => {
    for (const piece of pieces.slice(0, count)) written.push(Uint8Array.from(piece))
    return false
  }
  const sender = new FrameSender(
    {
      sealed: { shape: SHAPE, sums: new PlainFrameSums(SHAPE) },
      memory,
      buffers,
      views: new ViewCache(),
      write,
    },
    isQueued ? frames.length : 3,
  )
  sender.isPayloadSummed = true
  for (const { kind, id, text, payload } of frames) {
    const view = new DataView(new ArrayBuffer(SHAPE.headBytes + text.length))
    view.setUint16(0, SHAPE.magic, true)
    view.setUint8(SHAPE.kindAt, kind)
    view.setInt32(SHAPE.idAt, id, true)
    view.setUint16(SHAPE.textBytesAt, text.length, true)
    view.setInt32(SHAPE.payloadBytesAt, payload.length, true)
    new Uint8Array(view.buffer).set(text, SHAPE.headBytes)
    const lease = payload.length === 0 ? NO_LEASE : memory.lease(payload.length + 8)
    if (lease !== NO_LEASE) leaseBytes(memory, lease, 8, payload.length).set(payload)
    sender.queue(view, 0, view.byteLength, lease, 8, payload.length)
    if (lease !== NO_LEASE) memory.release(lease)
    if (isQueued) continue
    sender.pump()
    sender.onWritten()
  }
  sender.pump()
  while (sender.unsentCount > 0) sender.onWritten()
  memory.assertNoLeases()
  return new Uint8Array(Buffer.concat(written))
}

class Receiving {
  readonly memory = buddyMemory({ arenas: [512 * 1024], leaseCountMax: 64 })
  readonly got: Frame[] = []
  broken: RmrError | undefined
  pauseCount = 0
  readonly receiver: FrameReceiver
  private readonly inbox = new FrameInbox()
  private readonly room: Lease
  private readonly rooms = new RoomTable(16)

  constructor() {
    this.room = this.memory.lease(PAYLOAD_BYTES_MAX)
    this.receiver = new FrameReceiver({
      connectionId: 0,
      shape: SHAPE,
      memory: this.memory,
      views: new ViewCache(),
      inbox: this.inbox,
      limits: {
        textBytesMax: TEXT_BYTES_MAX,
        payloadBytesMax: PAYLOAD_BYTES_MAX,
        isPayloadSummed: true,
        rooms: this.rooms,
        queuedFramesMax: 1,
      },
      onFrame: () => this.collect(),
      onPaused: () => {
        this.pauseCount++
      },
      onResumed: () => undefined,
      onBroken: (cause) => {
        this.broken = cause
      },
    })
    for (const id of [4, 6]) {
      this.rooms.open(id, 0, this.memory.offsetOf(this.room), PAYLOAD_BYTES_MAX)
    }
  }

  take(bytes: Uint8Array): void {
    if (this.broken !== undefined) return
    let at = 0
    // As a kernel does: straight into the place of a large payload where there is one.
    while (at < bytes.length && this.broken === undefined) {
      const place = this.receiver.directPlace()
      const count = Math.min(bytes.length - at, place?.length ?? bytes.length)
      const part = bytes.slice(at, at + count)
      if (place === undefined) this.receiver.take(new DataView(part.buffer), part, count, 0)
      else {
        place.set(part)
        this.receiver.tookDirectly(count)
      }
      at += count
    }
  }

  close(): void {
    this.receiver.close()
    this.memory.release(this.room)
    this.memory.assertNoLeases()
  }

  private collect(): void {
    const { count, words, bytes } = this.inbox.take()
    for (let row = 0; row < count * FRAME_STRIDE; row += FRAME_STRIDE) {
      const at = words[row + FRAME_HEAD_AT]!
      const textAt = at + SHAPE.headBytes
      const text = new Uint8Array(bytes.buffer, textAt, words[row + FRAME_TEXT_BYTES]!).slice()
      const lease = words[row + FRAME_LEASE]! as Lease
      const payloadBytes = words[row + FRAME_PAYLOAD_BYTES]!
      const from = lease === NO_LEASE ? this.room : lease
      const payload = leaseBytes(this.memory, from, 0, payloadBytes).slice()
      if (lease !== NO_LEASE) this.memory.release(lease)
      const kind = bytes.getUint8(at + SHAPE.kindAt)
      this.got.push({ kind, id: bytes.getInt32(at + SHAPE.idAt, true), text, payload })
    }
  }
}

function received(chunks: readonly Uint8Array[]): Frame[] {
  const receiving = new Receiving()
  for (const chunk of chunks) receiving.take(chunk)
  receiving.close()
  expect(receiving.broken).toBeUndefined()
  return receiving.got
}

describe("a stream of frames", () => {
  it("is the same frames wherever it is cut in two", () => {
    const stream = streamOf(SMALL)
    for (let cut = 0; cut <= stream.length; cut++) {
      expect(received([stream.subarray(0, cut), stream.subarray(cut)])).toEqual(SMALL)
    }
  })

  it("is the same frames when every byte comes alone, or chunks of any size", () => {
    const stream = streamOf(SMALL)
    expect(received([...stream].map((byte) => Uint8Array.of(byte)))).toEqual(SMALL)
    const large = streamOf(LARGE)
    for (const size of [1, 23, 24, 25, 1000, 16_384, 65_536]) {
      const chunks: Uint8Array[] = []
      for (let at = 0; at < large.length; at += size) chunks.push(large.subarray(at, at + size))
      expect(received(chunks)).toEqual(LARGE)
    }
  })

  it("is the same where all is queued at once, whatever output buffers are left", () => {
    const copied = Array.from({ length: 9 }, (_, nth) => frame(1, 8 + nth, 10, 16_000 - nth))
    const many = [...LARGE, ...copied, ...SMALL, ...LARGE]
    const stream = streamOf(many)
    expect(Buffer.compare(streamOf(many, { isQueued: true }), stream)).toBe(0)
    const buffers = new OutputBuffers()
    for (let nth = 0; nth < 8; nth++) buffers.take(OUTPUT_BYTES)
    expect(Buffer.compare(streamOf(many, { buffers, isQueued: true }), stream)).toBe(0)
  })

  it("waits where there is no memory, keeps what is behind, and goes on by itself", () => {
    const receiving = new Receiving()
    const filling: Lease[] = []
    for (let bytes = receiving.memory.leaseBytesMax; bytes >= 4096; ) {
      const lease = receiving.memory.lease(bytes)
      if (lease === NO_LEASE) bytes /= 2
      else filling.push(lease)
    }
    receiving.take(streamOf([SMALL[0]!, SMALL[2]!, SMALL[1]!, SMALL[3]!]))
    expect(receiving.got).toEqual([SMALL[0]])
    expect([receiving.receiver.isWaiting, receiving.pauseCount]).toEqual([true, 1])
    for (const lease of filling) receiving.memory.release(lease)
    expect(receiving.got).toEqual([SMALL[0], SMALL[2], SMALL[1], SMALL[3]])
    receiving.close()
  })

  it("that is damaged gives whole frames, then nothing: 100,000 mutations", () => {
    const random = seededRandom("mutated-frames")
    const stream = streamOf(SMALL)
    let brokenCount = 0
    let wholeCount = 0
    for (let round = 0; round < 25_000; round++) {
      const damaged = stream.slice()
      for (let nth = 0; nth < 4; nth++) {
        const at = random.below(damaged.length)
        if (random.chance(0.5)) damaged[at]! ^= 1 << random.below(8)
        else damaged[at] = random.below(256)
      }
      const receiving = new Receiving()
      const cut = random.below(damaged.length)
      receiving.take(damaged.subarray(0, cut))
      receiving.take(damaged.subarray(cut))
      if (receiving.broken !== undefined) brokenCount++
      wholeCount += receiving.got.length
      expect(SMALL.slice(0, receiving.got.length)).toEqual(receiving.got)
      receiving.close()
    }
    expect(brokenCount).toBeGreaterThan(20_000)
    expect(wholeCount).toBeGreaterThan(5000)
  })
})
