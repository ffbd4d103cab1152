/**
 * A thread for linger.test.ts: sends back every byte it hears, over native sockets, and says its
 * port first.
 */
import { parentPort } from "node:worker_threads"
import { buddyMemory } from "@rmr/core"
import { fastStreamEngine, pageArenas, realEnv } from "../src/index.js"

const SHAPE = { headBytes: 16, magic: 0x5151_5151, kindAt: 4, payloadKind: 7, payloadBytesAt: 8 }

async function serve(): Promise<void> {
  const memory = buddyMemory({ arenas: pageArenas([1024 * 1024]), leaseCountMax: 64 })
  const turns = { onFrames: () => undefined, onTurnEnd: () => undefined }
  const engine = fastStreamEngine({ env: realEnv(), memory, shape: SHAPE, turns })
  const { address } = await engine.listen({ host: "127.0.0.1", port: 0 }, (connection) => ({
    onTalk: (bytes) => {
      connection.say(bytes.slice())
      return bytes.length
    },
    onEnded: () => undefined,
  }))
  if (!("port" in address)) throw new Error("it listens at a port")
  parentPort?.postMessage(address.port)
}

void serve()
