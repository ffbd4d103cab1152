/**
 * The native part of this package, where it was built for this machine, and its plain twin.
 *
 * It is a file beside the package (`build/rmr-io.node`), made by the set-up of the repository where
 * there is a compiler. Without it everything works the same, only slower; `RMR_NATIVE=off` says to
 * do without.
 */
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"
import { type Checksum, crc32c } from "@rmr/core"

interface Native {
  /** Absent where the processor has no instruction for it. */
  readonly crc32c?: (buffer: ArrayBufferLike, at: number, bytes: number) => number
}

export interface NativeStatus {
  readonly isLoaded: boolean
  /** Why not, for people; empty where it is. */
  readonly why: string
}

/** From `src/native` and from `dist`. */
const PLACES = ["../../build/rmr-io.node", "../build/rmr-io.node"]

/** Below this the call costs more than it saves. */
const NATIVE_BYTES_MIN = 256

const loaded: { readonly native: Native; readonly status: NativeStatus } = load()

export function nativeStatus(): NativeStatus {
  return loaded.status
}

/** CRC-32C by the processor where that is possible, in JavaScript elsewhere: the same numbers. */
export function fastChecksum(): Checksum {
  const { crc32c: native } = loaded.native
  if (native === undefined) return crc32c
  return (view, at, bytes) =>
    bytes < NATIVE_BYTES_MIN
      ? crc32c(view, at, bytes)
      : native(view.buffer, view.byteOffset + at, bytes)
}

function load(): { readonly native: Native; readonly status: NativeStatus } {
  if (process.env["RMR_NATIVE"] === "off") return without("RMR_NATIVE=off")
  const path = PLACES.map((place) => fileURLToPath(new URL(place, import.meta.url))).find(
    existsSync,
  )
  if (path === undefined) return without("it was not built on this machine")
  try {
    const native = createRequire(import.meta.url)(path) as Native
    return { native, status: { isLoaded: true, why: "" } }
  } catch (thrown) {
    return without(thrown instanceof Error ? thrown.message : String(thrown))
  }
}

function without(why: string): { readonly native: Native; readonly status: NativeStatus } {
  return { native: {}, status: { isLoaded: false, why } }
}
