/**
 * Uses what @rmr/io has natively, or its twins: a block is written to the file `block` and flushed,
 * and summed. It says with what, in one line of JSON on stderr.
 */
import { type BlockBatch, buddyMemory } from "@rmr/core"
import {
  createFile,
  fastChecksum,
  fileSource,
  jsonLog,
  nativeStatus,
  pageArenas,
  realEnv,
} from "@rmr/io"

const BYTES = 4096
const env = realEnv({ log: jsonLog() })
const memory = buddyMemory({ arenas: pageArenas([64 * 1024]), leaseCountMax: 4 })
const arena = memory.arenas[0]!

const ended: number[] = []
let notify: () => void = () => undefined
const events = {
  onCompletions: ({ count, words }: BlockBatch) => {
    for (let at = 0; at < count; at++) ended.push(words[at * 4 + 1]!)
    notify()
  },
}
const next = (): Promise<void> =>
  new Promise((resolve) => {
    notify = resolve
  })

await createFile("block", BYTES)
const file = await fileSource("block").open({ env, memory, events })
const lease = memory.lease(BYTES)
arena.bytes.fill(7)
const written = next()
file.write(1, 0, lease, 0, BYTES, 0)
await written
const flushed = next()
file.flush(2)
await flushed
const { unmap } = file.supports
await file.close()
memory.release(lease)

const sum = fastChecksum()(arena.view, 0, BYTES)
env.log.write("info", "native.used", { ...nativeStatus(), unmap, ended: ended.join(), sum })
