/**
 * One block of metadata that is bad, each in turn: what cannot be read, or holds other bytes than
 * were written, is never taken for absent, empty or older (S19).
 *
 * The medium is asked which blocks have ever been written, so nothing here knows a format. What a
 * format may lose by one bad block is in `SINGLE_DAMAGE`.
 */
import { CELL_KINDS, type CellKind } from "@rmr/core"
import type { SparseBytes } from "@rmr/testkit"
import { CrashBench, DISK_BYTES, type DiskKind, SHAPE } from "./crash-bench.js"
import { type Cells, type CrashLedger, isSameBytes } from "./crash-ledger.js"
import { cell, gone, openFilled } from "./crash-stories.js"
import { isLong } from "./crash-sweep.js"

jest.setTimeout(120_000)

/** What one bad block may cost. */
interface DamageCosts {
  /** The store may be refused as `corrupt`. */
  readonly mayBeRefused: boolean
  /** So many cells may be `corrupt`, and only of these kinds. */
  readonly cellsMax: number
  readonly kinds: readonly CellKind[]
  /** After a crash a bad spot in what was committed last may pass for a commit on its way. */
  readonly mayForgetLast: boolean
  readonly mayLoseHotSet: boolean
}

/** All but map pages lies twice. A format that keeps less says so here. */
const SINGLE_DAMAGE: DamageCosts = {
  mayBeRefused: false,
  cellsMax: 1,
  kinds: ["map-page"],
  mayForgetLast: false,
  mayLoseHotSet: false,
}

const BLOCK = 4096
const KIND: DiskKind = { atomicBytes: 4096, forcedUnitAccess: true }

interface Place {
  readonly content: SparseBytes
  readonly ledger: CrashLedger
  /** As it was before the last commit. */
  readonly before: Cells
}

async function placeAfter(end: "close" | "power cut"): Promise<Place> {
  const bench = await openFilled(KIND)
  await bench.done(bench.startCommit([cell("pool-metadata", 0, 2, 20_000), gone("last-io", 0)]))
  for (let version = 1; version <= 2; version++) {
    const pages = [1, 2, 3].map((index) => cell("map-page", index, version, 4032))
    await bench.done(bench.startCommit(pages))
  }
  const before = bench.ledger.cells
  await bench.done(bench.startCommit([cell("state", 0, 3), cell("map", 1, 3)]))
  if (end === "close") await bench.close()
  else bench.powerCut("lost")
  return { content: bench.disk.content(), ledger: bench.ledger, before }
}

/** Offsets of metadata blocks that were written. */
function metadataBlocks(content: SparseBytes): number[] {
  const end = DISK_BYTES - SHAPE.sizeBytes
  const blocks = Array.from({ length: end / BLOCK }, (_, nth) => nth * BLOCK)
  return blocks.filter((offset) => content.missingBytes(offset, BLOCK) === 0)
}

const DAMAGES: Readonly<Record<string, (bench: CrashBench, offset: number) => void>> = {
  "cannot be read": ({ disk }, offset) => disk.damage(offset, BLOCK, "reads"),
  "has one other bit": ({ disk }, offset) => {
    const bytes = disk.peek(offset, BLOCK)
    const at = Math.max(
      0,
      bytes.findIndex((byte) => byte !== 0),
    )
    disk.poke(offset + at, Uint8Array.of(bytes[at]! ^ 4))
  },
  "reads zero": ({ disk }, offset) => disk.poke(offset, new Uint8Array(BLOCK)),
  "holds what was never written": ({ disk }, offset) =>
    disk.poke(offset, new Uint8Array(BLOCK).fill(0xa5)),
}

/** These strike every block; the others every fourth, and every one with `RMR_LONG=1`. */
function isEvery(name: string): boolean {
  return name === "cannot be read" || name === "has one other bit"
}

/** Cells that are `corrupt`; fails where one holds other bytes, is absent or too much. */
async function lostCells(bench: CrashBench, { ledger, before }: Place): Promise<string[]> {
  const lost: string[] = []
  const found = new Map<string, Uint8Array | "corrupt">()
  for (const kind of CELL_KINDS) {
    for (const index of bench.store.cellIndexes(kind)) {
      const [end] = await bench.ends(bench.store.readCell(kind, index))
      if (end === "ok") {
        found.set(
          `${kind} ${index}`,
          (await bench.wait(bench.store.readCell(kind, index), "cell"))!,
        )
      } else {
        expect(end).toBe("corrupt")
        found.set(`${kind} ${index}`, "corrupt")
        lost.push(`${kind} ${index}`)
      }
    }
  }
  const isAs = (cells: Cells): boolean =>
    cells.size === found.size &&
    [...cells].every(([name, bytes]) => {
      const one = found.get(name)
      return one === "corrupt" || isSameBytes(bytes, one)
    })
  const mayForget = SINGLE_DAMAGE.mayForgetLast && bench.store.restart !== "none"
  expect(isAs(ledger.cells) || (mayForget && isAs(before))).toBe(true)
  return lost
}

