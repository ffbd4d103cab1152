/**
 * A file that is not what its store left: of another size, cut short, an older copy, of another
 * store, on a disk with other blocks. It is refused by a code, or it is what it says.
 */
import type { SparseBytes } from "@rmr/testkit"
import {
  CrashBench,
  DISK_BYTES,
  DISK_KINDS,
  type DiskKind,
  diskTitle,
  SHAPE,
} from "./crash-bench.js"
import type { CrashLedger } from "./crash-ledger.js"
import { cell, openFilled, openFresh } from "./crash-stories.js"
import { openAgain } from "./crash-sweep.js"

jest.setTimeout(60_000)

interface Closed {
  readonly content: SparseBytes
  readonly ledger: CrashLedger
}

async function closed(kind: DiskKind, version: number): Promise<Closed> {
  const bench = await openFilled(kind)
  await bench.done(bench.startCommit([cell("identity", 0, version), cell("map", 3, version)]))
  await bench.close()
  return { content: bench.disk.content(), ledger: bench.ledger }
}

/** What it is refused with, which leaves nothing behind. */
async function refusal(bench: CrashBench): Promise<string | undefined> {
  const [end] = await bench.ends(bench.startOpen())
  expect([bench.disk.isOpen, bench.leaseCount]).toEqual([false, 0])
  return end
}

describe.each(DISK_KINDS.map((kind) => [diskTitle(kind), kind] as const))(
  "a disk that %s",
  (_, kind) => {
    it("S1: that lost its last block is too small, and whole again once it is back", async () => {
      const { content, ledger } = await closed(kind, 1)
      const bench = new CrashBench({ kind, seed: 1, content, ledger })
      bench.disk.resize(DISK_BYTES - 4096)
      expect(await refusal(bench)).toBe("too-small")
      bench.disk.resize(DISK_BYTES)
      const again = new CrashBench({ kind, seed: 2, content: bench.disk.content(), ledger })
      await openAgain(again, "the size is back")
      await again.close()
    })

    it("S1: that was cut anywhere is refused, and never as if nothing had been", async () => {
      const { content, ledger } = await closed(kind, 1)
      const ends = new Map<number, string | undefined>()
      const sizes = [0, 4096, 8192, 65_536, 131_072, 1_048_576, 8 * 1_048_576]
      for (const sizeBytes of sizes) {
        const cut = content.copy()
        cut.truncate(sizeBytes)
        const bench = new CrashBench({ kind, seed: 3, content: cut, ledger, sizeBytes })
        ends.set(sizeBytes, await refusal(bench))
        bench.end()
      }
      // Without any byte there is no sign of a store.
      expect(ends.get(0)).toBe("not-found")
      ends.delete(0)
      for (const end of ends.values()) expect(["too-small", "corrupt"]).toContain(end)
    })

    it("S1: that has grown while closed is the same store, with the same size", async () => {
      const { content, ledger } = await closed(kind, 1)
      const sizeBytes = DISK_BYTES + 65_536
      const bench = new CrashBench({ kind, seed: 4, content, ledger, sizeBytes })
      await openAgain(bench, "a larger disk")
      await bench.done(bench.startCommit([cell("state", 0, 4)]))
      await bench.close()
      await openAgain(bench, "once more")
      await bench.close()
    })

    it("S13: that shrinks while open fails what is beyond, and only that", async () => {
      const bench = await openFilled(kind)
      bench.disk.resize(DISK_BYTES - SHAPE.extentBytes)
      const last = SHAPE.sizeBytes / SHAPE.extentBytes - 1
      const unit = (last * SHAPE.extentBytes) / bench.unitBytes
      await bench.done(bench.startHeat([last]))
      expect(await bench.ends(bench.startWrite(unit, unit + 4096 / bench.unitBytes))).toEqual([
        "io-error",
      ])
      await bench.done(bench.startCommit([cell("state", 0, 5)]))
      await bench.close()
      expect(await refusal(bench)).toBe("too-small")
      bench.disk.resize(DISK_BYTES)
      await openAgain(bench, "the size is back")
      await bench.close()
    })

    it("S1, S2: that grows while open is taken up by grow, and reads zero there", async () => {
      const bench = await openFilled(kind)
      const sizeBytes = DISK_BYTES + SHAPE.sizeBytesMax - SHAPE.sizeBytes
      bench.disk.resize(sizeBytes)
      bench.disk.poke(DISK_BYTES, new Uint8Array(65_536).fill(9))
      expect(bench.store.sizeBytes).toBe(SHAPE.sizeBytes)
      expect(await bench.ends(bench.startGrow(SHAPE.sizeBytesMax))).toEqual(["ok"])
      await bench.close()
      await openAgain(bench, "it has grown")
      await bench.close()
    })

    it("S10: with another store's file in its place says that store's cells", async () => {
      const { content } = await closed(kind, 1)
      const other = await closed(kind, 2)
      const bench = new CrashBench({ kind, seed: 5, content, ledger: other.ledger })
      await bench.open()
      const identity = await bench.wait(bench.store.readCell("identity", 0), "cell")
      expect(identity?.[0]).toBe(1)
      await bench.close()
    })

    it("S10: with an older copy in its place is as old as that, in everything", async () => {
      const bench = await openFresh(kind)
      await bench.done(bench.startCommit([cell("state", 0, 1)]), bench.startHeat([1]))
      await bench.close()
      const old = { content: bench.disk.content(), ledger: bench.ledger.copy() }
      await bench.open()
      await bench.done(bench.startCommit([cell("state", 0, 2), cell("map", 0, 2)]))
      await bench.done(bench.startHeat([2]))
      await bench.close()
      const restored = new CrashBench({ kind, seed: 6, ...old })
      await openAgain(restored, "an older copy")
      await restored.done(restored.startCommit([cell("state", 0, 3)]))
      restored.powerCut("lost")
      await openAgain(restored, "an older copy that was used")
      await restored.close()
    })

    it("S10: whose blocks have another size holds the same store", async () => {
      const { content, ledger } = await closed(kind, 1)
      const bench = new CrashBench({ kind, seed: 7, content, ledger, blockBytes: 512 })
      await openAgain(bench, "blocks of 512")
      await bench.done(bench.startCommit([cell("state", 0, 6)]))
      await bench.close()
      const back = { content: bench.disk.content(), ledger: bench.ledger }
      const again = new CrashBench({ kind, seed: 8, ...back })
      await openAgain(again, "blocks of 4096 again")
      await again.close()
    })

    it("S11: is busy for everybody else while it is opened, open and closed", async () => {
      const { content, ledger } = await closed(kind, 1)
      const bench = new CrashBench({ kind, seed: 9, content, ledger })
      const opening = bench.startOpen()
      await bench.run(() => bench.disk.isOpen)
      const looks = [await bench.inspect()]
      await bench.wait(opening, "open")
      looks.push(await bench.inspect(), (await bench.ends(bench.startErase()))[0]!)
      const closing = bench.startClose()
      looks.push(await bench.inspect())
      await bench.wait(closing, "close")
      expect(looks.slice(0, 3)).toEqual(["busy", "busy", "busy"])
      expect(["busy", "store"]).toContain(looks[3])
      expect(await bench.inspect()).toBe("store")
      await openAgain(bench, "it was busy")
      await bench.close()
    })
  },
)
