/**
 * The memory suite is tested by memories with one defect each, and by a second honest
 * implementation that works quite differently from the one of production.
 */
import type { Arena, Lease, Memory, MemoryStats } from "@rmr/core"
import { assert, NO_LEASE } from "@rmr/core"
import { brokenPromises, runAll } from "../clause.js"
import type { MemoryShape } from "./harness.js"
import { memoryClauses } from "./index.js"

const PAGE = 4096

interface Block {
  readonly arena: number
  readonly page: number
  readonly pages: number
  references: number
}

/** First fit over a table of pages; slow, simple, and made to be broken in one method at a time. */
class PlainMemory implements Memory {
  readonly arenas: readonly Arena[]
  readonly leaseBytesMax: number
  protected readonly blocks = new Map<Lease, Block>()
  protected readonly taken: boolean[][]
  protected waiting: { run: () => void; free: number; longest: number }[] = []
  protected handleNext = 1
  protected readonly leaseCountMax: number

  constructor({ arenaBytes, leaseCountMax }: MemoryShape) {
    this.arenas = arenaBytes.map((size, index) => {
      const bytes = new Uint8Array(size)
      return { index, bytes, view: new DataView(bytes.buffer) }
    })
    this.leaseBytesMax = Math.max(...arenaBytes)
    this.leaseCountMax = leaseCountMax
    this.taken = arenaBytes.map((size) => new Array<boolean>(size / PAGE).fill(false))
  }

  lease(bytes: number): Lease {
    assert(Number.isInteger(bytes) && bytes >= 1 && bytes <= this.leaseBytesMax, "a size")
    const pages = this.pagesFor(bytes)
    if (this.blocks.size >= this.leaseCountMax) return NO_LEASE
    for (const [arena, taken] of this.taken.entries()) {
      const page = firstRun(taken, pages)
      if (page < 0) continue
      taken.fill(true, page, page + pages)
      return this.open({ arena, page, pages, references: 1 })
    }
    return NO_LEASE
  }

  retain(lease: Lease): void {
    this.block(lease).references++
  }

  release(lease: Lease): void {
    const block = this.block(lease)
    if (--block.references > 0) return
    this.blocks.delete(lease)
    this.taken[block.arena]!.fill(false, block.page, block.page + block.pages)
    this.wake()
  }

  arenaOf(lease: Lease): Arena {
    return this.arenas[this.block(lease).arena]!
  }

  offsetOf(lease: Lease): number {
    return this.block(lease).page * PAGE
  }

  capacityOf(lease: Lease): number {
    return this.block(lease).pages * PAGE
  }

  whenFree(run: () => void): void {
    this.waiting.push({ run, ...this.room() })
  }

  stats(): MemoryStats {
    const pages = this.taken.flat()
    const leased = pages.filter((isTaken) => isTaken).length
    return {
      arenaBytes: pages.length * PAGE,
      leasedBytes: leased * PAGE,
      leaseCount: this.blocks.size,
    }
  }

  protected pagesFor(bytes: number): number {
    return Math.ceil(bytes / PAGE)
  }

  protected open(block: Block): Lease {
    const lease = this.handleNext++ as Lease
    // Handles are sparse, so that no small number is one by accident.
    const handle = (lease * 1_000_003) as Lease
    this.blocks.set(handle, block)
    return handle
  }

  protected block(lease: Lease): Block {
    const block = this.blocks.get(lease)
    assert(block !== undefined, `lease ${lease} is not live`)
    return block
  }

  protected room(): { free: number; longest: number } {
    if (this.blocks.size >= this.leaseCountMax) return { free: -1, longest: -1 }
    const free = this.taken.flat().filter((isTaken) => !isTaken).length
    return { free, longest: Math.max(...this.taken.map(longestRun)) }
  }

  protected wake(): void {
    for (;;) {
      const { free, longest } = this.room()
      const at = this.waiting.findIndex((one) => free > one.free || longest > one.longest)
      if (at < 0 || free <= 0) return
      this.waiting.splice(at, 1)[0]!.run()
    }
  }
}

