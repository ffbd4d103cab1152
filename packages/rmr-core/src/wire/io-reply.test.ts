/** The answer to an IO: PROTOCOL.md 4.3, and the payloads of both: 1.4. */
import type { IoReply } from "../../scripts/io-arbitraries.js"
import { samples } from "../../scripts/wire-samples.js"
import { IO_BYTES_MAX, REPLY_LAST_IO_MAX } from "../limits.js"
import { crc32c } from "./crc32c.js"
import { FLAG_PAYLOAD_CRC, FLAG_SYNC } from "./header.js"
import { IoRecord, OP_READ, OP_WRITE } from "./io-record.js"
import {
  decodeIoReply,
  encodeIoReply,
  IO_REPLY_BYTES,
  IO_REPLY_BYTES_MAX,
  IoReplyRecord,
  REPLY_DIGEST,
  REPLY_LAST_IO,
  REPLY_LAST_IO_MORE,
  REPLY_MISSED,
  REPLY_PRESSED,
  refuseIoReply,
  refuseIoReplyFor,
} from "./io-reply.js"
import type { LastIoEntry } from "./last-io-entry.js"
import { refuseIoPayload, refuseIoReplyPayload } from "./payload-check.js"
import { ACCEPTED, type RefusalReason, reasonOf } from "./refusal.js"

const view = new DataView(new ArrayBuffer(128))

function sample(name: string): IoReplyRecord {
  const message = samples().get(`IO_RSP ${name}`)
  if (message?.type !== "io-reply") throw new Error(`no sample ${name}`)
  return Object.assign(new IoReplyRecord(), message.reply)
}

function sampleWithEntries(): IoReply {
  const message = samples().get("IO_RSP sync-read done")
  if (message?.type !== "io-reply") throw new Error("no sample")
  return message
}

function reason(refusal: number): RefusalReason | "accepted" {
  return refusal === ACCEPTED ? "accepted" : reasonOf(refusal)
}

describe("an answer is refused with", () => {
  it.each<readonly [string, string, Partial<IoReplyRecord>, RefusalReason]>([
    ["a status that nobody has", "done", { status: 999 }, "status"],
    ["an unknown hint", "done", { replyFlags: 256 }, "flags"],
    ["S11: pressed, and no foreground IO", "done", { replyFlags: REPLY_PRESSED }, "flags"],
    ["S9: entries announced, and none there", "done", { replyFlags: REPLY_LAST_IO }, "flags"],
    ["S9: more entries, and none there", "done", { replyFlags: REPLY_LAST_IO_MORE }, "flags"],
    ["half a view", "done", { viewVersion: 0 }, "view"],
    ["MISSED and done", "done", { replyFlags: REPLY_MISSED }, "status"],
    ["MISSED and fenced", "fenced", { replyFlags: REPLY_MISSED }, "status"],
    ["a digest that no flag announces", "done", { digest2: 1 }, "contradiction"],
    ["a digest of what failed", "missed", { replyFlags: REPLY_DIGEST }, "contradiction"],
    ["a digest and bytes", "digest", { payloadBytes: 1 }, "contradiction"],
    ["a payload of what failed", "fenced", { payloadBytes: 1 }, "range"],
    ["a payload above every IO", "read done", { payloadBytes: IO_BYTES_MAX + 1 }, "range"],
    ["SYNC, which answers do not have", "read done", { flags: FLAG_SYNC }, "flags"],
    ["a payload checksum without payload", "done", { flags: FLAG_PAYLOAD_CRC }, "flags"],
    ["a checksum that no flag announces", "read done", { flags: 0 }, "flags"],
    ["a bad range where nothing is bad", "done", { badBytes: 512 }, "status"],
    ["an empty bad range that lies somewhere", "missed", { badBytes: 0 }, "range"],
    ["a bad range above every IO", "missed", { badAt: IO_BYTES_MAX }, "range"],
  ])("%s", (_what, name, change, expected) => {
    const record = Object.assign(sample(name), change)
    expect(reason(refuseIoReply(record))).toBe(expected)
    encodeIoReply(view, 0, record)
    expect(reason(decodeIoReply(view, 0, IO_REPLY_BYTES, new IoReplyRecord()))).toBe(expected)
  })

  it("a length, type, version or checksum that is not its own", () => {
    encodeIoReply(view, 0, sample("done"))
    const decode = (bytes: number): string =>
      reason(decodeIoReply(view, 0, bytes, new IoReplyRecord()))
    expect(decode(IO_REPLY_BYTES)).toBe("accepted")
    expect(decode(IO_REPLY_BYTES - 1)).toBe("short")
    expect(decode(IO_REPLY_BYTES_MAX + 1)).toBe("long")
    view.setUint8(40, 1)
    expect(decode(IO_REPLY_BYTES)).toBe("checksum")
    view.setUint8(6, 0)
    expect(decode(IO_REPLY_BYTES)).toBe("version")
    view.setUint16(4, 2, true)
    expect(decode(IO_REPLY_BYTES)).toBe("type")
  })

  it("last io entries that are cut, doubled, unannounced, or behind a failure (S9)", () => {
    const { reply, lastIo } = sampleWithEntries()
    const room = new DataView(new ArrayBuffer(IO_REPLY_BYTES_MAX))
    const answer = (change: Partial<IoReplyRecord>, entries = lastIo, cut = 0): string => {
      const record = Object.assign(new IoReplyRecord(), reply, change)
      record.lastIoCount = entries.length
      const end = encodeIoReply(room, 0, record, entries) - 4 - cut
      room.setUint32(end, crc32c(room, 0, end), true)
      return reason(decodeIoReply(room, 0, end + 4, new IoReplyRecord()))
    }
    const [first, second] = lastIo as readonly [LastIoEntry, LastIoEntry]
    expect(answer({})).toBe("accepted")
    expect(answer({}, lastIo, 1)).toBe("count")
    expect(answer({}, [second, first])).toBe("unit")
    expect(answer({}, [first, first])).toBe("unit")
    expect(answer({ replyFlags: 0 })).toBe("flags")
    expect(answer({ replyFlags: REPLY_LAST_IO | REPLY_LAST_IO_MORE })).toBe("count")
    expect(answer({ status: 13, payloadBytes: 0 })).toBe("status")
    const full = Array.from({ length: REPLY_LAST_IO_MAX }, (_, unit) => ({ ...first, unit }))
    expect(answer({ replyFlags: REPLY_LAST_IO | REPLY_LAST_IO_MORE }, full)).toBe("accepted")
  })

  it("more payload, or a bad range further out, than its request asked for", () => {
    expect(reason(refuseIoReplyFor(sample("read done"), 262144))).toBe("accepted")
    expect(reason(refuseIoReplyFor(sample("read done"), 262143))).toBe("range")
    expect(reason(refuseIoReplyFor(sample("missed"), 8192 + 512))).toBe("accepted")
    expect(reason(refuseIoReplyFor(sample("missed"), 8192 + 511))).toBe("range")
  })
})

