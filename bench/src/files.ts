/**
 * Files behind the block-file port: 4 KiB at a time, 32 in flight, through the cache and past it,
 * on the disk that the temporary folder is on.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { BLOCK_STRIDE, BLOCK_TOKEN, type BlockBatch, type BlockFile, buddyMemory } from "@rmr/core"
import { createFile, fileSource, pageArenas, realEnv } from "@rmr/io"
import { type Bench, times } from "./bench.js"

const DEPTH = 32
const BYTES = 4096
const FILE_BYTES = 64 * 1024 * 1024

type Kind = "read" | "write"

async function thousandsPerSecond(
  folder: string,
  direct: "on" | "off",
  kind: Kind,
  scale: number,
): Promise<number> {
  const place = mkdtempSync(join(folder, "rmr-bench-"))
  try {
    const path = join(place, "file")
    await createFile(path, FILE_BYTES)
    const memory = buddyMemory({ arenas: pageArenas([1024 * 1024]), leaseCountMax: DEPTH + 1 })
    const leases = Array.from({ length: DEPTH }, () => memory.lease(BYTES))
    let file: BlockFile | undefined
    let left = times(direct === "on" ? 20_000 : 200_000, scale)
    let open = 0
    let block = 0
    const step = (slot: number): void => {
      block = (block + 7919) % (FILE_BYTES / BYTES)
      if (kind === "read") file!.read(slot, block * BYTES, leases[slot]!, 0, BYTES)
      else file!.write(slot, block * BYTES, leases[slot]!, 0, BYTES, 0)
      open++
      left--
    }
    let finish: () => void = () => undefined
    const onCompletions = ({ count, words }: BlockBatch): void => {
      for (let nth = 0; nth < count; nth++) {
        open--
        if (words[nth * BLOCK_STRIDE + 1] !== 0) throw new Error("an operation failed")
        if (left > 0) step(words[nth * BLOCK_STRIDE + BLOCK_TOKEN]!)
      }
      if (open === 0) finish()
    }
    const options = { env: realEnv(), memory, events: { onCompletions } }
    file = await fileSource(path, { direct }).open(options)
    const count = left
    const startMs = performance.now()
    const finished = new Promise<void>((resolve) => {
      finish = resolve
    })
    for (let slot = 0; slot < DEPTH && left > 0; slot++) step(slot)
    await finished
    const ms = performance.now() - startMs
    await file.close()
    return count / ms
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
}

function bench(name: string, folder: string, direct: "on" | "off", kind: Kind): Bench {
  return {
    name,
    unit: "k/s",
    better: "more",
    run: (scale) => thousandsPerSecond(folder, direct, kind, scale),
  }
}

export const benches: readonly Bench[] = [
  bench("through the cache: 4 KiB reads, 32 in flight", tmpdir(), "off", "read"),
  bench("through the cache: 4 KiB writes, 32 in flight", tmpdir(), "off", "write"),
  bench("past the cache: 4 KiB reads, 32 in flight", tmpdir(), "on", "read"),
  bench("past the cache: 4 KiB writes, 32 in flight", tmpdir(), "on", "write"),
]
