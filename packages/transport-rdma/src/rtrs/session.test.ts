/**
 * A session of RTRS: requests go where the other side looks for them, and a side that breaks a rule
 * loses it, after its queue pairs and before the memory that they reached.
 */
import { type Lease, leaseBytes } from "@rmr/core"
import { KEY_WORDS, type Pretended, pretended } from "../../test/pretend-rtrs.js"
import {
  POST_ADDRESS_HIGH,
  POST_ADDRESS_LOW,
  POST_AT,
  POST_BYTES,
  POST_HEAD_AT,
  POST_HEAD_BYTES,
  POST_KEY,
  POST_PLACE,
} from "../verbs-table.js"
import { RtrsBuffers } from "./buffers.js"
import { beatTold, TOLD_ANSWER, TOLD_BEAT, TOLD_BEAT_ANSWER } from "./immediate.js"
import type { RtrsDialOptions, RtrsPayload } from "./options.js"
import type { RawLine } from "./raw-line.js"
import { RtrsSession } from "./session.js"

const BUFFER_BYTES = 131_072
const ADDRESS = 0x7_ffff_0000n
const COUNT = 16
const NOTHING = new DataView(new ArrayBuffer(0))
const USER = new Uint8Array(32).fill(0x55)

interface Rig {
  readonly device: Pretended
  readonly session: RtrsSession
  readonly first: RawLine
  readonly other: RawLine
  payload(bytes: number): RtrsPayload
  /** The other side answers for a buffer, with a new key for it. */
  answer(line: RawLine, buffer: number, errno?: number, key?: number): void
}

function rig(options: Partial<RtrsDialOptions> = {}, renewsKeys = true): Rig {
  const device = pretended()
  const view = new DataView(new ArrayBuffer(24))
  view.setUint16(0, 1, true)
  view.setUint16(2, 1, true)
  view.setBigUint64(8, ADDRESS, true)
  view.setUint32(16, 0x900, true)
  view.setUint32(20, COUNT * BUFFER_BYTES, true)
  const terms = { bufferCount: COUNT, payloadBytesMax: 126_976, bufferBytes: BUFFER_BYTES }
  const buffers = new RtrsBuffers({ ...terms, renewsKeys }, view, 0, 24)
  const owner = {} as RtrsSession
  const [first, other] = [device.client.addLine(0, 0, owner), device.client.addLine(1, 1, owner)]
  const all = { name: "a", deadlineMs: 1000, ...options }
  const session = new RtrsSession(device.client, "rdma://x:1", [first, other], buffers, all)
  device.asked.length = 0
  return {
    ...{ device, session, first, other },
    payload: (bytes) => ({ lease: device.memory.lease(bytes), at: 0, bytes }),
    answer: (line, buffer, errno = 0, key = 0x901) => {
      const text = new DataView(new ArrayBuffer(8))
      text.setUint16(0, 4, true)
      text.setUint16(2, buffer, true)
      text.setUint32(4, key, true)
      session.onTold(line, told(buffer, errno), renewsKeys ? text : NOTHING, 0, renewsKeys ? 8 : 0)
    },
  }
}

function told(buffer: number, errno = 0): number {
  return TOLD_ANSWER * 2 ** 28 + errno * 2 ** 19 + buffer
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (thrown) {
    return (thrown as { code: string }).code
  }
  return "none"
}

function columns(post: Int32Array, ...names: number[]): number[] {
  return names.map((name) => post[name]!)
}

it("writes payload, header and head into a buffer, and says where the head is", async () => {
  const { device, session, other, payload, answer } = rig()
  const { lease } = payload(4096)
  const done = session.write(USER, { lease, at: 512, bytes: 1024 })
  const [post] = device.posts as [Int32Array]
  const at = device.memory.offsetOf(lease) + 512
  expect(columns(post, POST_AT, POST_BYTES, POST_HEAD_BYTES)).toEqual([at, 1024, 36])
  expect(columns(post, POST_ADDRESS_LOW, POST_ADDRESS_HIGH, POST_KEY)).toEqual([
    Number(ADDRESS & 0xffffffffn) | 0,
    7,
    0x900,
  ])
  expect(post[POST_PLACE]).toBe(1024 + 32)
  const head = new Uint8Array(device.heads().buffer, post[POST_HEAD_AT], 36)
  expect([...head]).toEqual([...USER, 2, 0, 32, 0])
  device.memory.release(lease)
  answer(other, 0)
  expect(await codeOf(done)).toBe("none")
  // It may be sent once more, as long as the device has not told that it was.
  expect(device.memory.liveLeases().length).toBe(1)
  other.onSent(1)
  device.memory.assertNoLeases()
})

it("reads into memory that is exposed until the answer, and takes the new key", async () => {
  const { device, session, other, payload, answer } = rig()
  const memory = payload(4096)
  const done = session.read(USER, memory)
  expect(device.asked).toEqual(["expose 1 4096"])
  const [post] = device.posts as [Int32Array]
  const low = Number((ADDRESS + 4096n) & 0xffffffffn) | 0
  expect(columns(post, POST_ADDRESS_LOW, POST_ADDRESS_HIGH)).toEqual([low, 7])
  expect(columns(post, POST_PLACE, POST_HEAD_BYTES)).toEqual([4096 + 32, 32 + 24])
  const view = device.heads()
  const words = [8, 12, 16].map((at) => view.getInt32(post[POST_HEAD_AT]! + 32 + at, true))
  expect(words).toEqual(KEY_WORDS)
  answer(other, 0, 0, 0x1234)
  expect(await codeOf(done)).toBe("none")
  expect(device.asked).toEqual(["expose 1 4096", "close region 200"])
  const again = session.write(USER)
  expect(device.posts[1]![POST_KEY]).toBe(0x1234)
  answer(other, 0)
  await again
  device.memory.release(memory.lease)
  device.memory.assertNoLeases()
})

