/**
 * Uses @rmr/io alone: an env of this machine, arenas for direct IO, a frame over a real socket, and
 * a sum that is the same with the native addon and without.
 */
import { buddyMemory, crc32c, NO_LEASE } from "@rmr/core"
import type { FrameBatch, FrameShape } from "@rmr/io"
import {
  fastChecksum,
  jsonLog,
  nativeStatus,
  pageArenas,
  plainSocketEngine,
  realEnv,
} from "@rmr/io"

const lines: string[] = []
const env = realEnv({ log: jsonLog({ write: (line) => lines.push(line) }) })
const memory = buddyMemory({ arenas: pageArenas([64 * 1024]), leaseCountMax: 4 })
const shape: FrameShape = {
  headBytes: 24,
  magic: 0x4242,
  kindAt: 2,
  roomKind: 9,
  idAt: 4,
  textBytesAt: 8,
  payloadBytesAt: 12,
  payloadSumAt: 16,
  headSumAt: 20,
}
const limits = {
  textBytesMax: 16,
  payloadBytesMax: 0,
  isPayloadSummed: false,
  rooms: undefined,
  queuedFramesMax: 4,
}

let arrived: (count: number) => void = () => undefined
const frame = new Promise<number>((resolve) => {
  arrived = resolve
})
const turns = {
  onFrames: ({ count }: FrameBatch) => arrived(count),
  onTurnEnd: () => undefined,
}
const engine = plainSocketEngine({ env, memory, shape, turns })
const events = { onConnected: () => undefined, onEnded: () => undefined }
const listener = await engine.listen({ host: "127.0.0.1", port: 0 }, limits, () => events)
const head = new DataView(new ArrayBuffer(shape.headBytes))
head.setUint16(0, shape.magic, true)
const connection = engine.connect(listener.address, limits, {
  onConnected: () => connection.send(head, 0, shape.headBytes, NO_LEASE, 0, 0),
  onEnded: (cause) => env.log.write("error", "connection.ended", { why: cause.message }),
})
env.log.write("info", "frames.arrived", { count: await frame })
await engine.close()

if (lines.length !== 1 || !lines[0]?.includes('"count":1')) throw new Error(lines.join())

const { isLoaded, checksum } = nativeStatus()
if (isLoaded === (checksum === "javascript")) throw new Error(nativeStatus().reason)
const sum = fastChecksum()(memory.arenas[0]!.view, 0, 4096)
if (sum !== crc32c(memory.arenas[0]!.view, 0, 4096)) throw new Error(`a wrong sum: ${sum}`)
