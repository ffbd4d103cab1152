/**
 * The block-file suite has teeth: each of these files is broken in one way, and the promise that it
 * breaks notices.
 */
import type { BlockEvents, BlockFile, BlockFileOpen, BlockFileSource } from "@rmr/core"
import { BLOCK_BAD_AT, BLOCK_STATUS, leaseBytes, STATUS_OK, statusOf } from "@rmr/core"
import { blockFileClauses } from "../src/contract/block-file/index.js"
import { runAll } from "../src/contract/clause.js"
import type { SimDisk } from "../src/world/sim-disk.js"
import type { FileHarnessOptions } from "./block-file-harness.js"
import { simFileHarness } from "./block-file-harness.js"
import { batchOf, overlay, rowsOf } from "./block-mutant.js"

jest.setTimeout(30_000)

interface FileMutant {
  /** What it does wrong, as a clause of "a file that …". */
  readonly title: string
  readonly breaks: string
  readonly harness: FileHarnessOptions
}

type Alteration = (file: BlockFile, open: BlockFileOpen, disk: SimDisk) => Partial<BlockFile>

function altered(title: string, breaks: string, alter: Alteration): FileMutant {
  return wrapped(title, breaks, (source, disk) => ({
    name: source.name,
    bootId: () => source.bootId(),
    open: async (open) => {
      const file = await source.open(open)
      return overlay(file, alter(file, open, disk))
    },
  }))
}

function alteredCompletions(
  title: string,
  breaks: string,
  rewrite: (rows: Int32Array[]) => Int32Array[],
): FileMutant {
  return wrapped(title, breaks, (source) => ({
    name: source.name,
    bootId: () => source.bootId(),
    open: (open) => {
      const events: BlockEvents = {
        onCompletions: (batch) => open.events.onCompletions(batchOf(rewrite(rowsOf(batch)))),
      }
      return source.open({ ...open, events })
    },
  }))
}

function wrapped(
  title: string,
  breaks: string,
  wrap: (source: BlockFileSource, disk: SimDisk) => BlockFileSource,
): FileMutant {
  return { title, breaks, harness: { wrap } }
}

/** Writes one block too many: the last one again. */
function overshooting(file: BlockFile, { memory }: BlockFileOpen): Partial<BlockFile> {
  return {
    write: (token, offset, lease, at, bytes, flags) => {
      const room = memory.capacityOf(lease) - at
      const isInside = offset + bytes + file.blockBytes <= file.sizeBytes
      const longer = bytes + file.blockBytes
      const reach = isInside && longer <= room ? longer : bytes
      file.write(token, offset, lease, at, reach, flags)
    },
  }
}

function mixing(file: BlockFile, { memory, env }: BlockFileOpen): Partial<BlockFile> {
  let last: { offset: number; content: Uint8Array } | undefined
  return {
    write: (token, offset, lease, at, bytes, flags) => {
      const content = leaseBytes(memory, lease, at, bytes)
      const own = content.slice()
      const from = offset - (last?.offset ?? offset)
      if (last !== undefined && from >= 0 && from < last.content.length) {
        content.set(last.content.subarray(from, from + file.atomicBytes / 2))
      }
      last = { offset, content: own }
      env.clock.endOfTurn(() => {
        last = undefined
      })
      file.write(token, offset, lease, at, bytes, flags)
    },
  }
}

function shared(source: BlockFileSource): BlockFileSource {
  let last: BlockFile | undefined
  return {
    name: source.name,
    bootId: () => source.bootId(),
    open: async (open) => {
      last = await source.open(open).catch(() => last)
      if (last === undefined) throw new Error("nobody has it open")
      return last
    },
  }
}

function reshaping(source: BlockFileSource): BlockFileSource {
  let lifeCount = 0
  return {
    name: source.name,
    bootId: () => source.bootId(),
    open: async (open) => {
      const file = await source.open(open)
      lifeCount++
      return overlay(file, { ioBytesMax: file.ioBytesMax * lifeCount })
    },
  }
}

const NO_ACCESS = { supports: { forcedUnitAccess: false } }