describe("the payload of an IO", () => {
  const payload = new DataView(Uint8Array.from({ length: 64 }, (_, at) => at * 3).buffer)

  function writeOf(bytes: number, flags: number, payloadCrc: number): IoRecord {
    return Object.assign(new IoRecord(), { operation: OP_WRITE, length: bytes, flags, payloadCrc })
  }

  it("has the length of the request, and its checksum where the session requires one", () => {
    const crc = crc32c(payload, 8, 32)
    const checked = writeOf(32, FLAG_PAYLOAD_CRC, crc)
    const trusted = writeOf(32, 0, 0)
    expect(reason(refuseIoPayload(checked, payload, 8, 32, true))).toBe("accepted")
    expect(reason(refuseIoPayload(checked, payload, 8, 31, true))).toBe("payload-bytes")
    expect(reason(refuseIoPayload(checked, payload, 9, 32, true))).toBe("payload-checksum")
    expect(reason(refuseIoPayload(checked, payload, 9, 32, false))).toBe("payload-checksum")
    expect(reason(refuseIoPayload(trusted, payload, 8, 32, false))).toBe("accepted")
    expect(reason(refuseIoPayload(trusted, payload, 8, 32, true))).toBe("flags")
  })

  it("is nothing where the request sends nothing", () => {
    const read = Object.assign(new IoRecord(), { operation: OP_READ, length: 32 })
    expect(reason(refuseIoPayload(read, payload, 0, 0, true))).toBe("accepted")
    expect(reason(refuseIoPayload(read, payload, 0, 32, true))).toBe("payload-bytes")
  })

  it("is checked by whatever computes checksums here", () => {
    const asked: unknown[] = []
    const native = (...place: unknown[]): number => {
      asked.push(place)
      return 77
    }
    const write = writeOf(16, FLAG_PAYLOAD_CRC, 77)
    expect(refuseIoPayload(write, payload, 4, 16, true, native)).toBe(ACCEPTED)
    expect(asked).toEqual([[payload, 4, 16]])
  })

  it("of an answer is as long as the answer says", () => {
    const reply = Object.assign(new IoReplyRecord(), {
      payloadBytes: 16,
      flags: FLAG_PAYLOAD_CRC,
      payloadCrc: crc32c(payload, 0, 16),
    })
    expect(reason(refuseIoReplyPayload(reply, payload, 0, 16, true))).toBe("accepted")
    expect(reason(refuseIoReplyPayload(reply, payload, 0, 15, true))).toBe("payload-bytes")
    expect(reason(refuseIoReplyPayload(reply, payload, 1, 16, true))).toBe("payload-checksum")
    expect(reason(refuseIoReplyPayload(sample("done"), payload, 0, 0, true))).toBe("accepted")
  })
})
