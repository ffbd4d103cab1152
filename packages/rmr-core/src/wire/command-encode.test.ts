/** What this side sends is what the other side takes: encoding commands, PROTOCOL.md 5. */
import { frameOfCommand } from "../../scripts/frames.js"
import { RECORD, samples } from "../../scripts/wire-samples.js"
import { AssertionError } from "../assert.js"
import type { MemberId } from "../brand.js"
import { NO_VIEW, ZERO_UUID } from "../rules/pool-metadata.js"
import type { CommandKind, CommandOf } from "./command.js"
import { encodeCommand } from "./command-codec.js"

describe("encodeCommand", () => {
  const envelope = {
    groupId: RECORD.groupId,
    mapVersion: RECORD.mapVersion,
    sessionGeneration: 1,
    senderMemberId: 0 as const,
  }

  it("never sends what would be refused: that is our own mistake", () => {
    const wrong: readonly CommandOf<CommandKind>[] = [
      {
        kind: "map-ready",
        ...envelope,
        senderMemberId: 3 as MemberId,
        body: { update: 1 },
        payload: undefined,
      },
      {
        kind: "map-ready",
        ...envelope,
        mapVersion: { lineage: ZERO_UUID, ...NO_VIEW },
        body: { update: 1 },
        payload: undefined,
      },
      {
        kind: "enable-pool",
        ...envelope,
        body: { mode: "start", joinedView: { epoch: 99, version: 1 } },
        payload: undefined,
      },
      {
        kind: "map-clear",
        ...envelope,
        senderMemberId: 3 as MemberId,
        body: {
          joinedView: RECORD.mapVersion,
          ranges: [
            { firstChunk: 5, chunkCount: 2 },
            { firstChunk: 7, chunkCount: 1 },
          ],
        },
        payload: undefined,
      },
    ]
    for (const command of wrong)
      expect(() => frameOfCommand(command as never)).toThrow(AssertionError)
  })

  it("wants room for exactly the payload", () => {
    const view = new DataView(new ArrayBuffer(512))
    const command = samples().get("CMD map-add")
    if (command?.type !== "command") throw new Error("no sample")
    expect(() => encodeCommand(view, 0, command.command, new Uint8Array(7))).toThrow(AssertionError)
  })

  it("writes nothing behind its message", () => {
    const view = new DataView(new Uint8Array(512).fill(0x6b).buffer)
    const body = { update: 5 }
    const bytes = encodeCommand(view, 3, {
      kind: "map-ready",
      ...envelope,
      body,
      payload: undefined,
    })
    expect(bytes).toBe(48 + 4 + 4)
    expect(new Uint8Array(view.buffer, 0, 3)).toEqual(new Uint8Array(3).fill(0x6b))
    expect(new Uint8Array(view.buffer, 3 + bytes)).toEqual(new Uint8Array(509 - bytes).fill(0x6b))
  })
})
