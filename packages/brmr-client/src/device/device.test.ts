/**
 * Devices over a pool whose legs are the decisions of @rmr/core and nothing else: what a store
 * would keep durably is a field here.
 */
import type { StoreLifecycleState, Volume, VolumeOpen } from "@rmr/core"
import {
  type DeviceParameters,
  decideDeviceAnswer,
  decodeDeviceRequest,
  RmrError,
  STORE_LIFECYCLE_MACHINE,
} from "@rmr/core"
import { type DevicePool, type LegAnswer, mapDevice, unmapDevice } from "./device.js"

class Leg {
  readonly memberId: number
  parameters: DeviceParameters
  isUp = true

  constructor(memberId: number, differs: Partial<DeviceParameters> = {}) {
    this.memberId = memberId
    this.parameters = {
      sizeBytes: 2 ** 30,
      blockBytes: 512,
      ioBytesMax: 2 ** 25,
      optimalBytes: 131_072,
      queueDepth: 128,
      lifecycle: "open",
      hasWriteBack: true,
      canUnmap: true,
      ...differs,
    }
  }

  get lifecycle(): StoreLifecycleState {
    return this.parameters.lifecycle
  }

  answer(bytes: Uint8Array): LegAnswer {
    const { memberId } = this
    if (!this.isUp) return { memberId, answer: new RmrError("link-lost", "it is down") }
    const request = decodeDeviceRequest(bytes)
    if (request instanceof RmrError) throw request
    const { event, answer } = decideDeviceAnswer(request, this.parameters)
    const move = STORE_LIFECYCLE_MACHINE.moves.find(
      ({ from, on }) => from === this.lifecycle && event !== undefined && on.includes(event),
    )
    if (move !== undefined) this.parameters = { ...this.parameters, lifecycle: move.to }
    return { memberId, answer }
  }
}

const joined = new Set<(memberId: number) => Promise<void>>()

afterEach(() => joined.clear())

function poolOf(legs: readonly Leg[]): DevicePool {
  return {
    name: "data",
    open: ({ inFlightMax }: VolumeOpen) =>
      ({
        name: "data",
        sizeBytes: 2 ** 32,
        blockBytes: 512,
        atomicBytes: 512,
        ioBytesMax: 2 ** 25,
        inFlightMax,
        optimalIoBytes: 65_536,
        canUnmap: true,
        close: () => Promise.resolve(),
      }) as Partial<Volume> as Volume,
    user: (request, memberId) =>
      Promise.resolve(
        legs
          .filter((leg) => memberId === undefined || leg.memberId === memberId)
          .map((leg) => leg.answer(request)),
      ),
    onJoined: (run) => {
      joined.add(run)
      return () => joined.delete(run)
    },
  }
}

const OPEN: VolumeOpen = { events: { onCompletions: () => undefined }, inFlightMax: 4 }

const lifecycles = (legs: readonly Leg[]): string => legs.map((leg) => leg.lifecycle).join(" ")

