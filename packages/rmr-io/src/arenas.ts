/**
 * Arenas for `buddyMemory` that start on a page of the machine, so that direct IO takes leases.
 *
 * Node does not say where an ArrayBuffer lies. The one kind of memory whose place is promised is
 * that of WebAssembly: whole pages of 64 KiB from the kernel, which never move and are all zeroes.
 * Pages cost nothing before they are touched. A size that is smaller than such a page is cut from
 * the start of one.
 */
import { assert, RmrError } from "@rmr/core"
import { addArena } from "./arena-slots.js"

const WASM_PAGE_BYTES = 64 * 1024
/** What one WebAssembly memory can have. */
export const ARENA_BYTES_MAX: number = 2 ** 31

// Typed here by what is used: the compiler's own types of it come with those of a browser.
interface PageMemory {
  readonly buffer: ArrayBuffer
}
declare const WebAssembly: {
  Memory: new (descriptor: { initial: number; maximum: number }) => PageMemory
}

/** An arena per size; each a power of two of 4 KiB…2 GiB. Fails with `out-of-memory`. */
export function pageArenas(sizes: readonly number[]): Uint8Array[] {
  return sizes.map((bytes) => {
    const isSize = Number.isInteger(Math.log2(bytes)) && bytes >= 4096 && bytes <= ARENA_BYTES_MAX
    assert(isSize, `an arena of ${bytes} bytes is not a power of two of 4 KiB…2 GiB`)
    const count = Math.ceil(bytes / WASM_PAGE_BYTES)
    try {
      const memory = new WebAssembly.Memory({ initial: count, maximum: count })
      addArena(memory.buffer)
      return new Uint8Array(memory.buffer, 0, bytes)
    } catch (cause) {
      throw new RmrError("out-of-memory", `no arena of ${bytes} bytes`, { cause })
    }
  })
}
