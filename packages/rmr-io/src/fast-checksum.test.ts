import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { type BlockChecksums, blockChecksumsBy, type Checksum, crc32c } from "@rmr/core"
import { seededRandom } from "@rmr/testkit"
import { addArena, NO_SLOT, slotOfMemory } from "./arena-slots.js"
import { pageArenas } from "./arenas.js"
import { fastBlockChecksums, fastChecksum } from "./fast-checksum.js"
import { nativeAddon, nativeStatus } from "./native-addon.js"

const SEED = `sums-${process.pid}`
const MEMORY_BYTES = 256 * 1024
/** Around every limit at which another way of summing begins. */
const LIMITS = [0, 1, 4, 8, 16, 128, 256, 768, 1024, 3 * 2048, 2 * 3 * 2048, 65_536]
const LENGTHS = LIMITS.flatMap((limit) => [limit - 1, limit, limit + 1]).filter((b) => b >= 0)

const addon = nativeAddon()

const ways: [name: string, sum: Checksum, makeMemory: () => ArrayBufferLike][] = [
  ["of an arena", fastChecksum(), () => pageArenas([MEMORY_BYTES])[0]!.buffer],
  ["of any other memory", fastChecksum(), () => new ArrayBuffer(MEMORY_BYTES)],
]
if (addon !== undefined) {
  const byTable: Checksum = (view, at, bytes) => addon.sumOfViewByTable(view, at, bytes)
  ways.push(["without an instruction for it", byTable, () => new ArrayBuffer(MEMORY_BYTES)])
} else {
  process.stdout.write(`native sums are not tested: ${nativeStatus().reason}\n`)
}

describe.each(ways)(`the sum %s (seed ${SEED})`, (_, sum, makeMemory) => {
  const memory = makeMemory()
  const random = seededRandom(SEED)
  new Uint8Array(memory).forEach((_byte, at, bytes) => {
    bytes[at] = random.below(256)
  })

  it("is the one that the definition gives", () => {
    const view = new DataView(makeMemory())
    for (const [at, digit] of [..."123456789"].entries()) view.setUint8(at, digit.charCodeAt(0))
    expect(sum(view, 0, 9)).toBe(0xe3069283)
  })

  it("is that of plain JavaScript at every limit and alignment", () => {
    const view = new DataView(memory)
    for (const bytes of LENGTHS) {
      for (let at = 0; at < 9; at++) {
        expect([bytes, at, sum(view, at, bytes)]).toEqual([bytes, at, crc32c(view, at, bytes)])
      }
    }
  })

  it("is that of plain JavaScript anywhere, through views that begin anywhere", () => {
    for (let round = 0; round < 400; round++) {
      const start = random.below(MEMORY_BYTES / 2)
      const view = new DataView(memory, start, MEMORY_BYTES - start - random.below(100))
      const at = random.below(view.byteLength)
      const bytes = random.below(view.byteLength - at + 1)
      expect([start, at, sum(view, at, bytes)]).toEqual([start, at, crc32c(view, at, bytes)])
    }
  })

  it("of bytes outside of the view is refused, even where memory goes on behind it", () => {
    const view = new DataView(memory, 64, 4096)
    const outside = [
      [4096 - 511, 512],
      [0, 4097],
      [-8, 512],
      [5000, 512],
      [0, 2 ** 40],
    ] as const
    for (const [at, bytes] of outside) expect(() => sum(view, at, bytes)).toThrow("outside")
  })
})

/** Where lanes begin and end, and where one is left over. */
const BLOCK_LENGTHS = [0, 1, 7, 8, 512, 768, 4079, 4080, 4081, 4096, 4097, 6144, 8192]
const GUARD = 0x5a5a5a5a

const blockWays: [name: string, sum: BlockChecksums, makeMemory: () => ArrayBufferLike][] = [
  ["of an arena", fastBlockChecksums(), () => pageArenas([MEMORY_BYTES])[0]!.buffer],
  ["of any other memory", fastBlockChecksums(), () => new ArrayBuffer(MEMORY_BYTES)],
  ["in plain JavaScript", blockChecksumsBy(crc32c), () => new ArrayBuffer(MEMORY_BYTES)],
]

