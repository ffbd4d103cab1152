/**
 * Uses @rmr/brmr-client alone: a pool of one leg is mapped as a device, exported, and given up.
 */
import type { DevicePool } from "@rmr/brmr-client"
import { mapDevice, nbdServer } from "@rmr/brmr-client"
import type { DeviceParameters, Volume, VolumeOpen } from "@rmr/core"
import {
  BLOCK_STRIDE,
  buddyMemory,
  decideDeviceAnswer,
  decodeDeviceRequest,
  RmrError,
  statusOf,
} from "@rmr/core"
import { pageArenas, plainStreamEngine, realEnv } from "@rmr/io"

const env = realEnv()
const memory = buddyMemory({ arenas: pageArenas([1024 * 1024]), leaseCountMax: 64 })
const sizeBytes = 2 ** 20

/** A volume that fails everything. */
function broken({ events, inFlightMax }: VolumeOpen): Volume {
  const fail = (token: number): void => {
    const words = new Int32Array(BLOCK_STRIDE)
    words.set([token, statusOf("io-error")])
    env.clock.endOfTurn(() => events.onCompletions({ count: 1, words }))
  }
  return {
    name: "broken",
    sizeBytes,
    blockBytes: 4096,
    atomicBytes: 512,
    ioBytesMax: 65_536,
    inFlightMax,
    optimalIoBytes: 65_536,
    canUnmap: false,
    read: fail,
    write: fail,
    zero: fail,
    flush: fail,
    submit: () => undefined,
    ranges: (_offset, bytes) => [{ bytes, isDirty: true }],
    close: () => Promise.resolve(),
  }
}

let store: DeviceParameters = {
  sizeBytes,
  blockBytes: 4096,
  ioBytesMax: 65_536,
  optimalBytes: 65_536,
  queueDepth: 16,
  lifecycle: "open",
  hasWriteBack: true,
  canUnmap: false,
}
const pool: DevicePool = {
  name: "broken",
  open: broken,
  user: async (bytes) => {
    const request = decodeDeviceRequest(bytes)
    if (request instanceof RmrError) return [{ memberId: 1, answer: request }]
    const { event, answer } = decideDeviceAnswer(request, store)
    if (event === "mapped") store = { ...store, lifecycle: "mapped" }
    if (event === "unmapped") store = { ...store, lifecycle: "open" }
    return [{ memberId: 1, answer }]
  },
}

const device = await mapDevice({ pool, sizeBytes })
const server = nbdServer({ env, memory, engine: plainStreamEngine })
server.addExport("broken", device)
const listener = await server.listen({ host: "127.0.0.1", port: 0 })
const isMapped = store.lifecycle === "mapped" && "port" in listener.address
if (!isMapped) throw new Error("not mapped, or not at a port")
await server.close()
await device.unmap()
if (String(store.lifecycle) !== "open") throw new Error("not given up")
