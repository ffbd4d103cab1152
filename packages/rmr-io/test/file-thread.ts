/**
 * A program for file-ring.test.ts: threads that end while moves of theirs are under way, and a
 * process that does. `file-thread.ts PATH` says at last how many writes of its own went well, and
 * leaves in the middle of others.
 */
import { once } from "node:events"
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads"
import { BLOCK_STATUS, BLOCK_STRIDE, type BlockFile, buddyMemory, type Lease } from "@rmr/core"
import { fileSource, pageArenas, realEnv } from "../src/index.js"

const THREADS = 3
const WRITES = 64
const WRITE_BYTES = 64 * 1024
/** A thread does not inherit how its maker loads TypeScript. */
const LOADER = `import("tsx/esm/api").then(({ register }) => {
  register()
  return import(${JSON.stringify(import.meta.url)})
})`

interface Load {
  readonly file: BlockFile
  /** How many of the first writes went well, once all of them have ended. */
  readonly wentWell: Promise<number>
  writeAll(): void
}

async function open(path: string): Promise<Load> {
  const arenas = pageArenas([2 ** 23])
  const memory = buddyMemory({ arenas, leaseCountMax: WRITES })
  let [goodCount, endedCount] = [0, 0]
  let tell: (count: number) => void = () => undefined
  const wentWell = new Promise<number>((resolve) => {
    tell = resolve
  })
  const onCompletions = ({ count, words }: { count: number; words: Int32Array }): void => {
    for (let nth = 0; nth < count; nth++) {
      if (words[nth * BLOCK_STRIDE + BLOCK_STATUS] === 0) goodCount++
      if (++endedCount === WRITES) tell(goodCount)
    }
  }
  const env = realEnv()
  const file = await fileSource(path).open({ env, memory, events: { onCompletions } })
  const leases: Lease[] = []
  for (let nth = 0; nth < WRITES; nth++) leases.push(memory.lease(WRITE_BYTES))
  const writeAll = (): void => {
    for (const [nth, lease] of leases.entries()) {
      file.write(nth, nth * WRITE_BYTES, lease, 0, WRITE_BYTES, 0)
    }
  }
  return { file, wentWell, writeAll }
}

async function endThread(path: string): Promise<void> {
  const worker = new Worker(LOADER, { eval: true, workerData: path })
  await once(worker, "message")
  await worker.terminate()
}

if (isMainThread) {
  const path = process.argv[2]!
  for (let nth = 0; nth < THREADS; nth++) await endThread(path)
  const { wentWell, writeAll } = await open(path)
  writeAll()
  process.stdout.write(JSON.stringify({ wentWell: await wentWell }))
  writeAll()
  setImmediate(() => process.exit(0))
} else {
  const { file, writeAll } = await open(workerData as string)
  writeAll()
  file.submit()
  parentPort?.postMessage("under way")
}