function firstRun(taken: readonly boolean[], pages: number): number {
  for (let page = 0; page + pages <= taken.length; page++) {
    if (!taken.slice(page, page + pages).includes(true)) return page
  }
  return -1
}

function longestRun(taken: readonly boolean[]): number {
  let pages = 0
  while (pages < taken.length && firstRun(taken, pages + 1) >= 0) pages++
  return pages
}

interface Mutant {
  readonly name: string
  /** The promise that must notice. */
  readonly caughtBy: string
  readonly make: new (shape: MemoryShape) => Memory
}

const mutants: readonly Mutant[] = [
  {
    name: "forgets the last page that a lease covers",
    caughtBy: "A1",
    make: class extends PlainMemory {
      override lease(bytes: number): Lease {
        const lease = super.lease(bytes)
        const block = this.blocks.get(lease)
        if (block !== undefined && block.pages > 1) {
          this.taken[block.arena]![block.page + block.pages - 1] = false
        }
        return lease
      }
    },
  },
  {
    name: "starts leases behind a header of 64 bytes",
    caughtBy: "A1",
    make: class extends PlainMemory {
      override offsetOf(lease: Lease): number {
        return super.offsetOf(lease) + 64
      }
      override capacityOf(lease: Lease): number {
        return super.capacityOf(lease) - 64
      }
    },
  },
  {
    name: "rounds sizes down",
    caughtBy: "A1",
    make: class extends PlainMemory {
      protected override pagesFor(bytes: number): number {
        return Math.max(1, Math.floor(bytes / PAGE))
      }
    },
  },
  {
    name: "gives every lease a view of its own memory",
    caughtBy: "A1",
    make: class extends PlainMemory {
      override arenaOf(lease: Lease): Arena {
        const { index, bytes } = super.arenaOf(lease)
        return { index, bytes, view: new DataView(bytes.slice().buffer) }
      }
    },
  },
  {
    name: "does not count retains",
    caughtBy: "A2",
    make: class extends PlainMemory {
      override retain(lease: Lease): void {
        this.block(lease)
      }
    },
  },
  {
    name: "keeps the pages of a lease that was retained",
    caughtBy: "A2",
    make: class extends PlainMemory {
      private readonly retained = new Set<Block>()
      override retain(lease: Lease): void {
        this.retained.add(this.block(lease))
        super.retain(lease)
      }
      override release(lease: Lease): void {
        const block = this.block(lease)
        super.release(lease)
        if (block.references === 0 && this.retained.has(block)) {
          this.taken[block.arena]!.fill(true, block.page, block.page + block.pages)
        }
      }
    },
  },
  {
    name: "uses the place in memory as the handle",
    caughtBy: "A3",
    make: class extends PlainMemory {
      protected override open(block: Block): Lease {
        const handle = (block.arena * 100_000 + block.page + 10_000) as Lease
        this.blocks.set(handle, block)
        return handle
      }
    },
  },
  {
    name: "has two bits of generation",
    caughtBy: "A3",
    make: class extends PlainMemory {
      private generation = 0
      protected override open(block: Block): Lease {
        this.generation = (this.generation + 1) % 4
        const place = block.arena * 100_000 + block.page + 10_000
        const handle = (place * 4 + this.generation) as Lease
        this.blocks.set(handle, block)
        return handle
      }
    },
  },
  {
    name: "takes a second release for nothing",
    caughtBy: "A3",
    make: class extends PlainMemory {
      override release(lease: Lease): void {
        if (this.blocks.has(lease)) super.release(lease)
      }
    },
  },
  {
    name: "throws when it is full",
    caughtBy: "A4",
    make: class extends PlainMemory {
      override lease(bytes: number): Lease {
        const lease = super.lease(bytes)
        if (lease === NO_LEASE) throw new RangeError("out of memory")
        return lease
      }
    },
  },
  {
    name: "clears a page while it looks for room in vain",
    caughtBy: "A4",
    make: class extends PlainMemory {
      override lease(bytes: number): Lease {
        const lease = super.lease(bytes)
        if (lease === NO_LEASE) this.arenas[0]!.bytes.fill(0xff, 0, PAGE)
        return lease
      }
    },
  },
  {
    name: "has no bound on the count of leases",
    caughtBy: "A4",
    make: class extends PlainMemory {
      constructor(shape: MemoryShape) {
        super({ ...shape, leaseCountMax: Number.POSITIVE_INFINITY })
      }
    },
  },
  {
    name: "never makes one large piece of small ones",
    caughtBy: "A4",
    make: class extends PlainMemory {
      private hasSplit = false
      override lease(bytes: number): Lease {
        if (this.hasSplit && bytes === this.leaseBytesMax) return NO_LEASE
        this.hasSplit ||= bytes <= PAGE
        return super.lease(bytes)
      }
    },
  },
  {
    name: "answers a wish that can never come true with a wait",
    caughtBy: "A4",
    make: class extends PlainMemory {
      override lease(bytes: number): Lease {
        return bytes > this.leaseBytesMax ? NO_LEASE : super.lease(bytes)
      }
    },
  },
  {
    name: "runs a waiter at once when there is room",
    caughtBy: "A5",
    make: class extends PlainMemory {
      override whenFree(run: () => void): void {
        if (this.room().free > 0) run()
        else super.whenFree(run)
      }
    },
  },
  {
    name: "forgets all waiters but the first",
    caughtBy: "A5",
    make: class extends PlainMemory {
      protected override wake(): void {
        super.wake()
        this.waiting = []
      }
    },
  },
  {
    name: "serves the latest first",
    caughtBy: "A5",
    make: class extends PlainMemory {
      protected override wake(): void {
        this.waiting.reverse()
        super.wake()
      }
    },
  },
  {
    name: "runs a waiter at every release from then on",
    caughtBy: "A5",
    make: class extends PlainMemory {
      private readonly everybody: (() => void)[] = []
      override whenFree(run: () => void): void {
        this.everybody.push(run)
      }
      protected override wake(): void {
        for (const run of this.everybody) run()
      }
    },
  },
  {
    name: "takes a lost reference for room",
    caughtBy: "A5",
    make: class extends PlainMemory {
      override release(lease: Lease): void {
        super.release(lease)
        for (const { run } of this.waiting.splice(0)) run()
      }
    },
  },
  {
    name: "wakes everybody for a release inside a waiter",
    caughtBy: "A5",
    make: class extends PlainMemory {
      protected override wake(): void {
        for (let one = this.waiting.shift(); one !== undefined; one = this.waiting.shift()) {
          if (this.room().free <= 0) {
            this.waiting.unshift(one)
            return
          }
          one.run()
        }
      }
    },
  },
]

async function brokenBy(make: new (shape: MemoryShape) => Memory): Promise<string[]> {
  const create = (shape: MemoryShape): Memory => new make(shape)
  return brokenPromises(await runAll(memoryClauses, { open: () => ({ create }) }))
}

describe("the memory suite", () => {
  it("passes an honest memory that is nothing like the one of production", async () => {
    const outcomes = await runAll(memoryClauses, {
      open: () => ({ create: (shape: MemoryShape) => new PlainMemory(shape) }),
    })
    expect(outcomes.filter((outcome) => outcome.error !== undefined)).toEqual([])
  })

  it.each(mutants)("$caughtBy catches a memory that $name", async ({ caughtBy, make }) => {
    expect(await brokenBy(make)).toContain(caughtBy)
  })

  it("has a mutant for every promise it tests", () => {
    const tested = new Set(memoryClauses.map((clause) => clause.promise))
    expect(new Set(mutants.map((mutant) => mutant.caughtBy))).toEqual(tested)
  })
})
