/**
 * Uses @rmr/brmr-client alone: an export without bytes behind it, found by a client that lists.
 */
import net from "node:net"
import { nbdServer } from "@rmr/brmr-client"
import type { Volume, VolumeOpen } from "@rmr/core"
import { BLOCK_STRIDE, buddyMemory, statusOf } from "@rmr/core"
import { pageArenas, plainStreamEngine, realEnv } from "@rmr/io"

const env = realEnv()
const memory = buddyMemory({ arenas: pageArenas([1024 * 1024]), leaseCountMax: 64 })

/** A volume that fails everything. */
function broken({ events, inFlightMax }: VolumeOpen): Volume {
  const fail = (token: number): void => {
    const words = new Int32Array(BLOCK_STRIDE)
    words.set([token, statusOf("io-error")])
    env.clock.endOfTurn(() => events.onCompletions({ count: 1, words }))
  }
  return {
    name: "broken",
    sizeBytes: 2 ** 20,
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

const server = nbdServer({ env, memory, engine: plainStreamEngine })
server.addExport("broken", { name: "broken", open: broken })
const listener = await server.listen({ host: "127.0.0.1", port: 0 })
if (!("port" in listener.address)) throw new Error("not at a port")

/** Client flags, then LIST without data. */
const asked = Buffer.concat([Buffer.from([0, 0, 0, 3]), Buffer.from("IHAVEOPT"), Buffer.alloc(8)])
asked[15] = 3
const socket = net.connect(listener.address, () => socket.write(asked))
const heard: Buffer[] = []
await new Promise<void>((resolve) => {
  socket.on("data", (bytes: Buffer) => {
    heard.push(bytes)
    if (Buffer.concat(heard).includes("broken")) resolve()
  })
})
socket.destroy()
await server.close()
