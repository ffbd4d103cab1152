/**
 * Every message survives being written and read, wherever it lies in memory: property tests over
 * arbitrary valid messages of every kind.
 */
import fc from "fast-check"
import { commandOf, replyTo } from "../../scripts/command-arbitraries.js"
import {
  atTheEnd,
  frameOf,
  frameOfCommand,
  frameOfReply,
  surrounded,
} from "../../scripts/frames.js"
import { IO_POOL, ioRecord, ioReply } from "../../scripts/io-arbitraries.js"
import { poolMetadata } from "../../scripts/wire-arbitraries.js"
import { COMMAND_KINDS } from "./command.js"
import { decodeCommand } from "./command-codec.js"
import { decodeMessage } from "./decode.js"
import { refuseIoForPool } from "./io-bounds.js"
import { decodePoolMetadata, encodePoolMetadata } from "./pool-metadata-codec.js"
import { ACCEPTED, Refused } from "./refusal.js"
import { decodeReply } from "./reply.js"

/** Printed by fast-check when a property fails; fixed so that a run can be repeated. */
const seed = 20_240_601
const runs = { seed, numRuns: 300 }

describe("decode(encode(message)) is the message", () => {
  it.each(COMMAND_KINDS)("%s, wherever it lies", (kind) => {
    fc.assert(
      fc.property(commandOf(kind), fc.nat(40), (command, at) => {
        const { header, payload } = frameOfCommand(command)
        expect(decodeCommand(atTheEnd(header, at), at, header.length, payload)).toEqual(command)
        const inside = surrounded(header, at, 0xa5)
        expect(decodeCommand(inside, at, header.length, payload)).toEqual(command)
      }),
      runs,
    )
  })

  it.each(COMMAND_KINDS)("the answer to %s, refusals included", (kind) => {
    fc.assert(
      fc.property(replyTo(kind), fc.nat(40), (reply, at) => {
        const { header, payload } = frameOfReply(reply)
        expect(decodeReply(kind, atTheEnd(header, at), at, header.length, payload)).toEqual(reply)
        const again = decodeReply(kind, surrounded(header, at, 0xff), at, header.length, payload)
        expect(again).toEqual(reply)
      }),
      runs,
    )
  })

  it("io requests of every operation", () => {
    fc.assert(
      fc.property(ioRecord, fc.nat(40), (io, at) => {
        const { header } = frameOf({ type: "io", io })
        const message = decodeMessage(atTheEnd(header, at), at, header.length)
        expect(message).toEqual({ type: "io", io })
        expect(refuseIoForPool(io, IO_POOL)).toBe(ACCEPTED)
      }),
      { seed, numRuns: 3000 },
    )
  })

  it("answers to io", () => {
    fc.assert(
      fc.property(ioReply, fc.nat(40), (reply, at) => {
        const { header } = frameOf({ type: "io-reply", ...reply })
        const message = decodeMessage(atTheEnd(header, at), at, header.length)
        expect(message).toEqual({ type: "io-reply", ...reply })
      }),
      { seed, numRuns: 3000 },
    )
  })

  it("view records", () => {
    fc.assert(
      fc.property(poolMetadata, (metadata) => {
        expect(decodePoolMetadata(encodePoolMetadata(metadata))).toEqual(metadata)
      }),
      { seed, numRuns: 1000 },
    )
  })

  it("and one entry point finds the right decoder for each of them", () => {
    for (const kind of COMMAND_KINDS) {
      for (const command of fc.sample(commandOf(kind), { seed, numRuns: 3 })) {
        const { header, payload } = frameOfCommand(command)
        const message = decodeMessage(atTheEnd(header, 0), 0, header.length, payload)
        expect(message).toEqual({ type: "command", command })
      }
      for (const reply of fc.sample(replyTo(kind), { seed, numRuns: 3 })) {
        const { header, payload } = frameOfReply(reply)
        const message = decodeMessage(atTheEnd(header, 0), 0, header.length, payload)
        expect(message).not.toBeInstanceOf(Refused)
        expect(message).toEqual({ type: "reply", reply })
      }
    }
  })
})