describe("mapDevice", () => {
  it("a new device is mapped on every leg, and can do what all of them can", async () => {
    const legs = [new Leg(1), new Leg(2, { blockBytes: 4096, ioBytesMax: 2 ** 20 + 512 })]
    const device = await mapDevice({ pool: poolOf(legs), sizeBytes: 2 ** 30 })
    expect(device.row).toBe("new")
    expect(lifecycles(legs)).toBe("mapped mapped")
    expect(device.open(OPEN)).toMatchObject({
      blockBytes: 4096,
      ioBytesMax: 2 ** 20,
      optimalIoBytes: 131_072,
    })
  })

  it("a device whose client has restarted is known, and stays mapped", async () => {
    const legs = [new Leg(1), new Leg(2)]
    await mapDevice({ pool: poolOf(legs) })
    const again = await mapDevice({ pool: poolOf(legs) })
    expect(again.row).toBe("known")
    expect(lifecycles(legs)).toBe("mapped mapped")
  })

  it("a leg that was away when the device was mapped is told by whoever maps it next", async () => {
    const legs = [new Leg(1), new Leg(2, { lifecycle: "mapped" }), new Leg(3)]
    expect((await mapDevice({ pool: poolOf(legs) })).row).toBe("known")
    expect(lifecycles(legs)).toBe("mapped mapped mapped")
  })

  it("a leg that was away is told as soon as its member is back in the view", async () => {
    const legs = [new Leg(1), new Leg(2)]
    legs[1]!.isUp = false
    const device = await mapDevice({ pool: poolOf(legs) })
    expect(lifecycles(legs)).toBe("mapped open")
    legs[1]!.isUp = true
    for (const run of joined) await run(2)
    expect(lifecycles(legs)).toBe("mapped mapped")
    await device.unmap()
    expect(joined.size).toBe(0)
  })

  it("G1: a pool that has grown shows its size, also by volumes that are open", async () => {
    const legs = [new Leg(1), new Leg(2)]
    const device = await mapDevice({ pool: poolOf(legs) })
    for (const leg of legs) leg.parameters = { ...leg.parameters, sizeBytes: 2 ** 31 }
    const volume = device.open(OPEN)
    expect([device.parameters.sizeBytes, volume.sizeBytes]).toEqual([2 ** 30, 2 ** 30])
    await device.refresh()
    expect([device.parameters.sizeBytes, volume.sizeBytes]).toEqual([2 ** 31, 2 ** 31])
  })

  it("a wrong size is refused before any leg is told that a device is there", async () => {
    const legs = [new Leg(1), new Leg(2)]
    const mapping = mapDevice({ pool: poolOf(legs), sizeBytes: 4096 })
    await expect(mapping).rejects.toMatchObject({ code: "mismatch" })
    expect(lifecycles(legs)).toBe("open open")
  })

  it("a leg that is down keeps nobody from mapping; with all of them down it says so", async () => {
    const legs = [new Leg(1), new Leg(2)]
    legs[1]!.isUp = false
    await mapDevice({ pool: poolOf(legs) })
    expect(lifecycles(legs)).toBe("mapped open")
    legs[0]!.isUp = false
    await expect(mapDevice({ pool: poolOf(legs) })).rejects.toThrow(
      "no-leg: no leg of data answers get-params: link-lost: it is down",
    )
  })

  it("P8: a leg that answers nonsense is named", async () => {
    const pool: DevicePool = {
      ...poolOf([]),
      user: () =>
        Promise.resolve([{ memberId: 7, answer: { userStatus: 0, bytes: new Uint8Array(3) } }]),
    }
    await expect(mapDevice({ pool })).rejects.toThrow("member 7 refuses get-params")
  })
})

describe("unmap", () => {
  it("brings legs of which only some remember a device to one state", async () => {
    const legs = [new Leg(1), new Leg(2, { lifecycle: "mapped" }), new Leg(3)]
    await unmapDevice(poolOf(legs))
    expect(lifecycles(legs)).toBe("open open open")
  })

  it("a device in use is not unmapped; once its volumes are closed it is, once", async () => {
    const legs = [new Leg(1), new Leg(2)]
    const device = await mapDevice({ pool: poolOf(legs) })
    const volume = device.open(OPEN)
    await expect(device.unmap()).rejects.toMatchObject({ code: "busy" })
    expect(lifecycles(legs)).toBe("mapped mapped")
    await volume.close()
    await volume.close()
    await device.unmap()
    expect(lifecycles(legs)).toBe("open open")
    await device.unmap()
    expect(() => device.open(OPEN)).toThrow("was unmapped")
  })

  it("when no leg answers the device stays, and can be unmapped later", async () => {
    const legs = [new Leg(1)]
    const device = await mapDevice({ pool: poolOf(legs) })
    legs[0]!.isUp = false
    await expect(device.unmap()).rejects.toMatchObject({ code: "no-leg" })
    legs[0]!.isUp = true
    device.open(OPEN)
    expect(lifecycles(legs)).toBe("mapped")
  })
})
