/** Payloads of commands: PROTOCOL.md 1.4 and 10. */
import { type Frame, frameOf } from "../../scripts/frames.js"
import { withPayload } from "../../scripts/patch.js"
import { RECORD, samples } from "../../scripts/wire-samples.js"
import { decodeCommand } from "./command-codec.js"
import { encodePoolMetadata } from "./pool-metadata-codec.js"
import { type RefusalReason, Refused } from "./refusal.js"

function frameOfSample(kind: string): Frame {
  const message = samples().get(`CMD ${kind}`)
  if (message === undefined) throw new Error(`no sample ${kind}`)
  return frameOf(message)
}

function decode({ header, payload }: Frame): unknown {
  const view = new DataView(header.buffer, header.byteOffset, header.length)
  return decodeCommand(view, 0, header.length, payload)
}

describe("the payload of a command is refused with", () => {
  const record = encodePoolMetadata(RECORD)

  it("another length or another checksum than the header says", () => {
    const { header } = frameOfSample("map-add")
    const bent = record.slice()
    bent[50]! ^= 1
    for (const [payload, reason] of [
      [record.subarray(1), "payload-bytes"],
      [new Uint8Array(0), "payload-bytes"],
      [bent, "payload-checksum"],
    ] as const) {
      expect(decode({ header, payload })).toEqual(new Refused(reason, "map-add"))
    }
  })

  it("a record that is wrong by itself, whatever the header says about its bytes", () => {
    const bent = record.slice()
    bent[50]! ^= 1
    expect(decode(withPayload(frameOfSample("map-add"), bent))).toEqual(
      new Refused("checksum", "map-add.payload"),
    )
  })

  it("more bytes than the command may carry", () => {
    const frame = withPayload(frameOfSample("map-check"), new Uint8Array(1))
    expect(decode(frame)).toEqual(new Refused("payload-bytes", "map-check"))
  })

  it("no record where there must be one, and one where there must be none", () => {
    const nothing = new Uint8Array(0)
    expect(decode(withPayload(frameOfSample("rejoin-pool"), nothing))).toEqual(
      new Refused("short", "rejoin-pool.payload"),
    )
    expect(decode(withPayload(frameOfSample("join-pool"), nothing))).toEqual(
      new Refused("payload-bytes", "join-pool"),
    )
    expect(decode(withPayload(frameOfSample("map-add missed"), record))).toEqual(
      new Refused("payload-bytes", "map-add"),
    )
  })

  it("map pages that are cut, empty, too many or out of order", () => {
    const frame = frameOfSample("send-map-buf")
    const page = (memberId: number): number[] => [1, 0, 0, 0, memberId, 0, 0, 0, 0x77]
    const rows: readonly [number[], RefusalReason, string][] = [
      [[], "count", "send-map-buf.payload"],
      [[...page(3), ...page(3)], "members", "send-map-buf.payload.1"],
      [[...page(3), ...page(2)], "members", "send-map-buf.payload.1"],
      [page(3).slice(0, 8), "short", "send-map-buf.payload.0"],
      [[...page(3), 1, 0, 0], "short", "send-map-buf.payload.1"],
      [[0, 0, 0, 0, 3, 0, 0, 0], "value", "send-map-buf.payload.0.recordBytes"],
      [[1, 2, 3, 4, 5, 6, 7, 8, 9].flatMap(page), "count", "send-map-buf.payload"],
    ]
    for (const [bytes, reason, where] of rows) {
      expect(decode(withPayload(frame, Uint8Array.from(bytes)))).toEqual(new Refused(reason, where))
    }
  })

  it("last_io entries that are cut, doubled or have no number", () => {
    const frame = frameOfSample("last-io-to-map")
    const [first, second] = [frame.payload.slice(0, 28), frame.payload.slice(28)]
    const nameless = first.slice()
    nameless.fill(0, 8, 16)
    const where = "last-io-to-map.payload"
    const rows: readonly [Uint8Array, Refused][] = [
      [frame.payload.slice(0, 27), new Refused("count", where)],
      [Uint8Array.from([...second, ...first]), new Refused("unit", `${where}.1`)],
      [Uint8Array.from([...first, ...first]), new Refused("unit", `${where}.1`)],
      [nameless, new Refused("sequence", `${where}.0`)],
    ]
    for (const [payload, refused] of rows)
      expect(decode(withPayload(frame, payload))).toEqual(refused)
  })
})
