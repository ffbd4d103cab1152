import type { RmrError } from "../errors.js"
import type { StoreLifecycleState } from "../states/store-lifecycle.js"
import { decideDeviceAnswer } from "./device-answer.js"
import { type DeviceCommand, type DeviceParameters, decodeDeviceAnswer } from "./device-command.js"

function store(lifecycle: StoreLifecycleState): DeviceParameters {
  return {
    sizeBytes: 2 ** 30,
    blockBytes: 512,
    ioBytesMax: 2 ** 25,
    optimalBytes: 131_072,
    queueDepth: 128,
    lifecycle,
    hasWriteBack: true,
    canUnmap: true,
  }
}

/** The event, and the lifecycle or the code that is answered. */
function decide(command: DeviceCommand, lifecycle: StoreLifecycleState, sizeBytes = 0): string {
  const decision = decideDeviceAnswer({ version: 1, command, sizeBytes }, store(lifecycle))
  const said = decodeDeviceAnswer(decision.answer)
  const word = "code" in said ? (said as RmrError).code : said.lifecycle
  return `${decision.event ?? "-"} ${word}`
}

describe("decideDeviceAnswer", () => {
  it.each<[DeviceCommand, string, string, string]>([
    ["get-params", "- closed", "- open", "- mapped"],
    ["map", "- not-found", "mapped mapped", "- busy"],
    ["remap", "- not-found", "- mismatch", "- mapped"],
    ["unmap", "- not-found", "- open", "unmapped open"],
  ])("%s: closed %s, open %s, mapped %s", (command, closed, open, mapped) => {
    expect(decide(command, "closed")).toBe(closed)
    expect(decide(command, "open")).toBe(open)
    expect(decide(command, "mapped")).toBe(mapped)
  })

  it("a device of another size is never mapped, remapped or unmapped", () => {
    for (const command of ["map", "remap", "unmap"] as const) {
      for (const lifecycle of ["open", "mapped"] as const) {
        expect(decide(command, lifecycle, 4096)).toBe("- mismatch")
      }
    }
    expect(decide("map", "open", 2 ** 30)).toBe("mapped mapped")
  })
})
