/** Uuids of places as 32 hexadecimal digits, and as sixteen bytes on the medium. */
import type { Env } from "@rmr/core"
import { assert } from "@rmr/core"

export const UUID_BYTES = 16

export function putUuid(view: DataView, at: number, uuid: string): void {
  assert(/^[0-9a-f]{32}$/.test(uuid), `${uuid} is a uuid`)
  for (let nth = 0; nth < UUID_BYTES; nth++) {
    view.setUint8(at + nth, Number.parseInt(uuid.slice(2 * nth, 2 * nth + 2), 16))
  }
}

export function uuidAt(view: DataView, at: number): string {
  let uuid = ""
  for (let nth = 0; nth < UUID_BYTES; nth++) {
    uuid += view
      .getUint8(at + nth)
      .toString(16)
      .padStart(2, "0")
  }
  return uuid
}

export function newUuid(env: Env): string {
  const bytes = new Uint8Array(UUID_BYTES)
  env.random.fill(bytes)
  return uuidAt(new DataView(bytes.buffer), 0)
}
