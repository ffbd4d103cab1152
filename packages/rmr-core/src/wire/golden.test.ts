/** The bytes of every message are pinned down: PROTOCOL.md, all sections. */
import { encodedMessages, readGoldenMessages } from "../../scripts/golden-messages.js"
import { RECORD, samples } from "../../scripts/wire-samples.js"
import { COMMAND_KINDS } from "./command.js"
import { decodeMessage } from "./decode.js"
import { OP_NAMES } from "./io-record.js"
import { decodePoolMetadata } from "./pool-metadata-codec.js"

const golden = readGoldenMessages()

describe("golden messages", () => {
  it("encode to the bytes that are on file, message by message", () => {
    const encoded = encodedMessages()
    expect(encoded.map(({ name }) => name)).toEqual(golden.map(({ name }) => name))
    for (const [index, message] of encoded.entries()) expect(message).toEqual(golden[index])
  })

  it("decode from those bytes to what they were made of", () => {
    const all = samples()
    for (const { name, header, payload } of golden) {
      const bytes = Buffer.from(header, "hex")
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
      if (name === "view record") {
        expect(decodePoolMetadata(Buffer.from(payload, "hex"))).toEqual(RECORD)
        continue
      }
      const message = decodeMessage(
        view,
        0,
        bytes.length,
        Uint8Array.from(Buffer.from(payload, "hex")),
      )
      expect([name, message]).toEqual([name, all.get(name)])
    }
  })

  it("cover every operation, every command and every answer", () => {
    const names = golden.map(({ name }) => name)
    for (const operation of OP_NAMES) expect(names).toContain(`IO ${operation}`)
    for (const kind of COMMAND_KINDS) {
      expect(names).toContain(`CMD ${kind}`)
      expect(names).toContain(`CMD_RSP ${kind}`)
    }
  })
})
