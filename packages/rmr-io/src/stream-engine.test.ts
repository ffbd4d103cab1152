/**
 * Streams over real sockets: talk, frames behind it, room for so many, and socket files.
 */
import { lstatSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  type BuddyMemory,
  buddyMemory,
  type Lease,
  leaseBytes,
  NO_LEASE,
  RmrError,
} from "@rmr/core"
import { fastStreamEngine, plainStreamEngine } from "./head-engine.js"
import { realEnv } from "./real-env.js"
import {
  FRAME_CONNECTION,
  FRAME_HEAD_AT,
  FRAME_LEASE,
  FRAME_PAYLOAD_BYTES,
  FRAME_STRIDE,
  type FrameBatch,
} from "./socket-engine.js"
import type {
  StreamConnection,
  StreamEngine,
  StreamEngineSource,
  StreamShape,
} from "./stream-engine.js"

const SHAPE: StreamShape = {
  ...{ headBytes: 16, magic: 0x5151_5151, kindAt: 4, payloadKind: 7, payloadBytesAt: 8 },
}
const LIMITS = { payloadBytesMax: 100_000, openFramesMax: 4, answersMax: 1 }

let source: StreamEngineSource
let folder: string
let memory: BuddyMemory
let engine: StreamEngine
let frames: { kind: number; payload: Buffer; connectionId: number }[]
let talk: string
let accepted: StreamConnection
let endings: string[]
let onFrames: () => void

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "stream-"))
  memory = buddyMemory({ arenas: [1024 * 1024], leaseCountMax: 64, poison: true })
  frames = []
  endings = []
  talk = ""
  onFrames = () => undefined
})

afterEach(async () => {
  await engine.close()
  memory.assertNoLeases()
  rmSync(folder, { recursive: true })
})

function makeEngine(): StreamEngine {
  const turns = { onFrames: take, onTurnEnd: () => undefined }
  return source({ env: realEnv(), memory, shape: SHAPE, turns })
}

function take({ count, words, bytes }: FrameBatch): void {
  for (let row = 0; row < count * FRAME_STRIDE; row += FRAME_STRIDE) {
    const lease = words[row + FRAME_LEASE] as Lease
    const payloadBytes = words[row + FRAME_PAYLOAD_BYTES] as number
    const payload =
      lease === NO_LEASE ? Buffer.alloc(0) : Buffer.from(leaseBytes(memory, lease, 0, payloadBytes))
    if (lease !== NO_LEASE) memory.release(lease)
    const kind = bytes.getUint16((words[row + FRAME_HEAD_AT] as number) + SHAPE.kindAt)
    frames.push({ kind, payload, connectionId: words[row + FRAME_CONNECTION] as number })
  }
  onFrames()
}

/** Talks until a full stop, and is framed then. */
async function serve(path: string): Promise<void> {
  await engine.listen({ path }, (connection) => {
    accepted = connection
    connection.say(Buffer.from("hello"))
    return {
      onTalk(bytes) {
        const stop = bytes.indexOf(46)
        const taken = stop < 0 ? bytes.length : stop + 1
        talk += Buffer.from(bytes.subarray(0, taken)).toString()
        if (stop >= 0) connection.startFrames(LIMITS)
        return taken
      },
      onEnded: (cause) => endings.push(cause.code),
    }
  })
}

function frame(kind: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(16)
  head.writeUInt32BE(SHAPE.magic)
  head.writeUInt16BE(kind, 4)
  head.writeUInt32BE(payload.length, 8)
  return Buffer.concat([head, payload])
}

async function dial(path: string): Promise<net.Socket> {
  const socket = net.connect({ path })
  await new Promise((resolve) => socket.once("data", resolve))
  return socket
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}