it("fails with what the other side says, and goes on", async () => {
  const { session, first, other, answer } = rig()
  const codes: string[] = []
  for (const errno of [5, 28, 107, 511]) {
    const done = session.write(USER)
    answer(other, 0, errno)
    codes.push(await codeOf(done))
  }
  expect(codes).toEqual(["io-error", "no-space", "not-open", "io-error"])
  const done = session.service(USER)
  answer(first, 0, 2)
  expect([await codeOf(done), session.isUp]).toEqual(["not-found", true])
})

it("asks for no more than the other side takes, at once and each", async () => {
  const { session, first, payload, answer } = rig()
  expect(await codeOf(session.read(USER, payload(126_977)))).toBe("invalid-argument")
  const services = Array.from({ length: 8 }, () => session.service(USER))
  expect(await codeOf(session.service(USER))).toBe("busy")
  const writes = Array.from({ length: COUNT - 8 }, () => session.write(USER))
  expect(await codeOf(session.write(USER))).toBe("busy")
  answer(first, 3)
  await services[3]
  expect(await Promise.race([codeOf(session.service(USER)), "under way"])).toBe("under way")
  const all = Promise.allSettled([...services, ...writes])
  session.close()
  expect((await all).filter(({ status }) => status === "rejected").length).toBe(COUNT - 1)
})

const BREACHES: Readonly<Record<string, (rig: Rig) => void>> = {
  "answers what was not asked": ({ answer, other }) => answer(other, 1),
  "answers over another line": ({ answer, first }) => answer(first, 0),
  "answers for a buffer that there is not": ({ answer, other }) => answer(other, 0x7ffff),
  "answers without a key": ({ session, other }) => session.onTold(other, told(0), NOTHING, 0, 0),
  "says that it has invalidated": ({ session, other }) => {
    session.onTold(other, told(0) + 2 ** 28, NOTHING, 0, 0)
  },
  "beats over a line for requests": ({ session, other }) => {
    session.onTold(other, beatTold(TOLD_BEAT), NOTHING, 0, 0)
  },
  "asks in its turn": ({ session, other }) => session.onTold(other, 4128, NOTHING, 0, 0),
  "says something": ({ session }) => session.onSaid(),
  "falls silent": ({ device }) => device.pass(60_000),
  "hangs up": ({ session, other }) => session.onOver(other, 13, 0),
}

for (const [what, breach] of Object.entries(BREACHES)) {
  it(`is over when the other side ${what}`, async () => {
    let downCount = 0
    const onDown = (): void => {
      downCount++
    }
    const made = rig({ onDown, answerMsMax: 90_000 })
    const { device, session, payload } = made
    const memory = payload(512)
    const read = session.read(USER, memory)
    device.asked.length = 0
    breach(made)
    expect([await codeOf(read), session.isUp, downCount]).toEqual(["link-lost", false, 1])
    // Queue pairs first, then what they reach.
    expect(device.asked).toEqual(["end 0", "end 1", "close region 100", "close region 200"])
    expect(await codeOf(session.write(USER))).toBe("link-lost")
    device.memory.release(memory.lease as Lease)
    device.memory.assertNoLeases()
    session.close()
    device.pass(100_000)
    expect([downCount, device.asked.length]).toEqual([1, 4])
  })
}

it("is over when an answer does not come, although the other side beats", async () => {
  const { device, session, first } = rig({ silenceMsMax: 600, answerMsMax: 1000 })
  const done = session.write(USER)
  for (let look = 0; look < 20 && session.isUp; look++) {
    first.heardCount++
    device.pass(100)
  }
  expect([await codeOf(done), session.isUp]).toEqual(["deadline", false])
})

it("beats, answers beats, and piles none up", () => {
  const { device, session, first } = rig({ silenceMsMax: 600 })
  session.onTold(first, beatTold(TOLD_BEAT), NOTHING, 0, 0)
  session.onTold(first, beatTold(TOLD_BEAT_ANSWER), NOTHING, 0, 0)
  first.heardCount++
  device.pass(100)
  const beats = [TOLD_BEAT_ANSWER, TOLD_BEAT].map((type) => beatTold(type) | 0)
  expect(device.posts.map((post) => post[POST_PLACE])).toEqual(beats)
  for (let look = 0; look < 20; look++) {
    first.heardCount++
    device.pass(100)
  }
  expect([session.isUp, device.posts.length]).toEqual([true, 5])
  session.close()
})

it("writes where keys stay as they are, and takes no texts then", async () => {
  const { device, session, other, payload, answer } = rig({}, false)
  const memory = payload(512)
  leaseBytes(device.memory, memory.lease, 0, 512).fill(1)
  const done = session.write(USER, memory)
  answer(other, 0)
  await done
  const next = session.write(USER)
  expect(device.posts[1]![POST_KEY]).toBe(0x900)
  session.onTold(other, told(0), new DataView(new ArrayBuffer(8)), 0, 8)
  expect(await codeOf(next)).toBe("link-lost")
})
