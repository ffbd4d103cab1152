/**
 * Uuids: sixteen bytes on a wire or a medium, 32 lower-case hex digits everywhere else.
 *
 * All zero stands for none, so a uuid that is drawn is never that.
 */
import { assert } from "./assert.js"
import type { Env } from "./ports/env.js"
import { type Uuid, ZERO_UUID } from "./rules/pool-metadata.js"

const UUID_BYTES = 16
const UUID_DIGITS = /^[0-9a-f]{32}$/

export function randomUuid({ random }: Pick<Env, "random">): Uuid {
  const view = new DataView(new ArrayBuffer(UUID_BYTES))
  let uuid: Uuid
  do {
    random.fill(new Uint8Array(view.buffer))
    uuid = readUuid(view, 0)
  } while (uuid === ZERO_UUID)
  return uuid
}

export function readUuid(view: DataView, at: number): Uuid {
  let digits = ""
  for (let nth = 0; nth < UUID_BYTES; nth++) digits += DIGITS[view.getUint8(at + nth)]
  return digits
}

/** Whether it lies there, without a string for it. */
export function isUuid(view: DataView, at: number, uuid: Uuid): boolean {
  for (let nth = 0; nth < UUID_BYTES; nth++) {
    const byte = view.getUint8(at + nth)
    if (uuid.charCodeAt(2 * nth) !== digitCode(byte >> 4)) return false
    if (uuid.charCodeAt(2 * nth + 1) !== digitCode(byte & 15)) return false
  }
  return uuid.length === 2 * UUID_BYTES
}

/** Of a hex digit, as a character. */
function digitCode(digit: number): number {
  return digit < 10 ? CODE_OF_0 + digit : CODE_OF_A + digit - 10
}

const CODE_OF_0 = 0x30
const CODE_OF_A = 0x61

const DIGITS: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).padStart(2, "0"),
)

export function writeUuid(view: DataView, at: number, uuid: Uuid): void {
  assert(UUID_DIGITS.test(uuid), `${uuid} is 32 lower-case hex digits`)
  for (let nth = 0; nth < UUID_BYTES; nth++) {
    view.setUint8(at + nth, Number.parseInt(uuid.slice(2 * nth, 2 * nth + 2), 16))
  }
}
