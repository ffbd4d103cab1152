/**
 * What all cells have in common: a head that says what the bytes are, and a checksum behind them.
 *
 * ```
 *   0        4         6           8                     n-4          n
 *   | magic  | format  | reserved  | what the kind holds | CRC-32C    |
 * ```
 *
 * A store keeps cells as bytes and gives them no meaning (ports/store.ts). It has checksums of its
 * own; these are for what a store cannot see: bytes of another kind, or of another version of this
 * program. A cell is read as a whole or not at all, and two that mean the same have the same bytes.
 */
import { assert } from "../assert.js"
import { CELL_BYTES_MAX, type CellKind } from "../ports/store.js"
import { reserved, U16, U32 } from "../wire/field-types.js"
import { CRC_BYTES, isSealed, sealMessage } from "../wire/header.js"
import { type Layout, type Struct, struct } from "../wire/layout.js"
import { Refused } from "../wire/refusal.js"

export interface CellCodec<Value> {
  readonly kind: CellKind
  /** What is between head and checksum. */
  readonly layout: Layout
  /** The cell as bytes of its own, for a `CellWrite`. */
  encode(value: Value): Uint8Array
  /** The cell in exactly these bytes, or why there is none. */
  decode(bytes: Uint8Array): Value | Refused
}

interface CellHead {
  readonly magic: number
  readonly format: number
}

export const CELL_HEAD: Struct<CellHead> = struct<CellHead>("cell head", 8, [
  ["magic", 0, U32, "four letters that name the kind"],
  ["format", 4, U16, "format of this kind of cell; another one is refused, never guessed"],
  ["reserved", 6, reserved(2), "must be zero"],
])

/** The only format of every kind so far. */
export const CELL_FORMAT = 1

/** Bytes of a cell beside its layout. */
export const CELL_OVERHEAD_BYTES: number = CELL_HEAD.bytes + CRC_BYTES

/** `check` refuses values that no rule could have made. */
export function cellCodec<Value>(
  kind: CellKind,
  letters: string,
  layout: Struct<Value>,
  check: (value: Value) => Refused | undefined,
): CellCodec<Value> {
  const magic = magicOf(letters)
  assert(layout.bytesMax + CELL_OVERHEAD_BYTES <= CELL_BYTES_MAX[kind], `a ${kind} cell fits`)
  return {
    kind,
    layout,
    encode(value) {
      const refused = check(value)
      assert(refused === undefined, `a ${kind} cell is valid: ${refused?.toError().detail}`)
      const bytes = new Uint8Array(layout.bytesOf(value) + CELL_OVERHEAD_BYTES)
      const view = new DataView(bytes.buffer)
      CELL_HEAD.write(view, 0, { magic, format: CELL_FORMAT })
      layout.write(view, CELL_HEAD.bytes, value)
      sealMessage(view, 0, bytes.length - CRC_BYTES)
      return bytes
    },
    decode(bytes) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      const refused = refuseHead(view, magic)
      if (refused !== undefined) return refused.in(kind)
      const value = layout.read(view, CELL_HEAD.bytes, bytes.length - CELL_OVERHEAD_BYTES)
      if (value instanceof Refused) return value.in(kind)
      return check(value)?.in(kind) ?? value
    },
  }
}

function refuseHead(view: DataView, magic: number): Refused | undefined {
  if (view.byteLength < CELL_OVERHEAD_BYTES) return new Refused("short")
  const head = CELL_HEAD.read(view, 0, CELL_HEAD.bytes)
  if (head instanceof Refused) return head
  if (head.magic !== magic) return new Refused("value", "magic")
  if (head.format !== CELL_FORMAT) return new Refused("version", "format")
  return isSealed(view, 0, view.byteLength) ? undefined : new Refused("checksum")
}

/** Four letters as they lie on the medium. */
function magicOf(letters: string): number {
  assert(/^[A-Z]{4}$/.test(letters), `${letters} names a kind of cell`)
  let magic = 0
  for (let at = 3; at >= 0; at--) magic = magic * 256 + letters.charCodeAt(at)
  return magic
}
