/**
 * Stores that are wrong about data: what they read, keep, tear, refuse and complete.
 */
import type { BlockEvents, Random, Store, StoreOpen, StoreSource } from "@rmr/core"
import {
  AssertionError,
  BLOCK_BAD_AT,
  BLOCK_STATUS,
  leaseBytes,
  RmrError,
  STATUS_OK,
  statusOf,
} from "@rmr/core"
import { CachedBytes } from "../src/store/cached-bytes.js"
import { MemoryMedium } from "../src/store/memory-medium.js"
import { OpenMemoryStore } from "../src/store/open-memory-store.js"
import { batchOf, overlay, rowsOf } from "./block-mutant.js"
import type { StoreMutant } from "./store-mutant.js"
import { altered, alteredCompletions, withParts, wrapped } from "./store-mutant.js"

const JUNK_BYTE = 0x5a
const MEDIA_ERROR = statusOf("media-error")

/** A medium whose bytes are of another class. */
function mediumOf(Cache: new (unitBytes: number) => CachedBytes): typeof MemoryMedium {
  return class extends MemoryMedium {
    protected override cacheOf(unitBytes: number): CachedBytes {
      return new Cache(unitBytes)
    }
  }
}

class JunkBytes extends CachedBytes {
  private readonly written = new Set<number>()

  override read(offset: number, into: Uint8Array): void {
    super.read(offset, into)
    for (let at = 0; at < into.length; at += this.unitBytes) {
      if (!this.written.has(offset + at)) into.fill(JUNK_BYTE, at, at + this.unitBytes)
    }
  }

  override write(offset: number, from: Uint8Array): void {
    super.write(offset, from)
    for (let at = 0; at < from.length; at += this.unitBytes) this.written.add(offset + at)
  }
}

class RememberingBytes extends CachedBytes {
  private readonly remembered = new Map<number, Uint8Array>()

  override read(offset: number, into: Uint8Array): void {
    const known = this.remembered.get(offset)
    if (known?.length === into.length) into.set(known)
    else super.read(offset, into)
    this.remembered.set(offset, into.slice())
  }
}

class ForgetfulBytes extends CachedBytes {
  private writeCount = 0

  override write(offset: number, from: Uint8Array): void {
    this.writeCount++
    if (this.writeCount % 23 !== 0) super.write(offset, from)
  }
}

class TearingBytes extends CachedBytes {
  override loseCache(random: Random): void {
    const half = this.unitBytes / 2
    for (const unit of [...this.unflushed]) {
      const second = new Uint8Array(half)
      this.current.read(unit * this.unitBytes + half, second)
      super.revert(unit)
      this.current.write(unit * this.unitBytes + half, second)
    }
    super.loseCache(random)
  }
}

class HalfZeroBytes extends CachedBytes {
  override zero(offset: number, bytes: number, givesBack: boolean): void {
    super.zero(offset, Math.max(this.unitBytes, bytes / 2), givesBack)
  }
}

class HoardingBytes extends CachedBytes {
  override zero(offset: number, bytes: number): void {
    super.zero(offset, bytes, false)
  }
}

class UnclosedMedium extends MemoryMedium {
  override closeCleanly(): void {
    this.isOpen = false
  }
}

class JunkGrowthMedium extends MemoryMedium {
  override grow(sizeBytes: number): void {
    const before = this.sizeBytes
    super.grow(sizeBytes)
    if (sizeBytes > before) this.data.write(before, new Uint8Array(4096).fill(JUNK_BYTE))
  }
}

class ShrinkingMedium extends MemoryMedium {
  override grow(sizeBytes: number): void {
    super.grow(sizeBytes)
    this.sizeBytes = sizeBytes
  }
}

/** The cache belongs to the process, and dies with it. */
class MortalCacheStore extends OpenMemoryStore {
  override die(): void {
    super.die()
    this.medium.data.loseCache(this.medium.random)
  }
}

/** Overlapping writes take half of each unit from each other. */
function mixing(store: Store, open: StoreOpen): Partial<Store> {
  const recent: { offset: number; content: Uint8Array }[] = []
  return {
    write: (token, offset, lease, at, bytes, flags) => {
      const content = leaseBytes(open.memory, lease, at, bytes)
      const own = content.slice()
      for (const other of recent) {
        for (let unit = 0; unit < bytes; unit += store.atomicBytes) {
          const from = offset + unit - other.offset
          if (from < 0 || from >= other.content.length) continue
          content.set(other.content.subarray(from, from + store.atomicBytes / 2), unit)
        }
      }
      recent.push({ offset, content: own })
      open.env.clock.endOfTurn(() => recent.shift())
      store.write(token, offset, lease, at, bytes, flags)
    },
  }
}

function copying(store: Store, open: StoreOpen): Partial<Store> {
  const { memory } = open
  return {
    write: (token, offset, lease, at, bytes, flags) => {
      const copy = memory.lease(at + bytes)
      leaseBytes(memory, copy, at, bytes).set(leaseBytes(memory, lease, at, bytes))
      store.write(token, offset, copy, at, bytes, flags)
      memory.release(copy)
    },
  }
}

function shared(source: StoreSource): StoreSource {
  let last: Store | undefined
  return {
    name: source.name,
    open: async (open) => {
      try {
        last = await source.open(open)
      } catch (thrown) {
        if (last === undefined || !(thrown instanceof RmrError)) throw thrown
      }
      return last
    },
  }
}

