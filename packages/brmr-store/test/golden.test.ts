/**
 * Golden images: stores as each format version wrote them open today, with everything in them.
 *
 * Images of this version's format are made by golden/make-golden.ts; nobody can make those of an
 * earlier one any more.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import { CELL_KINDS, STATUS_OK } from "@rmr/core"
import { SparseBytes } from "@rmr/testkit"
import { inspectStore } from "../src/index.js"
import {
  GOLDEN_CELLS,
  GOLDEN_DATA,
  GOLDEN_HOT,
  GOLDEN_REMOVED,
  GOLDEN_SHAPE,
} from "./golden/golden-store.js"
import { Bench, type DiskImage, newMemory } from "./store-bench.js"

jest.setTimeout(60_000)

const FORMATS = [1, 2]
const ENDS = ["clean", "crashed"] as const

const IMAGES = new Map<string, DiskImage>()

/** Read once; each disk that is made of it has a copy of its own. */
function imageOf(format: number, end: string): DiskImage {
  const name = `format-${format}-${end}.gz`
  const known = IMAGES.get(name)
  if (known !== undefined) return known
  const bytes = gunzipSync(readFileSync(join(import.meta.dirname, "golden", name)))
  const content = new SparseBytes()
  for (let at = 0; at < bytes.length; at += BLOCK) {
    const block = bytes.subarray(at, at + BLOCK)
    if (block.some((byte) => byte !== 0)) content.write(at, block)
  }
  const image = { content, sizeBytes: bytes.length }
  IMAGES.set(name, image)
  return image
}

const BLOCK = 4096

function benchOf(image: DiskImage): Bench {
  return new Bench(1, true, image)
}

async function check(bench: Bench): Promise<void> {
  const { world } = bench
  for (const { kind, index, bytes } of GOLDEN_CELLS) {
    expect(await world.settled(bench.store.readCell(kind, index), "cell")).toEqual(bytes)
  }
  for (const kind of CELL_KINDS) {
    const there = GOLDEN_CELLS.filter((cell) => cell.kind === kind).map(({ index }) => index)
    expect(bench.store.cellIndexes(kind)).toEqual(there)
  }
  for (const { kind, index } of GOLDEN_REMOVED) {
    expect(await world.settled(bench.store.readCell(kind, index), "cell")).toBeUndefined()
  }
  for (const { offset, byte } of GOLDEN_DATA) expect(await bench.read(offset)).toBe(byte)
  expect(await bench.read(0)).toBe(0)
  expect(bench.store.hotAtOpen).toEqual(GOLDEN_HOT)
  expect(bench.store.sizeBytes).toBe(GOLDEN_SHAPE.sizeBytes)
  const { extentBytes, hotExtentsMax } = GOLDEN_SHAPE
  expect(bench.store.geometry).toMatchObject({ extentBytes, hotExtentsMax })
}

describe.each(FORMATS)("a store of format %i", (format) => {
  it.each(ENDS)("S10: that was left %s opens with everything in it, also again", async (end) => {
    const bench = benchOf(imageOf(format, end))
    for (const life of [1, 2, 3]) {
      await bench.open()
      const wasClean = end === "clean" || life > 1
      if (wasClean && end === "clean") expect(bench.store.restart).toBe("none")
      else expect(bench.store.restart).not.toBe("none")
      await check(bench)
      await bench.world.settled(bench.store.close(), "close", 1e9)
    }
    const { world, disk } = bench
    const place = { env: world.env, memory: newMemory(), source: disk.source() }
    const { problems } = await world.settled(inspectStore(place), "look", 1e9)
    expect(problems).toEqual([])
  })

  it.each(ENDS)("S9: that was left %s survives a crash at any step of its opening", async (end) => {
    for (let steps = 1; steps <= 200; steps += 13) {
      const bench = benchOf(imageOf(format, end))
      bench.startOpen().catch(() => undefined)
      await bench.world.run({ stepsMax: steps })
      await bench.crash(steps % 2 === 0 ? "reordered" : "torn")
      await check(bench)
      const cells = [{ kind: "state", index: 0, bytes: Uint8Array.of(1) } as const]
      expect(await bench.ask((store, token) => store.commit(token, cells))).toBe(STATUS_OK)
      await bench.crash("lost")
      const found = await bench.world.settled(bench.store.readCell("state", 0), "cell")
      expect(found).toEqual(Uint8Array.of(1))
    }
  })
})
