/** Uses @rmr/brmr-store: a store in a file is made, filled, closed, and found again. */
import { createStore, fileStore, inspectStore, storeBytes } from "@rmr/brmr-store"
import { BLOCK_STRIDE, buddyMemory } from "@rmr/core"
import { createFile, fileSource, pageArenas, realEnv } from "@rmr/io"

const env = realEnv()
const memory = buddyMemory({ arenas: pageArenas([4 * 1024 * 1024]), leaseCountMax: 64 })
const shape = { sizeBytes: 2 ** 20 }
const path = "store.img"
await createFile(path, storeBytes(shape))
const source = fileSource(path)
await createStore({ env, memory, source, isKnownZero: true, ...shape })

let done: ((status: number) => void) | undefined
const events = {
  onCompletions({ words, count }: { words: Int32Array; count: number }) {
    for (let row = 0; row < count; row++) done?.(words[row * BLOCK_STRIDE + 1] ?? -1)
  },
}
const first = await fileStore({ source }).open({ env, memory, events })
const cells = [{ kind: "state", index: 0, bytes: Uint8Array.of(4, 2) } as const]
const status = await new Promise<number>((resolve) => {
  done = resolve
  first.commit(1, cells)
})
await first.close()
const second = await fileStore({ source }).open({ env, memory, events })
const found = await second.readCell("state", 0)
const { restart } = second
await second.close()
const { superblock, problems } = await inspectStore({ env, memory, source })
const isSound = superblock?.isClean === true && problems.length === 0
if (status !== 0 || found?.[1] !== 2 || restart !== "none" || !isSound) {
  throw new Error(`status ${status}, cell ${String(found)}, restart ${restart}`)
}
