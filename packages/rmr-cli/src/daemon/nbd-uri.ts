/**
 * The address of an export, for programs: an NBD URI. What has a meaning there and is part of a
 * name is written in percents; slashes of a path are not, so that people can read it.
 */
import type { NbdAddress } from "../config/config.js"

/** `at` is where it is listened, which a configuration with port 0 does not say. */
export function nbdUri(at: NbdAddress, name: string): string {
  const exported = encodeURIComponent(name)
  if ("path" in at) {
    const path = at.path.split("/").map(encodeURIComponent).join("/")
    return `nbd+unix:///${exported}?socket=${path}`
  }
  const host = at.host.includes(":") ? `[${at.host}]` : at.host
  return `nbd://${host}:${at.port}/${exported}`
}
