/**
 * Makes the golden images of this version's format: `npx tsx --tsconfig tsconfig.run.json
 * packages/brmr-store/test/golden/make-golden.ts <format>`. Images of earlier formats are kept as
 * they are; nobody can make them any more.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import type { Store } from "@rmr/core"
import { buddyMemory, leaseBytes, STATUS_OK } from "@rmr/core"
import { simDisk } from "@rmr/testkit"
import { nodeWorld } from "@rmr/testkit/node"
import { createStore, fileStore, storeBytes } from "../../src/index.js"
import {
  GOLDEN_CELLS,
  GOLDEN_DATA,
  GOLDEN_REMOVED,
  GOLDEN_REPLACED,
  GOLDEN_SHAPE,
} from "./golden-store.js"

const format = process.argv[2]
if (format === undefined) throw new Error("say which format this version writes")
for (const end of ["clean", "crashed"] as const) {
  const bytes = await image(end)
  writeFileSync(join(import.meta.dirname, `format-${format}-${end}.gz`), gzipSync(bytes))
}

async function image(end: "clean" | "crashed"): Promise<Uint8Array> {
  const world = nodeWorld({ seed: 4 })
  const sizeBytes = storeBytes(GOLDEN_SHAPE)
  const disk = simDisk(world, { name: "golden", sizeBytes, inFlightMax: 128 })
  const memory = buddyMemory({ arenas: [4 * 1024 * 1024], leaseCountMax: 64 })
  const { env } = world
  const source = disk.source()
  await world.settled(createStore({ env, memory, source, ...GOLDEN_SHAPE }), "create", 1e9)
  const ends = new Map<number, (status: number) => void>()
  const onCompletions = ({ words, count }: { words: Int32Array; count: number }): void => {
    for (let row = 0; row < count; row++) ends.get(words[row * 4]!)?.(words[row * 4 + 1]!)
  }
  const opening = fileStore({ source }).open({ env, memory, events: { onCompletions } })
  const store = await world.settled(opening, "open", 1e9)
  let tokens = 0
  const ask = async (submit: (store: Store, token: number) => void): Promise<void> => {
    const token = ++tokens
    const ended = new Promise<number>((resolve) => ends.set(token, resolve))
    submit(store, token)
    store.submit()
    if ((await world.settled(ended, "an answer", 1e9)) !== STATUS_OK) throw new Error("it failed")
  }
  await ask((to, token) => to.commit(token, [...GOLDEN_REPLACED, ...GOLDEN_REMOVED]))
  await ask((to, token) => to.heat(token, [1, 3, 5]))
  for (const { offset, byte } of GOLDEN_DATA) {
    const lease = memory.lease(4096)
    leaseBytes(memory, lease, 0, 4096).fill(byte)
    await ask((to, token) => to.write(token, offset, lease, 0, 4096, 0))
    memory.release(lease)
  }
  await ask((to, token) => to.flush(token))
  store.cool([3])
  const removed = GOLDEN_REMOVED.map(({ kind, index }) => ({ kind, index, bytes: undefined }))
  await ask((to, token) => to.commit(token, [...GOLDEN_CELLS, ...removed]))
  if (end === "clean") await world.settled(store.close(), "close", 1e9)
  else disk.kill()
  return disk.peek(0, sizeBytes)
}
