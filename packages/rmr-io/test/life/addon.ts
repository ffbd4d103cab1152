/** The addon of a thread whose story is about nothing else. */
import { type NativeAddon, nativeAddon, nativeStatus } from "../../src/native-addon.js"

export function addonOrThrow(): NativeAddon {
  const addon = nativeAddon()
  if (addon === undefined) throw new Error(nativeStatus().reason)
  return addon
}

/** Bytes that differ from place to place and from seed to seed. */
export function bytesOf(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let at = 0; at < length; at++) bytes[at] = at * 7 + (at >> 8) + seed
  return bytes
}
