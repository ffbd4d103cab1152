/**
 * Forced writes that are under way together. The kernel tells an error of writing back once to each
 * open file, so through its cache no two of them may share one, with each other or with a flush.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { join } from "node:path"
import { BLOCK_FUA, type BlockFile, buddyMemory, type Lease, STATUS_OK, statusOf } from "@rmr/core"
import { type FileCalls, NODE_CALLS } from "../src/files/file-calls.js"
import { createFile, fileSource, pageArenas, realEnv } from "../src/index.js"

const BLOCK = 4096
const BLOCKS = 32

let folder = ""

beforeEach(() => {
  // On the disk of the project: what lies in memory takes no direct IO.
  folder = mkdtempSync(join(process.cwd(), "rmr-forced-"))
})

afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

/** Calls that note what every open file has in flight, and fail writes at some places. */
function watching(badBlocks: ReadonlySet<number>) {
  const inFlight = new Map<number, number>()
  const seen = { together: 0, files: new Set<number>(), all: 0, allMost: 0 }
  const enter = (fd: number): void => {
    inFlight.set(fd, (inFlight.get(fd) ?? 0) + 1)
    seen.files.add(fd)
    seen.together = Math.max(seen.together, inFlight.get(fd)!)
    seen.allMost = Math.max(seen.allMost, ++seen.all)
  }
  const leave = (fd: number): void => {
    inFlight.set(fd, inFlight.get(fd)! - 1)
    seen.all--
  }
  const calls: FileCalls = {
    ...NODE_CALLS,
    writeForced: (fd, from, at, bytes, offset, end) => {
      enter(fd)
      NODE_CALLS.writeForced(fd, from, at, bytes, offset, (error, count) => {
        leave(fd)
        const isBad = badBlocks.has(offset / BLOCK)
        end(isBad ? { code: "EROFS", message: "it is bad" } : error, count)
      })
    },
    flush: (fd, end) => {
      enter(fd)
      NODE_CALLS.flush(fd, (error, count) => {
        leave(fd)
        end(error, count)
      })
    },
  }
  return { calls, seen }
}

/** A forced write of every block of the file, and a flush, all at once: status by token. */
async function forceAll(direct: "on" | "off", badBlocks: ReadonlySet<number> = new Set()) {
  const path = join(folder, "file")
  await createFile(path, BLOCKS * BLOCK)
  const { calls, seen } = watching(badBlocks)
  const memory = buddyMemory({ arenas: pageArenas([1024 * 1024]), leaseCountMax: 64 })
  const ended = new Map<number, number>()
  let done: () => void = () => undefined
  const isDone = new Promise<void>((resolve) => {
    done = resolve
  })
  const file: BlockFile = await fileSource(path, { direct, calls }).open({
    env: realEnv(),
    memory,
    events: {
      onCompletions: ({ words, count }) => {
        for (let row = 0; row < count; row++) ended.set(words[row * 4]!, words[row * 4 + 1]!)
        if (ended.size === BLOCKS + 1) done()
      },
    },
  })
  const lease: Lease = memory.lease(BLOCK)
  for (let block = 0; block < BLOCKS; block++) {
    file.write(block, block * BLOCK, lease, 0, BLOCK, BLOCK_FUA)
  }
  file.flush(BLOCKS)
  memory.release(lease)
  await isDone
  await file.close()
  expect(memory.stats().leaseCount).toBe(0)
  return { ended, seen }
}

describe("forced writes that are under way together", () => {
  it("B5: RT-63: through the cache none shares an open file with another, or a flush", async () => {
    const { ended, seen } = await forceAll("off")
    expect([...ended.values()].every((status) => status === STATUS_OK)).toBe(true)
    expect(seen.together).toBe(1)
    expect(seen.allMost).toBeGreaterThan(2)
    expect(seen.files.size).toBe(9)
  })

  it("B5: past the cache one open file has all of them", async () => {
    const { ended, seen } = await forceAll("on")
    expect([...ended.values()].every((status) => status === STATUS_OK)).toBe(true)
    expect(seen.together).toBe(BLOCKS)
    expect(seen.files.size).toBe(2)
  })

  it("B11: those that wait get their turn where others fail", async () => {
    const bad = new Set([0, 3, 7, 8, 20])
    const { ended, seen } = await forceAll("off", bad)
    const failed = [...ended].filter(([, status]) => status !== STATUS_OK)
    expect(new Map(failed)).toEqual(new Map([...bad].map((block) => [block, statusOf("io-error")])))
    expect(seen.together).toBe(1)
  })
})
