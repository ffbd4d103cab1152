import { RmrError } from "../errors.js"
import { agreeOnDevice, type MemberParameters } from "./device-agreement.js"
import type { DeviceParameters } from "./device-command.js"

function member(memberId: number, differs: Partial<DeviceParameters> = {}): MemberParameters {
  const parameters: DeviceParameters = {
    sizeBytes: 2 ** 30,
    blockBytes: 512,
    ioBytesMax: 2 ** 25,
    optimalBytes: 131_072,
    queueDepth: 128,
    lifecycle: "open",
    hasWriteBack: false,
    canUnmap: true,
    ...differs,
  }
  return { memberId, parameters }
}

function refusal(members: readonly MemberParameters[], expectedBytes = 0): string {
  const agreed = agreeOnDevice(members, expectedBytes)
  if (!(agreed instanceof RmrError)) throw new Error("it was agreed on")
  return agreed.message
}

describe("agreeOnDevice", () => {
  it("new: the device can do what all members can", () => {
    const agreed = agreeOnDevice(
      [
        member(1),
        member(2, { blockBytes: 4096, ioBytesMax: 2 ** 20 }),
        member(3, { hasWriteBack: true, canUnmap: false, queueDepth: 64 }),
      ],
      2 ** 30,
    )
    expect(agreed).toEqual({
      row: "new",
      parameters: member(0, {
        blockBytes: 4096,
        ioBytesMax: 2 ** 20,
        hasWriteBack: true,
        canUnmap: false,
        queueDepth: 64,
      }).parameters,
    })
  })

  it("known: a device that all members have mapped is the same one again", () => {
    const mapped = { lifecycle: "mapped" } as const
    expect(agreeOnDevice([member(1, mapped), member(2, mapped)], 0)).toMatchObject({ row: "known" })
  })

  it("known: a device that some members have not heard of is the same one", () => {
    const members = [member(1), member(2, { lifecycle: "mapped" }), member(3)]
    expect(agreeOnDevice(members, 0)).toMatchObject({ row: "known" })
  })

  it("closed: a member without an open store is named", () => {
    const members = [
      member(1),
      member(7, { lifecycle: "closed" }),
      member(9, { lifecycle: "closed" }),
    ]
    expect(refusal(members)).toBe("not-found: no open store on members 7, 9; add one first")
  })

  it("sizes must be equal, among members and with what was asked", () => {
    const members = [member(1), member(2, { sizeBytes: 2 ** 29 })]
    expect(refusal(members)).toBe(
      "mismatch: members differ in size (1: 1073741824, 2: 536870912 bytes)",
    )
    expect(refusal([member(1)], 4096)).toBe(
      "mismatch: the pool has 1073741824 bytes, not the 4096 that were asked for",
    )
  })

  it("nobody answered: there is nothing to map", () => {
    expect(refusal([])).toBe("no-leg: no member has answered")
  })
})
