import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { type Checksum, crc32c } from "@rmr/core"
import { seededRandom } from "@rmr/testkit"
import { addArena, NO_SLOT, slotOfMemory } from "./arena-slots.js"
import { pageArenas } from "./arenas.js"
import { fastChecksum } from "./fast-checksum.js"
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

if (addon !== undefined) {
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
