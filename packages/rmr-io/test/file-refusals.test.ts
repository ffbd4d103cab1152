/**
 * P8: what cannot be a block file is refused with a code and a sentence that names the path.
 */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type BlockFile, buddyMemory, leaseBytes } from "@rmr/core"
import { createFile, fileSource, pageArenas, realEnv } from "../src/index.js"

const env = realEnv()
const memory = buddyMemory({ arenas: pageArenas([1024 * 1024]), leaseCountMax: 64 })
const MIB = 1024 * 1024
let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "rmr-refusals-"))
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

const nobody = { onCompletions: (): void => undefined }

const open = (path: string): Promise<BlockFile> =>
  fileSource(path).open({ env, memory, events: nobody })

describe("opening", () => {
  it("P8: a path without a file says to create one", async () => {
    const path = join(folder, "nothing")
    await expect(open(path)).rejects.toThrow(`not-found: ${path} does not exist; create it first`)
  })

  it("P8: a folder is no block file, and neither is a device that is no block device", async () => {
    await expect(open(folder)).rejects.toThrow("is a folder; name a file or a block device")
    await expect(open("/dev/null")).rejects.toMatchObject({ code: "invalid-argument" })
  })

  it("P8: a file of less than a block is too small", async () => {
    const path = join(folder, "small")
    writeFileSync(path, "x".repeat(511))
    await expect(open(path)).rejects.toMatchObject({ code: "too-small" })
  })

  it("P8: a part of the path that is no folder is said", async () => {
    writeFileSync(join(folder, "file"), "")
    await expect(open(join(folder, "file", "x"))).rejects.toMatchObject({ code: "not-found" })
  })

  it("B9: another name of an open file is refused, and that leaves nothing open", async () => {
    const path = join(folder, "one")
    const other = join(folder, "other")
    await createFile(path, MIB)
    symlinkSync(path, other)
    const file = await open(path)
    for (let time = 0; time < 3; time++) {
      await expect(open(other)).rejects.toMatchObject({ code: "busy" })
    }
    await file.close()
    await (await open(other)).close()
    expect(memory.stats().leaseCount).toBe(0)
  })
})

describe("createFile", () => {
  it("P8: what exists already is not touched", async () => {
    const path = join(folder, "precious")
    writeFileSync(path, "precious")
    await expect(createFile(path, MIB)).rejects.toMatchObject({ code: "exists" })
    await expect(createFile(join(folder, "no", "folder"), MIB)).rejects.toMatchObject({
      code: "not-found",
    })
    mkdirSync(join(folder, "taken"))
    await expect(createFile(join(folder, "taken"), MIB)).rejects.toMatchObject({ code: "exists" })
  })
})

describe("a file that changes under us", () => {
  it("P8: bytes that were cut off fail with io-error, and the rest is still read", async () => {
    const path = join(folder, "cut")
    await createFile(path, MIB)
    const statuses: number[] = []
    const told: (() => void)[] = []
    const events = {
      onCompletions: ({ count, words }: { count: number; words: Int32Array }): void => {
        for (let nth = 0; nth < count; nth++) statuses.push(words[nth * 4 + 1]!)
        for (const tell of told.splice(0)) tell()
      },
    }
    const source = fileSource(path, { direct: "off" })
    const file = await source.open({ env, memory, events })
    truncateSync(path, MIB / 2)
    const lease = memory.lease(4096)
    for (const offset of [0, MIB - 4096]) {
      const isTold = new Promise<void>((resolve) => told.push(resolve))
      file.read(0, offset, lease, 0, 4096)
      await isTold
    }
    expect(statuses).toEqual([0, 21])
    expect(leaseBytes(memory, lease, 0, 4096).every((byte) => byte === 0)).toBe(true)
    memory.release(lease)
    await file.close()
  })
})