describe.each([
  ["on native sockets, where there are any", fastStreamEngine],
  ["on the sockets of Node", plainStreamEngine],
])("streams %s", (_name, made) => {
  beforeEach(() => {
    source = made
    engine = makeEngine()
  })

  it("frames may follow talk in one piece, with payloads of every way of receiving", async () => {
    const path = join(folder, "s")
    await serve(path)
    const payloads = [1, 4096, 20_000, 100_000].map((bytes) => Buffer.alloc(bytes, bytes & 255))
    onFrames = () => {
      for (let left = frames.length; left > 0; left--) accepted.finishFrame()
      all.push(...frames.splice(0))
    }
    const all: typeof frames = []
    const socket = await dial(path)
    socket.write(
      Buffer.concat([Buffer.from("talk."), frame(1), ...payloads.map((p) => frame(7, p))]),
    )
    await until(() => all.length === 5)
    expect(talk).toBe("talk.")
    expect(all.map(({ payload }) => payload.length)).toEqual([0, 1, 4096, 20_000, 100_000])
    expect(all.slice(1).every(({ payload }, nth) => payload.equals(payloads[nth]!))).toBe(true)
    socket.destroy()
    await until(() => endings.length === 1)
    expect(endings).toEqual(["link-lost"])
  })

  it("no more frames come than may be open, until one is over and answered", async () => {
    const path = join(folder, "s")
    await serve(path)
    const socket = await dial(path)
    socket.write(Buffer.concat([Buffer.from("."), ...new Array(10).fill(frame(1))]))
    await until(() => frames.length === 4)
    const answer = new DataView(new ArrayBuffer(8))
    let heardBytes = 0
    socket.on("data", (bytes: Buffer) => {
      heardBytes += bytes.length
    })
    for (let done = 1; done <= 10; done++) {
      expect(frames.length).toBeLessThan(done + 4)
      accepted.send(answer, 0, 8, NO_LEASE, 0, 0)
      accepted.finishFrame()
      await until(() => frames.length === Math.min(10, done + 4))
    }
    await until(() => heardBytes === 80)
    socket.destroy()
  })

  it.each([
    ["another magic", Buffer.alloc(16, 1)],
    ["a payload that is too large", frame(7, Buffer.alloc(100_001))],
  ])("%s ends the connection with bad-message", async (_, bytes) => {
    const path = join(folder, "s")
    await serve(path)
    const socket = await dial(path)
    socket.on("error", () => undefined)
    socket.write(Buffer.concat([Buffer.from("."), bytes]))
    await until(() => endings.length === 1)
    expect(endings).toEqual(["bad-message"])
    expect(accepted.isOpen).toBe(false)
  })

  it("who leaves when all is sent has sent all, also what was not queued yet", async () => {
    const path = join(folder, "s")
    await serve(path)
    const socket = await dial(path)
    let heard = Buffer.alloc(0)
    socket.on("data", (bytes: Buffer) => {
      heard = Buffer.concat([heard, bytes])
    })
    socket.write(Buffer.concat([Buffer.from("."), frame(1)]))
    await until(() => frames.length === 1)
    accepted.closeWhenSent()
    const lease = memory.lease(100_000)
    leaseBytes(memory, lease, 0, 100_000).fill(9)
    accepted.send(new DataView(new ArrayBuffer(8)), 0, 8, lease, 0, 100_000)
    accepted.finishFrame()
    memory.release(lease)
    await new Promise((resolve) => socket.once("end", resolve))
    expect(heard.length).toBe(100_008)
    expect(heard.subarray(8).every((byte) => byte === 9)).toBe(true)
  })

  it("a socket file of a dead process is replaced, and one of a live process busy", async () => {
    const path = join(folder, "left")
    const dies = `listen(${JSON.stringify(path)}, () => process.kill(process.pid, 9))`
    const child = `require("net").createServer().${dies}`
    const { spawnSync } = await import("node:child_process")
    spawnSync(process.execPath, ["-e", child])
    await serve(path)
    const socket = await dial(path)
    const again = await engine
      .listen({ path }, () => ({ onTalk: () => 0, onEnded: () => undefined }))
      .then(
        () => "listens",
        (thrown) => RmrError.from(thrown).code,
      )
    expect(again).toBe("busy")
    const nowhere = { path: join(folder, "no", "such") }
    const failed = await engine
      .listen(nowhere, () => ({ onTalk: () => 0, onEnded: () => undefined }))
      .then(
        () => "listens",
        (thrown) => RmrError.from(thrown).code,
      )
    expect(failed).toBe("invalid-argument")
    socket.destroy()
  })

  it("a file that lies where a socket should be is left alone, also behind a link", async () => {
    const path = join(folder, "precious")
    writeFileSync(path, "years of work")
    const link = join(folder, "link")
    symlinkSync(path, link)
    for (const at of [path, link]) {
      const refused = await engine
        .listen({ path: at }, () => ({ onTalk: () => 0, onEnded: () => undefined }))
        .then(
          () => "listens",
          (thrown) => RmrError.from(thrown).message,
        )
      expect(refused).toBe(`invalid-argument: ${at} is there and is no socket; name another place`)
    }
    expect(readFileSync(path, "utf8")).toBe("years of work")
    expect(lstatSync(link).isSymbolicLink()).toBe(true)
  })
})
