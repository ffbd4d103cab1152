import fc from "fast-check"
import { RmrError } from "../errors.js"
import {
  DEVICE_COMMANDS,
  DEVICE_REQUEST,
  type DeviceParameters,
  decodeDeviceAnswer,
  decodeDeviceRequest,
  encodeDeviceError,
  encodeDeviceParameters,
  encodeDeviceRequest,
} from "./device-command.js"

const PARAMETERS: DeviceParameters = {
  sizeBytes: 2 ** 40,
  blockBytes: 4096,
  ioBytesMax: 2 ** 25,
  optimalBytes: 131_072,
  queueDepth: 128,
  lifecycle: "open",
  hasWriteBack: true,
  canUnmap: false,
}

describe("device commands", () => {
  it("P8: a request is what was asked, and every other length of it is refused", () => {
    for (const command of DEVICE_COMMANDS) {
      const bytes = encodeDeviceRequest(command, 4096)
      expect(decodeDeviceRequest(bytes)).toEqual({ version: 1, command, sizeBytes: 4096 })
      expect(decodeDeviceRequest(bytes.subarray(1))).toBeInstanceOf(RmrError)
      expect(decodeDeviceRequest(new Uint8Array([...bytes, 0]))).toBeInstanceOf(RmrError)
    }
  })

  it("P8: a request of another version is refused by that name", () => {
    const bytes = encodeDeviceRequest("map", 0)
    bytes[0] = 2
    expect(decodeDeviceRequest(bytes)).toMatchObject({ code: "bad-version" })
  })

  it("P8: any bytes are a request or a typed error", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2 * DEVICE_REQUEST.bytes }), (bytes) => {
        const decoded = decodeDeviceRequest(bytes)
        if (decoded instanceof RmrError) return
        expect(encodeDeviceRequest(decoded.command, decoded.sizeBytes)).toEqual(bytes)
      }),
    )
  })

  it("P8: an answer is parameters, an error with its sentence, or refused", () => {
    expect(decodeDeviceAnswer(encodeDeviceParameters(PARAMETERS))).toEqual(PARAMETERS)
    const error = decodeDeviceAnswer(encodeDeviceError("busy", "ein Gerät ist schon da"))
    expect(error).toMatchObject({ code: "busy", detail: "ein Gerät ist schon da" })
    const long = decodeDeviceAnswer(encodeDeviceError("busy", "ü".repeat(1000)))
    expect(long).toMatchObject({ code: "busy", detail: "ü".repeat(256) })
    const bad = { userStatus: 10, bytes: new Uint8Array([0xff, 0xfe]) }
    expect(decodeDeviceAnswer(bad)).toMatchObject({ code: "bad-message" })
    const unknown = { userStatus: 9999, bytes: new Uint8Array(0) }
    expect(decodeDeviceAnswer(unknown)).toMatchObject({ code: "bad-message" })
  })

  it("P8: any bytes are parameters or a typed error", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 20, maxLength: 30 }), (bytes) => {
        const decoded = decodeDeviceAnswer({ userStatus: 0, bytes })
        if (decoded instanceof RmrError) return
        expect(encodeDeviceParameters(decoded).bytes).toEqual(bytes)
      }),
    )
  })
})
