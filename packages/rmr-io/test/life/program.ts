/**
 * The program of life.test.ts: lives of a process and of its threads with the addon, each to a
 * stage (stages.ts) and then to its end. `program WAY FOLDER [STAGE]`.
 *
 * It says how far it came, at once, and leaves with 0 unless its way is another. It uses the addon
 * beside every thread that it ends, and looks whether that took anything of its own with it.
 */
import { writeSync } from "node:fs"
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads"
import { assert } from "@rmr/core"
import { bytesOf } from "./addon.js"
import { collecting } from "./collecting.js"
import { Ends } from "./ends.js"
import { Load } from "./files.js"
import { forking } from "./forking.js"
import { STAGES, type There } from "./stages.js"
import { crowding, member } from "./threads.js"
import { throwing } from "./throwing.js"

/** What a process or thread leaves with that ends itself. */
const EXIT_CODE = 7

interface Life {
  readonly way: string
  readonly folder: string
  readonly stage: string
}

/** How a thread ends when it is there. */
const ENDS_OF_THREADS: Readonly<Record<string, There>> = {
  leave: () => process.exit(EXIT_CODE),
  fail: () => {
    throw new Error("on purpose")
  },
  terminate: () => {
    parentPort?.postMessage("there")
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  },
  close: (close) => void close(),
}

const WAYS: Readonly<Record<string, (life: Life) => Promise<void>>> = {
  exit: ({ stage, folder }) =>
    stageOf(stage)(() => {
      say("there")
      process.exit(EXIT_CODE)
    }, folder),
  close: ({ stage, folder }) =>
    stageOf(stage)((close) => {
      say("there")
      void close().then(() => say("closed"))
    }, folder),
  threads: endThreads,
  collecting: ({ folder }) => collecting(folder).then(say),
  throwing: () => throwing().then(say),
  crowding: ({ folder }) => crowding(import.meta.filename, folder).then(say),
  forking: ({ folder }) => forking(import.meta.filename, folder).then(say),
}

if (isMainThread) {
  const [way = "", folder = "", stage = ""] = process.argv.slice(2)
  await WAYS[way]?.({ way, folder, stage })
} else if ("barrier" in workerData) await member(workerData)
else {
  const { way, folder, stage } = workerData as Life
  await stageOf(stage)(ENDS_OF_THREADS[way]!, folder)
}

function stageOf(name: string): (typeof STAGES)[string] {
  const stage = STAGES[name]
  assert(stage !== undefined, `there is a stage "${name}"`)
  return stage
}

/** At once: whoever leaves in the next call has said it. */
function say(line: string): void {
  writeSync(1, `${line}\n`)
}

/** One thread for each way to end, beside sockets and a file of this thread's. */
async function endThreads({ folder, stage }: Life): Promise<void> {
  const ends = new Ends()
  const [own] = await ends.open(1)
  const load = new Load()
  await load.open(folder, "own")
  for (const way of Object.keys(ENDS_OF_THREADS)) {
    load.startMoves()
    say(`${way} ${await endThread({ way, folder, stage })}`)
    await load.allEnded()
    await ends.exchange(own!, bytesOf(1000, way.length))
  }
  await ends.close()
  await load.close()
  say("unharmed")
}

/** The code it ended with. */
function endThread(life: Life): Promise<number> {
  const worker = new Worker(import.meta.filename, { workerData: life })
  worker.on("message", () => void worker.terminate())
  worker.on("error", (error) => assert(error.message === "on purpose", error.message))
  return new Promise((resolve) => worker.once("exit", resolve))
}