describe.each(blockWays)(`sums of blocks %s (seed ${SEED})`, (_, sumBlocks, makeMemory) => {
  const memory = makeMemory()
  const random = seededRandom(SEED)
  new Uint8Array(memory).forEach((_byte, at, bytes) => {
    bytes[at] = random.below(256)
  })

  /** What one call writes into words that say GUARD, and what each block has by itself. */
  const bothOf = (view: DataView, at: number, bytes: number, count: number, from: number) => {
    const sums = new Int32Array(from + count + 2).fill(GUARD)
    const expected = sums.slice()
    sumBlocks(view, at, bytes, count, sums, from)
    for (let nth = 0; nth < count; nth++)
      expected[from + nth] = crc32c(view, at + nth * bytes, bytes)
    return [sums, expected]
  }

  it("are those of each block by itself, and no other word is touched", () => {
    const view = new DataView(memory)
    for (const bytes of BLOCK_LENGTHS) {
      for (let count = 0; count < 8; count++) {
        for (const at of [0, 1, 5, 8, 4096]) {
          const [sums, expected] = bothOf(view, at, bytes, count, count % 3)
          expect([bytes, count, at, sums]).toEqual([bytes, count, at, expected])
        }
      }
    }
  })

  it("are right anywhere, through views that begin anywhere", () => {
    for (let round = 0; round < 200; round++) {
      const start = random.below(MEMORY_BYTES / 2)
      const view = new DataView(memory, start, MEMORY_BYTES - start - random.below(100))
      const at = random.below(view.byteLength)
      const bytes = 1 + random.below(6000)
      const count = random.below(Math.floor((view.byteLength - at) / bytes) + 1)
      const [sums, expected] = bothOf(view, at, bytes, count, random.below(4))
      expect([start, at, bytes, sums]).toEqual([start, at, bytes, expected])
    }
  })

  it("of blocks to the last byte of a view are summed, and one byte further refused", () => {
    const view = new DataView(memory, 64, 3 * 4096)
    const [sums, expected] = bothOf(view, 0, 4096, 3, 0)
    expect(sums).toEqual(expected)
    const outside = [
      [1, 4096, 3],
      [0, 4096, 4],
      [-8, 4096, 2],
      [3 * 4096, 1, 2],
      [0, 2 ** 40, 2],
    ] as const
    for (const [at, bytes, count] of outside) {
      expect(() => sumBlocks(view, at, bytes, count, new Int32Array(8), 0)).toThrow("outside")
    }
  })

  it("without room for them are our own mistake, and nothing is written", () => {
    const view = new DataView(memory)
    const sums = new Int32Array(8)
    const wrong = [
      [0, 9],
      [6, 3],
      [-1, 2],
      [0.5, 2],
      [0, -1],
      [Number.NaN, 2],
    ] as const
    for (const [from, count] of wrong) {
      expect(() => sumBlocks(view, 0, 512, count, sums, from)).toThrow("sums have room")
    }
    expect(sums).toEqual(new Int32Array(8))
  })
})

if (addon !== undefined) {
  describe("the addon itself", () => {
    const view = new DataView(new ArrayBuffer(8192))

    it("writes no sum where none belongs, whoever has let it through", () => {
      const other = new Uint32Array(4) as unknown as Int32Array
      expect(() => addon.sumBlocksOfView(view, 0, 4096, other, 0, 2)).toThrow("of their words")
      const sums = new Int32Array(2)
      expect(() => addon.sumBlocksOfView(view, 0, 4096, sums, 1, 2)).toThrow("of their words")
      expect(() => addon.sumBlocksOfView(view, 0, 4096, sums, -1, 2)).toThrow("of their words")
      expect(() => addon.sumBlocksOfView(view, 1, 4096, sums, 0, 2)).toThrow(
        "outside of their view",
      )
      expect(() => addon.sumBlocksOfView(view, Number.NaN, 1, sums, 0, 2)).toThrow("outside")
    })

    it("sums no blocks behind the memory of a slot", () => {
      const { buffer } = pageArenas([65_536])[0]!
      const job = new Float64Array(addon.job, 0, 3)
      const sums = new Int32Array(17)
      job.set([slotOfMemory(buffer), 0, 4096])
      addon.sumBlocksOfSlot(sums, 0, 16)
      expect(sums[15]).toBe(crc32c(new DataView(buffer), 0, 4096) | 0)
      expect(() => addon.sumBlocksOfSlot(sums, 0, 17)).toThrow("memory of their slot")
      job[0] = addon.slotCount
      expect(() => addon.sumBlocksOfSlot(sums, 0, 1)).toThrow("no such slot")
    })
  })

  describe("slots of arenas", () => {
    it("come back once their memory is collected, and without one sums are right", async () => {
      const held: (ArrayBuffer | undefined)[] = []
      const fill = (): void => {
        for (let nth = 0; nth <= addon.slotCount; nth++) {
          const memory = new ArrayBuffer(4096)
          addArena(memory)
          held.push(memory)
        }
      }
      fill()
      const last = held.at(-1)!
      expect(slotOfMemory(last)).toBe(NO_SLOT)
      expect(fastChecksum()(new DataView(last), 0, 4096)).toBe(crc32c(new DataView(last), 0, 4096))
      held.length = 0
      expect(await isSlotFreed()).toBe(true)
    })
  })
}

/** The collector and its news come when they like: asked for often, in many turns. */
async function isSlotFreed(): Promise<boolean> {
  setFlagsFromString("--expose-gc")
  const collect = runInNewContext("gc") as () => void
  for (let turn = 0; turn < 200; turn++) {
    collect()
    await new Promise((resolve) => setImmediate(resolve))
    const memory = new ArrayBuffer(4096)
    addArena(memory)
    if (slotOfMemory(memory) !== NO_SLOT) return true
  }
  return false
}
