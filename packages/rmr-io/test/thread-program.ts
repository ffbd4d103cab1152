/**
 * A program for native-sockets.test.ts: threads that end while their sockets are open, again and
 * again, and one socket afterwards. Says how many bytes came through that one.
 */
import { once } from "node:events"
import net from "node:net"
import { isMainThread, parentPort, Worker } from "node:worker_threads"
import { buddyMemory } from "@rmr/core"
import { fastStreamEngine, pageArenas, realEnv, type StreamEngine } from "../src/index.js"

const SHAPE = { headBytes: 16, magic: 0x5151_5151, kindAt: 4, payloadKind: 7, payloadBytesAt: 8 }
const ANSWER_BYTES = 3_000_000
const THREADS = 3
/** A thread does not inherit how its maker loads TypeScript. */
const LOADER = `import("tsx/esm/api").then(({ register }) => {
  register()
  return import(${JSON.stringify(import.meta.url)})
})`

/** Answers whatever it hears with more than the kernel takes at once. */
async function serve(): Promise<{ engine: StreamEngine; port: number }> {
  const memory = buddyMemory({ arenas: pageArenas([1024 * 1024]), leaseCountMax: 64 })
  const turns = { onFrames: () => undefined, onTurnEnd: () => undefined }
  const engine = fastStreamEngine({ env: realEnv(), memory, shape: SHAPE, turns })
  const { address } = await engine.listen({ host: "127.0.0.1", port: 0 }, (connection) => ({
    onTalk: (bytes) => {
      connection.say(new Uint8Array(ANSWER_BYTES))
      return bytes.length
    },
    onEnded: () => undefined,
  }))
  if (!("port" in address)) throw new Error("it listens at a port")
  return { engine, port: address.port }
}

async function endThread(): Promise<void> {
  const worker = new Worker(LOADER, { eval: true })
  const [port] = (await once(worker, "message")) as [number]
  const socket = net.connect(port, "127.0.0.1")
  socket.on("error", () => undefined)
  socket.write("hello")
  await once(socket, "data")
  socket.pause()
  await worker.terminate()
  socket.destroy()
}

if (isMainThread) {
  for (let nth = 0; nth < THREADS; nth++) await endThread()
  const { engine, port } = await serve()
  const socket = net.connect(port, "127.0.0.1")
  socket.write("hello")
  let heardBytes = 0
  for await (const piece of socket) {
    heardBytes += (piece as Buffer).length
    if (heardBytes >= ANSWER_BYTES) break
  }
  await engine.close()
  process.stdout.write(JSON.stringify({ heardBytes }))
} else {
  const { port } = await serve()
  parentPort?.postMessage(port)
}
