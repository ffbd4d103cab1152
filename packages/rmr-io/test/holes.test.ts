/**
 * B7: with native calls the file system makes ranges zero; where it refuses, zeroes are written.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { BLOCK_FUA, BLOCK_UNMAP, type BlockFile, buddyMemory } from "@rmr/core"
import { type FileCalls, type FileFailure, NODE_CALLS } from "../src/files/file-calls.js"
import { nativeCalls } from "../src/files/native-calls.js"
import { fileSource, pageArenas, realEnv } from "../src/index.js"
import { nativeAddon, nativeStatus } from "../src/native-addon.js"

const MIB = 1024 * 1024
const IN_FLIGHT_MAX = 256
const places = [tmpdir(), process.cwd(), "/dev/shm"].filter((folder) => existsSync(folder))
const folders: string[] = []
const addon = nativeAddon()

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

function fullFile(place: string, bytes: number): string {
  const folder = mkdtempSync(join(place, "rmr-holes-"))
  folders.push(folder)
  const path = join(folder, "file")
  writeFileSync(path, new Uint8Array(bytes).fill(1))
  return path
}

type Answer = readonly [error: FileFailure | null, bytes: number]

function zero(calls: FileCalls, fd: number, keepsSpace: boolean, at: number, bytes: number) {
  return new Promise<Answer>((resolve) => {
    calls.zero(fd, keepsSpace, at, bytes, false, (error, count) => resolve([error, count]))
  })
}

function byteAt(fd: number, at: number): number {
  const byte = new Uint8Array(1)
  readSync(fd, byte, 0, 1, at)
  return byte[0]!
}

if (addon === undefined) {
  process.stdout.write(`holes are not tested: ${nativeStatus().reason}\n`)
} else {
  describe.each(places)("native calls in %s", (place) => {
    it("B7: a hole gives its space back, and what is beside it stays", async () => {
      const fd = openSync(fullFile(place, 4 * MIB), "r+")
      const calls = nativeCalls(addon, IN_FLIGHT_MAX)
      const before = fstatSync(fd).blocks
      expect(calls.canMakeHoles(fd, 4 * MIB)).toBe(true)
      expect(fstatSync(fd).blocks).toBe(before)
      expect(await zero(calls, fd, false, MIB, 2 * MIB)).toEqual([null, 2 * MIB])
      expect(fstatSync(fd).blocks).toBeLessThanOrEqual(before - (2 * MIB) / 512 + 16)
      expect(fstatSync(fd).size).toBe(4 * MIB)
      const bytes = [MIB - 1, MIB, 3 * MIB - 1, 3 * MIB].map((at) => byteAt(fd, at))
      expect(bytes).toEqual([1, 0, 0, 1])
      closeSync(fd)
    })

    it("B7: offsets beyond 32 bits mean what they say", async () => {
      const fd = openSync(fullFile(place, MIB), "r+")
      const far = 5 * 2 ** 30
      ftruncateSync(fd, 2 * far)
      for (const at of [far, far % 2 ** 32, far % 2 ** 31]) {
        writeSync(fd, new Uint8Array(8192).fill(2), 0, 8192, at)
      }
      const calls = nativeCalls(addon, IN_FLIGHT_MAX)
      expect(await zero(calls, fd, false, far, 4096)).toEqual([null, 4096])
      const bytes = [far, far + 4096, far % 2 ** 32, far % 2 ** 31].map((at) => byteAt(fd, at))
      expect(bytes).toEqual([0, 2, 2, 2])
      closeSync(fd)
    })

    it("B13: as many holes as can be in flight each end once, and none in the call", async () => {
      const fd = openSync(fullFile(place, 2 * MIB), "r+")
      const calls = nativeCalls(addon, IN_FLIGHT_MAX)
      let endedCount = 0
      const answers = Array.from({ length: IN_FLIGHT_MAX }, (_, nth) =>
        zero(calls, fd, false, nth * 4096, 4096).then((answer) => {
          endedCount++
          return answer
        }),
      )
      expect(endedCount).toBe(0)
      expect(await Promise.all(answers)).toEqual(answers.map(() => [null, 4096]))
      expect([byteAt(fd, 0), byteAt(fd, MIB - 1), byteAt(fd, MIB)]).toEqual([0, 0, 1])
      closeSync(fd)
    })

    it("B7: a range that keeps its space reads zero, also where it has to be written", async () => {
      const path = fullFile(place, 4 * MIB)
      const before = statSync(path).blocks
      const statuses = await zeroByFile(path, undefined, [0, 0, BLOCK_FUA])
      expect(statuses).toEqual([0, 0, 0])
      expect(statSync(path).blocks).toBeGreaterThanOrEqual(before - 16)
      const fd = openSync(path, "r")
      const bytes = [0, MIB, 3 * MIB - 1, 3 * MIB].map((at) => byteAt(fd, at))
      expect(bytes).toEqual([0, 0, 0, 1])
      closeSync(fd)
    })
  })

  describe("native calls that fail", () => {
    it("B11: say which error it was, and do not disturb others of their batch", async () => {
      const fd = openSync(fullFile(tmpdir(), MIB), "r+")
      const calls = nativeCalls(addon, IN_FLIGHT_MAX)
      const bad = zero(calls, 2 ** 20, false, 0, 4096)
      const good = zero(calls, fd, false, 0, 4096)
      expect((await bad)[0]).toMatchObject({ code: "EBADF" })
      expect(await good).toEqual([null, 4096])
      closeSync(fd)
    })
  })
}

describe("a file system that turns out to make nothing zero", () => {
  it.each([
    [0, "EIO"],
    [BLOCK_UNMAP, "EIO"],
  ])("B11: an error of another kind is no refusal (flags %s, %s)", async (flags, code) => {
    const { calls } = refusing(code)
    const path = fullFile(tmpdir(), 4 * MIB)
    expect(await zeroByFile(path, calls, [flags])).not.toEqual([0])
  })

  it.each([0, BLOCK_UNMAP])(
    "B7: is not asked again, and zeroes are written (%s)",
    async (flags) => {
      const { calls, asked } = refusing("ENOTSUP")
      const path = fullFile(tmpdir(), 4 * MIB)
      expect(await zeroByFile(path, calls, [flags, flags, flags])).toEqual([0, 0, 0])
      // A hole that is refused is made zero with its space kept the next time, if that works.
      expect(asked).toEqual(flags === 0 ? [true] : [false, true])
      const fd = openSync(path, "r")
      expect([0, MIB, 3 * MIB - 1, 3 * MIB].map((at) => byteAt(fd, at))).toEqual([0, 0, 0, 1])
      closeSync(fd)
    },
  )
})

/** Calls that promise holes and then make none; whether space was to be kept, each time. */
function refusing(code: string): { calls: FileCalls; asked: boolean[] } {
  const asked: boolean[] = []
  const calls: FileCalls = {
    ...NODE_CALLS,
    canMakeHoles: () => true,
    canZeroRanges: true,
    zero: (_fd, keepsSpace, _offset, _bytes, _isDurable, end) => {
      asked.push(keepsSpace)
      setImmediate(end, { code, message: code }, 0)
    },
  }
  return { calls, asked }
}

/** Zeroes a MiB after the other, with these flags; answers the statuses. */
async function zeroByFile(
  path: string,
  calls: FileCalls | undefined,
  flagsOfEach: readonly number[],
): Promise<number[]> {
  const memory = buddyMemory({ arenas: pageArenas([MIB]), leaseCountMax: 16 })
  const statuses: number[] = []
  let tell: (status: number) => void = () => undefined
  const events = {
    onCompletions: ({ words }: { words: Int32Array }): void => tell(words[1]!),
  }
  const options = calls === undefined ? {} : { calls }
  const file: BlockFile = await fileSource(path, options).open({ env: realEnv(), memory, events })
  for (const [nth, flags] of flagsOfEach.entries()) {
    const status = new Promise<number>((resolve) => {
      tell = resolve
    })
    file.zero(nth, nth * MIB, MIB, flags)
    statuses.push(await status)
  }
  await file.close()
  return statuses
}
