/** A store is made whole, or it is not there: who is killed meanwhile leaves nothing half done. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { inspectStore } from "@rmr/brmr-store"
import { buddyMemory } from "@rmr/core"
import { createFile, fileSource, pageArenas, realEnv } from "@rmr/io"
import { makeStoreFile } from "./store-file.js"

const SIZE_BYTES = 1024 * 1024
const CHUNK_BYTES = 128 * 1024

let folder: string
let path: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rmr-store-file-"))
  path = join(folder, "store")
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

function made(): Promise<void> {
  return makeStoreFile(realEnv(), path, { sizeBytes: SIZE_BYTES, chunkSizeBytes: CHUNK_BYTES })
}

async function sizeOfStore(): Promise<number> {
  const memory = buddyMemory({ arenas: pageArenas([1024 * 1024]), leaseCountMax: 16 })
  const report = await inspectStore({ env: realEnv(), memory, source: fileSource(path) })
  return report.superblock?.sizeBytes ?? 0
}

it("has no name before it is whole", async () => {
  let isMade = false
  const making = made().then(() => {
    isMade = true
  })
  while (!isMade) {
    expect(existsSync(path)).toBe(false)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await making
  expect([await sizeOfStore(), readdirSync(folder)]).toEqual([SIZE_BYTES, ["store"]])
})

it("is made where somebody was killed while he made it", async () => {
  writeFileSync(`${path}.making`, Buffer.alloc(4096))
  await made()
  expect([await sizeOfStore(), readdirSync(folder)]).toEqual([SIZE_BYTES, ["store"]])
})

it("is refused where a file has come there meanwhile, which stays", async () => {
  const making = made()
  writeFileSync(path, "somebody's")
  await expect(making).rejects.toThrow(`exists: ${path} has come into being meanwhile`)
  expect([readFileSync(path, "utf8"), readdirSync(folder)]).toEqual(["somebody's", ["store"]])
})

it("is left to who makes it at this moment", async () => {
  const making = `${path}.making`
  await createFile(making, 4096)
  const memory = buddyMemory({ arenas: pageArenas([1024 * 1024]), leaseCountMax: 16 })
  const events = { onCompletions: () => undefined }
  const other = await fileSource(making).open({ env: realEnv(), memory, events })
  await expect(made()).rejects.toThrow(`busy: ${making} is open in another program`)
  expect(readdirSync(folder)).toEqual(["store.making"])
  await other.close()
})
