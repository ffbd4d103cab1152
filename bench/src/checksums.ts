/**
 * CRC-32C in plain JavaScript and natively: nanoseconds per call, the call included.
 *
 * The lengths are those of a small message, a sector, a block, and payloads. Where the two meet is
 * what ARENA_BYTES_MIN and VIEW_BYTES_MIN of @rmr/io stand on. Without the native addon both are
 * the same function, and the benches of `fastChecksum` are left out.
 */
import { type Checksum, crc32c } from "@rmr/core"
import { fastChecksum, nativeStatus, pageArenas } from "@rmr/io"
import { type Bench, elapsedMs, keep, times } from "./bench.js"

const KIB = 1024
const MEMORY_BYTES = 2 * KIB * KIB
/** As many bytes in each measurement, and as many calls at most. */
const BYTES_SUMMED = 512 * KIB * KIB
const CALLS_MAX = 2_000_000
const LENGTHS: readonly (readonly [bytes: number, name: string])[] = [
  [64, "64 B"],
  [128, "128 B"],
  [256, "256 B"],
  [512, "512 B"],
  [4 * KIB, "4 KiB"],
  [64 * KIB, "64 KiB"],
  [KIB * KIB, "1 MiB"],
]

function bench(name: string, sum: Checksum, makeMemory: () => ArrayBufferLike): Bench[] {
  return LENGTHS.map(([bytes, length]) => ({
    name: `${name}, ${length}`,
    unit: "ns",
    better: "less",
    run: (scale) => {
      const view = new DataView(makeMemory())
      for (let at = 0; at < MEMORY_BYTES; at += 4) view.setInt32(at, Math.imul(at, 0x9e3779b1))
      const calls = times(Math.min(CALLS_MAX, BYTES_SUMMED / bytes), scale)
      const ms = elapsedMs(() => {
        let all = 0
        for (let nth = 0; nth < calls; nth++) all ^= sum(view, (nth & 7) * 64, bytes)
        keep(all)
      })
      return (ms * 1e6) / calls
    },
  }))
}

const arena = (): ArrayBufferLike => pageArenas([MEMORY_BYTES])[0]!.buffer
const ordinary = (): ArrayBufferLike => new ArrayBuffer(MEMORY_BYTES)

export const benches: readonly Bench[] = [
  ...bench("crc32c in JavaScript", crc32c, arena),
  ...(nativeStatus().isLoaded
    ? [
        ...bench("fastChecksum, an arena", fastChecksum(), arena),
        ...bench("fastChecksum, other memory", fastChecksum(), ordinary),
      ]
    : []),
]
