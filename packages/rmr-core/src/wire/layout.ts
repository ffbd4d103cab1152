/**
 * Layouts are data: a message is a table of fields with name, offset, type and purpose.
 *
 * The tables are the format. Everything but the IO codec reads and writes by walking them, the IO
 * codec takes its offsets from them, docs/PROTOCOL.md is generated from them, and golden bytes pin
 * them down. A table that leaves a gap, overlaps or misses its size cannot be made: bytes that
 * nobody may use are a field too, are written as zero and refused when they are not.
 *
 * All integers are little-endian. A type of eight bytes is a safe integer, never a bigint.
 */
import { assert } from "../assert.js"
import { Refused } from "./refusal.js"

/**
 * How one kind of value lies in a fixed number of bytes. `read` refuses what `write` never makes.
 */
export interface FieldType<Value> {
  /** As the tables of PROTOCOL.md call it. */
  readonly name: string
  readonly bytes: number
  read(view: DataView, at: number): Value | Refused
  write(view: DataView, at: number, value: Value): void
}

/** How one kind of value lies in the rest of a message; only a last field may be of such a type. */
export interface TailType<Value> {
  readonly name: string
  readonly bytesMax: number
  bytesOf(value: Value): number
  read(view: DataView, at: number, bytes: number): Value | Refused
  write(view: DataView, at: number, value: Value): void
}

export interface Field {
  readonly name: string
  readonly at: number
  readonly bytes: number
  readonly type: string
  readonly why: string
}

/** What documentation, the IO codec and tests need of a layout. */
export interface Layout {
  readonly name: string
  /** Without the tail. */
  readonly bytes: number
  readonly bytesMax: number
  readonly fields: readonly Field[]
  readonly tail: Omit<Field, "bytes"> | undefined
}

/** A layout that can carry a value of type `Value`, field by field. */
export interface Struct<Value> extends Layout {
  bytesOf(value: Value): number
  /** The value in exactly `bytes` bytes, or why there is none. */
  read(view: DataView, at: number, bytes: number): Value | Refused
  /** Returns how many bytes it has written. */
  write(view: DataView, at: number, value: Value): number
}

export type Row<Value> =
  | {
      [Name in keyof Value & string]: readonly [
        name: Name,
        at: number,
        type: FieldType<Value[Name]>,
        why: string,
      ]
    }[keyof Value & string]
  | readonly [name: "reserved", at: number, type: FieldType<undefined>, why: string]

export type TailRow<Value> = {
  [Name in keyof Value & string]: readonly [
    name: Name,
    at: number,
    type: TailType<Value[Name]>,
    why: string,
  ]
}[keyof Value & string]

interface AnyRow {
  readonly name: string
  readonly at: number
  readonly type: FieldType<unknown>
}

interface AnyTail {
  readonly name: string
  readonly at: number
  readonly type: TailType<unknown>
}

/** Declares a layout of `bytes` bytes, and perhaps a tail. Asserts that the table leaves no gap. */
export function struct<Value>(
  name: string,
  bytes: number,
  rows: readonly Row<Value>[],
  tailRow?: TailRow<Value>,
): Struct<Value> {
  const fields = rows.map(([fieldName, at, type, why]) => {
    return { name: fieldName, at, bytes: type.bytes, type: type.name, why }
  })
  checkTable(name, bytes, fields)
  const readers: readonly AnyRow[] = rows.map(([fieldName, at, type]) => {
    return { name: fieldName, at, type: type as FieldType<unknown> }
  })
  const tail: AnyTail | undefined = tailRow && {
    name: tailRow[0],
    at: tailRow[1],
    type: tailRow[2] as TailType<unknown>,
  }
  assert(tail === undefined || tail.at === bytes, `${name}: the tail starts where the fields end`)
  const bytesMax = bytes + (tail?.type.bytesMax ?? 0)
  const bytesOf = (value: Value): number =>
    bytes + (tail === undefined ? 0 : tail.type.bytesOf(fieldOf(value, tail.name)))
  return {
    name,
    bytes,
    bytesMax,
    fields,
    tail: tailRow && { name: tailRow[0], at: bytes, type: tailRow[2].name, why: tailRow[3] },
    bytesOf,
    read(view, at, available) {
      if (available < bytes) return new Refused("short")
      if (available > bytesMax) return new Refused("long")
      return readRows<Value>(readers, tail, view, at, available - bytes)
    },
    write(view, at, value) {
      for (const row of readers) row.type.write(view, at + row.at, fieldOf(value, row.name))
      tail?.type.write(view, at + tail.at, fieldOf(value, tail.name))
      return bytesOf(value)
    },
  }
}

/** A layout of fixed size as one field of another. */
export function structField<Value>(inner: Struct<Value>): FieldType<Value> {
  assert(inner.tail === undefined, `${inner.name} has a fixed size`)
  return {
    name: inner.name,
    bytes: inner.bytes,
    read: (view, at) => inner.read(view, at, inner.bytes),
    write: (view, at, value) => {
      inner.write(view, at, value)
    },
  }
}

/** Where a field of a layout is; for code that reads by hand. */
export function offsetIn(layout: Layout, name: string): number {
  const field = layout.fields.find((candidate) => candidate.name === name)
  assert(field !== undefined, `${layout.name} has no field ${name}`)
  return field.at
}

function checkTable(name: string, bytes: number, fields: readonly Field[]): void {
  let end = 0
  const names = new Set<string>()
  for (const field of fields) {
    assert(
      field.at === end,
      `${name}.${field.name} is at ${field.at}, the one before ends at ${end}`,
    )
    assert(field.bytes > 0, `${name}.${field.name} has bytes`)
    assert(
      field.name === "reserved" || !names.has(field.name),
      `${name}.${field.name} is there once`,
    )
    assert(field.why.length > 0, `${name}.${field.name} says what it is for`)
    names.add(field.name)
    end += field.bytes
  }
  assert(end === bytes, `${name} has ${end} bytes, not ${bytes}`)
}

function readRows<Value>(
  rows: readonly AnyRow[],
  tail: AnyTail | undefined,
  view: DataView,
  at: number,
  tailBytes: number,
): Value | Refused {
  const value: Record<string, unknown> = {}
  for (const row of rows) {
    const read = row.type.read(view, at + row.at)
    if (read instanceof Refused) return read.in(row.name)
    if (row.name !== "reserved") value[row.name] = read
  }
  if (tail !== undefined) {
    const read = tail.type.read(view, at + tail.at, tailBytes)
    if (read instanceof Refused) return read.in(tail.name)
    value[tail.name] = read
  }
  return value as Value
}

function fieldOf(value: unknown, name: string): unknown {
  return (value as Record<string, unknown>)[name]
}