const MUTANTS: readonly FileMutant[] = [
  wrapped("changes its geometry from one opening to the next", "B1", reshaping),
  altered("writes a block too many", "B2", overshooting),
  altered("rounds misaligned offsets", "B3", (file) => ({
    zero: (token, offset, bytes, flags) => {
      const rounded = offset > 0 ? offset - (offset % file.blockBytes) : offset
      file.zero(token, rounded, bytes, flags)
    },
  })),
  altered("mixes writes that overlap", "B4", mixing),
  altered("flushes nothing", "B5", (file) => ({
    flush: (token) => file.zero(token, file.sizeBytes - file.blockBytes, file.blockBytes, 0),
  })),
  altered("acknowledges FUA before it is durable", "B5", (file) => ({
    write: (token, offset, lease, at, bytes) => file.write(token, offset, lease, at, bytes, 0),
  })),
  {
    title: "takes FUA that it does not honour",
    breaks: "B5",
    harness: {
      disk: NO_ACCESS,
      wrap: (source) => ({
        name: source.name,
        bootId: () => source.bootId(),
        open: async (open) => {
          const file = await source.open(open)
          return overlay(file, {
            write: (token, offset, lease, at, bytes) =>
              file.write(token, offset, lease, at, bytes, 0),
          })
        },
      }),
    },
  },
  {
    title: "tears what it calls atomic",
    breaks: "B6",
    harness: { disk: { atomicBytes: 4096, sectorBytes: 512 } },
  },
  {
    title: "loses its cache with the process",
    breaks: "B6",
    harness: {
      wrapPowers: (powers, disk) => ({
        ...powers,
        kill: () => {
          void powers.kill?.()
          disk.powerCut("lost")
        },
      }),
    },
  },
  altered("zeroes half of the range", "B7", (file) => ({
    zero: (token, offset, bytes, flags) => {
      const half = Math.ceil(bytes / 2 / file.blockBytes) * file.blockBytes
      file.zero(token, offset, half, flags)
    },
  })),
  altered("loses its first block at close", "B8", (file, _open, disk) => ({
    close: async () => {
      await file.close()
      disk.poke(0, new Uint8Array(file.blockBytes))
    },
  })),
  wrapped("lets a second one in", "B9", shared),
  altered("closes without waiting", "B10", (file) => ({ close: async () => void file.close() })),
  alteredCompletions("names the bad range by another beginning", "B11", (rows) =>
    rows.map((row) => {
      if (row[BLOCK_STATUS] === statusOf("media-error")) row[BLOCK_BAD_AT] = 0
      return row
    }),
  ),
  alteredCompletions("calls a failed flush done", "B11", (rows) =>
    rows.map((row) => {
      if (row[BLOCK_STATUS] === statusOf("io-error")) row[BLOCK_STATUS] = STATUS_OK
      return row
    }),
  ),
  altered("says it has grown when there is no room", "B12", (file) => ({
    grow: (sizeBytes) => file.grow(sizeBytes).catch(() => undefined),
  })),
  altered("forgets at reopening that it has grown", "B12", (file, _open, disk) => {
    const { sizeBytes } = file
    return {
      close: async () => {
        await file.close()
        disk.resize(sizeBytes)
      },
    }
  }),
  alteredCompletions("completes twice", "B13", (rows) => [...rows, ...rows.slice(0, 1)]),
  altered("leaks a lease", "B14", (file, { memory }) => ({
    read: (token, offset, lease, at, bytes) => {
      memory.retain(lease)
      file.read(token, offset, lease, at, bytes)
    },
  })),
  altered("leaves a timer behind", "B15", (file, { env }) => ({
    close: async () => {
      env.clock.schedule(60_000, () => undefined)
      await file.close()
    },
  })),
  wrapped("calls every boot the same", "B16", (source) => ({
    name: source.name,
    bootId: async () => "same",
    open: (open) => source.open(open),
  })),
  wrapped("calls every opening a boot", "B16", (source) => {
    let bootCount = 0
    return {
      name: source.name,
      bootId: async () => `boot-${bootCount}`,
      open: (open) => {
        bootCount++
        return source.open(open)
      },
    }
  }),
]

describe("the block-file suite", () => {
  it.each(MUTANTS)("notices a file that $title, by $breaks", async ({ breaks, harness }) => {
    const clauses = blockFileClauses().filter((clause) => clause.promise === breaks)
    const outcomes = await runAll(clauses, { open: () => simFileHarness({ seed: 9, ...harness }) })
    const broken = outcomes.filter(({ error }) => error !== undefined)
    expect(broken.length).toBeGreaterThan(0)
    for (const { error } of broken) expect(error).not.toBeInstanceOf(TypeError)
  })

  it("has a mutant for every promise", () => {
    const promises = new Set(blockFileClauses().map(({ promise }) => promise))
    expect([...new Set(MUTANTS.map(({ breaks }) => breaks))].sort()).toEqual([...promises].sort())
  })
})
