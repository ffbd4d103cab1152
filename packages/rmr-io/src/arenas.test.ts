/**
 * Arenas start on a page: shown by direct IO, which refuses anything else, where the file system
 * has it.
 */
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"
import { buddyMemory, leaseBytes } from "@rmr/core"
import { pageArenas } from "./index.js"

const folder = mkdtempSync(join(process.cwd(), ".rmr-arenas-"))
const path = join(folder, "file")
writeFileSync(path, new Uint8Array(8192).fill(7))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function openDirect(): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_DIRECT)
  } catch {
    return undefined
  }
}

it("has the asked sizes, all zeroes, in memory that the buddy system takes", () => {
  const arenas = pageArenas([4096, 1024 * 1024])
  expect(arenas.map(({ length }) => length)).toEqual([4096, 1024 * 1024])
  expect(arenas.every((arena) => arena.every((byte) => byte === 0))).toBe(true)
  const memory = buddyMemory({ arenas, leaseCountMax: 8 })
  const lease = memory.lease(1024 * 1024)
  expect(memory.arenaOf(lease).index).toBe(1)
  expect(() => pageArenas([5000])).toThrow("not a power of two")
})

const direct = openDirect()
const title = "takes direct IO at the start of every lease"
const run = (fd: number): void => {
  const memory = buddyMemory({ arenas: pageArenas([64 * 1024]), leaseCountMax: 16 })
  for (let nth = 0; nth < 8; nth++) {
    const bytes = leaseBytes(memory, memory.lease(4096), 0, 4096)
    expect(readSync(fd, bytes, 0, 4096, 4096)).toBe(4096)
    expect(bytes.every((byte) => byte === 7)).toBe(true)
  }
  // Elsewhere it is refused, so the reads above have shown something.
  const odd = memory.arenas[0]!.bytes.subarray(1, 4097)
  expect(() => readSync(fd, odd, 0, 4096, 0)).toThrow("EINVAL")
  closeSync(fd)
}
if (direct !== undefined) it(title, () => run(direct))
else it.skip(`${title} (skipped: no direct IO on this file system)`, () => run(-1))