/** Once close was asked, nobody is told of anything. */
function forgetting(source: StoreSource): StoreSource {
  return {
    name: source.name,
    open: async (open) => {
      let isClosing = false
      const events: BlockEvents = {
        onCompletions: (batch) => {
          if (!isClosing) open.events.onCompletions(batch)
        },
      }
      const store = await source.open({ ...open, events })
      const close = (): Promise<void> => {
        isClosing = true
        return store.close()
      }
      return overlay(store, { close })
    },
  }
}

function despairing(source: StoreSource): StoreSource {
  return {
    name: source.name,
    open: async (open) => {
      const events: BlockEvents = {
        onCompletions: (batch) => {
          const rows = rowsOf(batch)
          if (rows.some((row) => row[BLOCK_STATUS] === MEDIA_ERROR)) void store.close()
          open.events.onCompletions(batch)
        },
      }
      const store = await source.open({ ...open, events })
      return store
    },
  }
}

export const DATA_MUTANTS: readonly StoreMutant[] = [
  altered("acknowledges FUA before it is durable", "S6", (store) => ({
    write: (token, offset, lease, at, bytes) => store.write(token, offset, lease, at, bytes, 0),
  })),
  altered("flushes nothing", "S6", (store) => ({ flush: (token) => store.heat(token, []) })),
  withParts("closes without flushing", "S6", { Medium: UnclosedMedium }),
  withParts("tears a unit when power fails", "S7", { Medium: mediumOf(TearingBytes) }),
  withParts("loses completed writes with the process", "S7", { Open: MortalCacheStore }),
  altered("mixes writes that overlap", "S5", mixing),
  withParts("shows junk where nothing was written", "S2", { Medium: mediumOf(JunkBytes) }),
  withParts("grows by junk", "S2", { Medium: JunkGrowthMedium }),
  withParts("shrinks when asked to grow by less", "S1", { Medium: ShrinkingMedium }),
  withParts("reads what it read before", "S3", { Medium: mediumOf(RememberingBytes) }),
  withParts("forgets a write in twenty-three", "S14", { Medium: mediumOf(ForgetfulBytes) }),
  altered("accepts one block past the end", "S4", (store) => ({
    read: (token, offset, lease, at, bytes) => {
      const from = offset === store.sizeBytes ? offset - bytes : offset
      store.read(token, from, lease, at, bytes)
    },
  })),
  altered("rounds misaligned offsets", "S4", (store) => ({
    write: (token, offset, lease, at, bytes, flags) => {
      const rounded = offset > 0 ? offset - (offset % store.blockBytes) : offset
      store.write(token, rounded, lease, at, bytes, flags)
    },
  })),
  altered("takes unaligned memory", "S4", (store) => ({
    read: (token, offset, lease, at, bytes) => {
      const aligned = at > 0 ? at - (at % store.blockBytes) : at
      store.read(token, offset, lease, aligned, bytes)
    },
  })),
  withParts("zeroes half of the range", "S8", { Medium: mediumOf(HalfZeroBytes) }),
  withParts("declares unmap and gives nothing back", "S8", { Medium: mediumOf(HoardingBytes) }),
  wrapped("lets a second one in", "S11", shared),
  altered("closes without waiting", "S12", (store) => ({
    close: async () => void store.close(),
  })),
  wrapped("forgets what is pending at close", "S12", forgetting),
  altered("goes on working while it closes", "S12", (store, open) => {
    let closing: Promise<void> | undefined
    const closeLater = async (): Promise<void> => {
      await new Promise<void>((resolve) => void open.env.clock.schedule(5, resolve))
      await store.close()
    }
    return {
      close: () => {
        closing ??= closeLater()
        return closing
      },
    }
  }),
  wrapped("takes a media error for the end", "S13", despairing),
  alteredCompletions("names the bad range by another beginning", "S13", (rows) =>
    rows.map((row) => {
      if (row[BLOCK_STATUS] === MEDIA_ERROR) row[BLOCK_BAD_AT] = 0
      return row
    }),
  ),
  alteredCompletions("calls a failed flush done", "S13", (rows) =>
    rows.map((row) => {
      if (row[BLOCK_STATUS] === statusOf("io-error")) row[BLOCK_STATUS] = STATUS_OK
      return row
    }),
  ),
  altered("leaks a lease", "S15", (store, open) => ({
    read: (token, offset, lease, at, bytes) => {
      if (offset < store.sizeBytes) open.memory.retain(lease)
      store.read(token, offset, lease, at, bytes)
    },
  })),
  altered("lets a lease go before it is done", "S15", copying),
  altered("leaves a timer behind", "S15", (store, open) => ({
    close: async () => {
      open.env.clock.schedule(60_000, () => undefined)
      await store.close()
    },
  })),
  alteredCompletions("completes twice", "S18", (rows) => [...rows, ...rows.slice(0, 1)]),
  altered("refuses inside the call", "S18", (store, open) => ({
    read: (token, offset, lease, at, bytes) => {
      if (offset < store.sizeBytes) store.read(token, offset, lease, at, bytes)
      else {
        const refusal = Int32Array.of(token, statusOf("invalid-range"), 0, 0)
        open.events.onCompletions(batchOf([refusal]))
      }
    },
  })),
  altered("throws where it should refuse", "S4", (store) => ({
    zero: (token, offset, bytes, flags) => {
      if (bytes <= 0) throw new AssertionError("nothing to zero")
      store.zero(token, offset, bytes, flags)
    },
  })),
]
