/**
 * A crowd of threads that load the addon at the same moment, work with it, and end in one order or
 * another, each in its own way. The thread that starts them has not loaded it: with the last one
 * the library itself is gone, and the next crowd loads it anew.
 */
import { once } from "node:events"
import { parentPort, Worker } from "node:worker_threads"
import { assert, crc32c } from "@rmr/core"
import { fastChecksum, pageArenas } from "../../src/index.js"
import { addonOrThrow, bytesOf } from "./addon.js"
import { Ends } from "./ends.js"
import { Load } from "./files.js"

const MEMBERS = 6
const BYTES = 64 * 1024
/** Words of the barrier. */
const ARRIVED = 0
const TURN = 1
const WAYS = ["return", "exit", "terminate"] as const
/** Which member ends first, and so on. */
const ORDERS = [
  [0, 1, 2, 3, 4, 5],
  [5, 4, 3, 2, 1, 0],
  [3, 0, 5, 2, 4, 1],
]

export interface Member {
  readonly barrier: SharedArrayBuffer
  readonly nth: number
  readonly folder: string
}

/** What all of them said. */
export async function crowding(program: string, folder: string): Promise<string> {
  let doneCount = 0
  for (const order of ORDERS) {
    const barrier = new SharedArrayBuffer(8)
    const words = new Int32Array(barrier)
    const workers = order.map((_, nth) => {
      const workerData: Member = { barrier, nth, folder }
      return new Worker(program, { workerData })
    })
    const exits = workers.map((worker) => once(worker, "exit"))
    await Promise.all(workers.map((worker) => once(worker, "message")))
    doneCount += workers.length
    for (const nth of order) {
      const way = wayOf(nth)
      if (way === "terminate") await workers[nth]!.terminate()
      else {
        Atomics.store(words, TURN, nth + 1)
        Atomics.notify(words, TURN)
      }
      const [code] = (await exits[nth]) as [number]
      assert(code === (way === "return" ? 0 : 1), `it ended by ${way}`)
    }
  }
  return `${doneCount} have worked`
}

/** A member's life: loads with the others, works, says so, and ends when it is its turn. */
export async function member({ barrier, nth, folder }: Member): Promise<void> {
  const words = new Int32Array(barrier)
  Atomics.add(words, ARRIVED, 1)
  while (Atomics.load(words, ARRIVED) < MEMBERS);
  addonOrThrow()
  const [arena] = pageArenas([BYTES])
  arena!.set(bytesOf(BYTES, nth))
  const view = new DataView(arena!.buffer)
  assert(fastChecksum()(view, 0, BYTES) === crc32c(view, 0, BYTES), "a right sum")
  const ends = new Ends()
  const [end] = await ends.open(1)
  const load = new Load()
  await load.open(folder, `member-${nth}`)
  load.startMoves()
  await ends.exchange(end!, bytesOf(1000, nth))
  await load.allEnded()
  parentPort?.postMessage("done")
  for (let turn = 0; turn !== nth + 1; turn = Atomics.load(words, TURN)) {
    Atomics.wait(words, TURN, turn)
  }
  if (wayOf(nth) === "exit") process.exit(1)
  await ends.close()
  await load.close()
}

function wayOf(nth: number): (typeof WAYS)[number] {
  return WAYS[nth % WAYS.length]!
}
