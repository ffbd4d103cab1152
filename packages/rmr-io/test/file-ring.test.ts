/**
 * The ring for files where the suite of the port does not reach: errors of single moves, more moves
 * than it has room for, memory that it does not know, threads and processes that end meanwhile.
 */
import { spawnSync } from "node:child_process"
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import {
  BLOCK_STATUS,
  BLOCK_STRIDE,
  BLOCK_TOKEN,
  type BlockFile,
  buddyMemory,
  type Lease,
  type Memory,
} from "@rmr/core"
import { NODE_CALLS } from "../src/files/file-calls.js"
import { fileRing } from "../src/files/file-ring.js"
import { nativeCalls } from "../src/files/native-calls.js"
import { createFile, fileSource, pageArenas, realEnv } from "../src/index.js"
import { MOVE_READ, MOVE_WRITE, MOVES_MAX } from "../src/native-addon.js"
import { addon, native } from "./native.js"

jest.setTimeout(60_000)

const PAGE = 4096
let folder = ""

beforeAll(() => {
  folder = mkdtempSync(join(process.cwd(), "rmr-ring-"))
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

const ring = addon === undefined ? undefined : fileRing(addon)

/** A kernel may have no ring, or forbid it. */
function withRing(title: string, run: () => Promise<void>): void {
  if (addon === undefined || ring !== undefined) native(title, run)
  else it.skip(`${title} (skipped: the kernel has no io_uring for this process)`, run)
}

/** How a move ends: a code, or how many bytes. */
function moved(
  kind: number,
  fd: number,
  memory: Uint8Array,
  bytes: number,
): Promise<string | number> {
  return new Promise((resolve) => {
    const isTaken = ring?.add(kind, fd, memory, 0, bytes, 0, (error, count) =>
      resolve(error === null ? count : (error.code ?? error.message)),
    )
    if (isTaken !== true) resolve("no room")
  })
}

interface Opened {
  readonly file: BlockFile
  readonly memory: Memory
  /** Statuses by token, once so many have ended. */
  ended(count: number): Promise<ReadonlyMap<number, number>>
}

async function open(name: string, bytes: number, memory: Memory, more = {}): Promise<Opened> {
  const path = join(folder, name)
  await createFile(path, bytes)
  const statuses = new Map<number, number>()
  let look: () => void = () => undefined
  const onCompletions = ({ count, words }: { count: number; words: Int32Array }): void => {
    for (let at = 0; at < count * BLOCK_STRIDE; at += BLOCK_STRIDE) {
      statuses.set(words[at + BLOCK_TOKEN]!, words[at + BLOCK_STATUS]!)
    }
    look()
  }
  const file = await fileSource(path, more).open({
    ...{ env: realEnv(), memory, events: { onCompletions } },
  })
  const ended = (count: number): Promise<ReadonlyMap<number, number>> =>
    new Promise((resolve) => {
      look = () => {
        if (statuses.size >= count) resolve(statuses)
      }
      look()
    })
  return { file, memory, ended }
}

withRing("each of the moves of a turn is told its own error or its own bytes", async () => {
  const path = join(folder, "errors")
  writeFileSync(path, "twelve bytes")
  const reading = openSync(path, "r")
  const [memory] = pageArenas([PAGE])
  const short = moved(MOVE_READ, reading, memory!, PAGE)
  const refused = moved(MOVE_WRITE, reading, memory!, 512)
  const nowhere = moved(MOVE_READ, 1_000_000, memory!, 512)
  expect(await Promise.all([short, refused, nowhere])).toEqual([12, "EBADF", "EBADF"])
  expect(Buffer.from(memory!.subarray(0, 12)).toString()).toBe("twelve bytes")
  closeSync(reading)
})

native(
  "memory without a slot goes to Node's threads, with all that was asked with it",
  async () => {
    const path = join(folder, "threads")
    writeFileSync(path, "some bytes")
    const reading = openSync(path, "r")
    const [known] = pageArenas([PAGE])
    const unknown = new Uint8Array(PAGE)
    const ends = [moved(MOVE_READ, reading, unknown, PAGE), moved(MOVE_READ, reading, known!, PAGE)]
    expect(await Promise.all(ends)).toEqual([10, 10])
    expect(Buffer.from(unknown.subarray(0, 10)).toString()).toBe("some bytes")
    closeSync(reading)
  },
)

withRing("more at once than the ring has room for end well all the same", async () => {
  const count = MOVES_MAX + 200
  const memory = buddyMemory({ arenas: pageArenas([2 ** 23]), leaseCountMax: count })
  const opened = await open("many", count * PAGE, memory, { inFlightMax: count })
  const { file, ended } = opened
  const leases: Lease[] = []
  for (let nth = 0; nth < count; nth++) {
    const lease = memory.lease(PAGE)
    memory
      .arenaOf(lease)
      .bytes.fill(nth % 251, memory.offsetOf(lease), memory.offsetOf(lease) + PAGE)
    leases.push(lease)
    file.write(nth, nth * PAGE, lease, 0, PAGE, 0)
  }
  const statuses = await ended(count)
  expect([...statuses.values()].filter((status) => status !== 0)).toEqual([])
  for (const lease of leases) memory.release(lease)
  await file.close()
  const bytes = readFileSync(join(folder, "many"))
  for (let nth = 0; nth < count; nth++) expect(bytes[nth * PAGE + 7]).toBe(nth % 251)
  expect(memory.stats().leaseCount).toBe(0)
})

native("a forced write is a call of its own, which returns when it is durable", async () => {
  // What a ring may be told too early: power-cut.test.ts of the e2e tests fails then.
  expect(nativeCalls(addon!, 8).writeForced).toBe(NODE_CALLS.writeForced)
})

withRing("files of one thread share the ring, and each is told of its own", async () => {
  const opened = await Promise.all(
    ["one", "two", "three"].map((name) => {
      const memory = buddyMemory({ arenas: pageArenas([2 ** 20]), leaseCountMax: 8 })
      return open(name, 16 * PAGE, memory)
    }),
  )
  for (const [nth, { file, memory }] of opened.entries()) {
    const lease = memory.lease(PAGE)
    memory.arenaOf(lease).bytes.fill(nth + 1, memory.offsetOf(lease), memory.offsetOf(lease) + PAGE)
    file.write(nth, nth * PAGE, lease, 0, PAGE, 0)
    file.flush(nth + 10)
    memory.release(lease)
  }
  for (const [nth, { file, ended }] of opened.entries()) {
    expect([...(await ended(2))].sort(([a], [b]) => a - b)).toEqual([
      [nth, 0],
      [nth + 10, 0],
    ])
    await file.close()
  }
  for (const [nth, name] of ["one", "two", "three"].entries()) {
    expect(readFileSync(join(folder, name))[nth * PAGE]).toBe(nth + 1)
  }
})

withRing("threads and a process end in the middle of moves", async () => {
  const path = join(folder, "ends")
  await createFile(path, 2 ** 23)
  const program = join(import.meta.dirname, "file-thread.ts")
  const child = spawnSync(process.execPath, ["--import", "tsx", program, path], {
    env: {
      ...process.env,
      TSX_TSCONFIG_PATH: join(import.meta.dirname, "../../../tsconfig.run.json"),
    },
    encoding: "utf8",
    timeout: 50_000,
  })
  expect({ status: child.status, signal: child.signal, said: child.stdout }).toEqual({
    status: 0,
    signal: null,
    said: JSON.stringify({ wentWell: 64 }),
  })
})