async function mustCostLittle(bench: CrashBench, place: Place): Promise<"refused" | "opened"> {
  const [end] = await bench.ends(bench.startOpen())
  if (end !== "ok") {
    expect([end, SINGLE_DAMAGE.mayBeRefused]).toEqual(["corrupt", true])
    // S11, S15: nobody has it open, and nothing is left.
    expect([bench.disk.isOpen, bench.leaseCount, await bench.inspect()]).not.toContain("not-found")
    expect([bench.disk.isOpen, bench.leaseCount]).toEqual([false, 0])
    return "refused"
  }
  const lost = await lostCells(bench, place)
  expect(lost.length).toBeLessThanOrEqual(SINGLE_DAMAGE.cellsMax)
  for (const name of lost) expect(SINGLE_DAMAGE.kinds).toContain(name.split(" ")[0])
  const { hotAtOpen } = bench.store
  if (hotAtOpen === "unreadable") expect(SINGLE_DAMAGE.mayLoseHotSet).toBe(true)
  else expect(hotAtOpen).toEqual([...place.ledger.hot])
  const units = new Uint8Array(2 * BLOCK).fill(1)
  new DataView(units.buffer).setUint16(0, 0)
  new DataView(units.buffer).setUint16(BLOCK, 1)
  expect((await bench.readAll()).subarray(0, units.length)).toEqual(units)
  await bench.done(bench.startCommit([cell("map", 5, 5)]))
  await bench.close()
  await bench.open()
  expect(await lostCellsOf(bench)).toEqual(lost)
  await bench.close()
  return "opened"
}

/** What is lost stays so: the next open does not find it absent. */
async function lostCellsOf(bench: CrashBench): Promise<string[]> {
  const lost: string[] = []
  for (const kind of CELL_KINDS) {
    for (const index of bench.store.cellIndexes(kind)) {
      const [end] = await bench.ends(bench.store.readCell(kind, index))
      if (end !== "ok") lost.push(`${kind} ${index}`)
    }
  }
  return lost
}

describe.each(["close", "power cut"] as const)("a store after a %s, with one bad block", (end) => {
  it.each(Object.keys(DAMAGES))("S19: that %s never lies, whichever it is", async (name) => {
    const place = await placeAfter(end)
    const all = metadataBlocks(place.content)
    const blocks = all.filter((_, nth) => isLong || isEvery(name) || nth % 4 === all.length % 4)
    const counts = { refused: 0, opened: 0 }
    for (const offset of blocks) {
      const { content, ledger } = place
      const bench = new CrashBench({ kind: KIND, seed: 7, content, ledger })
      DAMAGES[name]!(bench, offset)
      counts[await mustCostLittle(bench, place)]++
      bench.end()
    }
    const { refused, opened } = counts
    process.stdout.write(
      `one bad block after a ${end}, ${name}: ${blocks.length} blocks, ${refused} refused\n`,
    )
    expect(opened).toBeGreaterThan(1)
  })

  it("S13: that cannot be written fails a commit, and loses nothing", async () => {
    const { content, ledger } = await placeAfter(end)
    for (const offset of metadataBlocks(content)) {
      const bench = new CrashBench({ kind: KIND, seed: 8, content, ledger })
      bench.disk.damage(offset, BLOCK, "writes")
      const ends = [...(await bench.ends(bench.startOpen()))]
      if (ends[0] === "ok") ends.push(...(await bench.ends(bench.startCommit([cell("map", 5, 5)]))))
      for (const one of ends) expect(["ok", "io-error", "media-error"]).toContain(one)
      if (bench.isOpen) await bench.close()
      expect([bench.disk.isOpen, bench.leaseCount]).toEqual([false, 0])
      const repaired = bench.disk.content()
      const next = new CrashBench({ kind: KIND, seed: 9, content: repaired, ledger: bench.ledger })
      await next.open()
      const found = await next.find()
      const wrong = next.ledger.complaints(found, "power", next.unitBytes)
      expect(wrong.filter((words) => !words.startsWith("S17"))).toEqual([])
      await next.close()
      bench.end()
      next.end()
    }
  })
})
